"""How often the gate errs, simulated: counts of discordant pairs are drawn, the bounds made at once, the rest judged.

The figures stand in docs/decisions/gate.md. Bounds of the simulation are those of the design, not of chance: each
rate lies far enough inside for the number of runs.
"""

from collections import Counter

import numpy as np
import pytest

from pipeline.gate import statistics
from pipeline.gate.paired import Compared
from pipeline.gate.rules import Rule
from pipeline.gate.settings import GateSettings
from pipeline.gate.slice_checks import Case, judge
from tests.gate.made import gate

PARAMS = GateSettings(**gate())
PSI = 0.10  # share of items on which candidate and parent differ


def case(name, fixed, broken, items, low, high, margin):
    compared = Compared(
        candidate=0.9, reference=0.9, difference=(fixed - broken) / items, low=low, high=high,
        worse=statistics.mcnemar_worse(fixed, broken), better=statistics.mcnemar_worse(broken, fixed), items=items,
        clusters=items, discordant=fixed + broken, spread=(fixed + broken) / items, method="tango", top=1.0,
    )  # fmt: skip
    return Case(slice=name, rule=Rule(metric="accuracy", bound=None, margin=margin, lower=False), compared=compared)


def rates(slices, items, runs, margin=0.02, each=0.05, drop=0.0, seed=1):
    """Share of runs by verdict; every slice holds `items`, truly worse by `drop`, for all or for each."""
    worse = np.broadcast_to(drop, slices)
    shares = np.column_stack([(PSI - worse) / 2, (PSI + worse) / 2, np.full(slices, 1 - PSI)])
    drawn = np.random.default_rng(seed).multinomial(items, shares, size=(runs, slices))
    fixed, broken = (np.column_stack([drawn[..., k].sum(axis=1), drawn[..., k]]) for k in (0, 1))  # first: pooled
    sizes = np.array([items * slices] + [items] * slices)
    low, high = statistics.tango(fixed, broken, np.broadcast_to(sizes, fixed.shape), PARAMS.confidence)
    found: Counter[str] = Counter()
    for run in range(runs):
        cases = [
            case(
                f"s{index}" if index else "all", int(fixed[run, index]), int(broken[run, index]), int(sizes[index]),
                low[run, index], high[run, index], each if index else margin,
            )
            for index in range(slices + 1 if each else 1)
        ]  # fmt: skip
        states = {check.status for check in judge(cases, "parent", "v1.0.0", PARAMS)}
        found["fail" if "fail" in states else "inconclusive" if "inconclusive" in states else "pass"] += 1
    return {verdict: found[verdict] / runs for verdict in ("pass", "fail", "inconclusive")}


def test_unchanged_passes_with_1500_items_and_3_points():
    assert rates(1, 1500, 2000, margin=0.03, each=None)["pass"] >= 0.95


def test_3_points_down_hardly_ever_passes():
    assert rates(1, 1500, 3000, margin=0.03, each=None, drop=0.03)["pass"] <= 0.06


def test_30_unchanged_slices_of_200_are_hardly_ever_called_worse():
    found = rates(30, 200, 1000)
    assert found["fail"] <= 0.02
    assert found["pass"] >= 0.90


@pytest.mark.parametrize("each", [0.03, 0.05, 0.08, 0.12])
def test_60_unchanged_slices_of_150_pass_whatever_their_margin(each):
    assert rates(60, 150, 300, each=each)["pass"] >= 0.90


def test_a_slice_that_is_down_by_its_margin_hardly_ever_passes_where_items_are_many():
    assert rates(1, 1000, 1000, margin=0.05, drop=0.05)["pass"] <= 0.06


def test_one_of_ten_slices_that_is_down_by_its_margin_hardly_ever_passes():
    assert rates(10, 1000, 1000, margin=0.5, drop=[0.05] + [0.0] * 9)["pass"] <= 0.08
