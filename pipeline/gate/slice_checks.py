"""Comparisons of one metric over many slices -> pass, fail, inconclusive or undecided, each with its words.

docs/decisions/gate.md gives the rules' reasons and their measured error rates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median_low

from pipeline.gate import wording
from pipeline.gate.check import FAIL, INCONCLUSIVE, PASS, UNDECIDED, Check
from pipeline.gate.paired import Compared
from pipeline.gate.rules import Rule
from pipeline.gate.settings import GateSettings
from pipeline.gate.statistics import detectable, effort, holm, needed
from pipeline.gate.values import BINARY

WEIGHT = 100  # clusters that the pool's spread counts beside a slice's own
CHANCE = 0.05  # of an unchanged model's runs, at most, in which several slices leave the verdict open
FEW = 30  # clusters; of fewer, a bootstrap's spread is too unsure to call a slice big enough


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One slice's metric against a reference."""

    slice: str
    rule: Rule
    compared: Compared

    @property
    def p_value(self) -> float:
        """That the candidate is worse."""
        return self.compared.better if self.rule.lower else self.compared.worse

    @property
    def worst(self) -> float | None:
        """By how much the candidate may be worse, at the confidence asked for; below 0 it is better."""
        bound = self.compared.high if self.rule.lower else self.compared.low
        return bound if bound is None or self.rule.lower else -bound


def judge(cases: Sequence[Case], against: str, named: str, params: GateSettings) -> Iterator[Check]:
    """Each case's check, in order.

    Args:
        cases: every metric of every slice and of the pool, `all`, whose rule has a margin.
        against: parent or anchor.
        named: what to call it in words, such as v1.0.0.
        params: section gate.
    """
    slices = [index for index, case in enumerate(cases) if case.slice != "all"]
    p_values = [case.p_value for case in cases]
    for index, adjusted in zip(slices, holm([p_values[index] for index in slices]), strict=True):
        p_values[index] = adjusted
    spreads = _spreads(cases)
    must = _must(cases, spreads, params)
    for index, case in enumerate(cases):
        check = _check(case, against, p_values[index], spreads[index], params)
        yield _decided(check, case, named, params, must=must[index])


def _must(cases: Sequence[Case], spreads: Sequence[float], params: GateSettings) -> list[bool]:
    """Whether a bound beyond the margin leaves the verdict open: for the pool, and where a slice is critical or big.

    One slice that is just big enough misses its bound in one of five runs of an unchanged model, and several together
    nearly always. So among several a miss counts only where chance hardly explains the decline: Holm, at 0.05.
    """
    factor = effort(params.confidence)
    must = [case.slice == "all" or case.slice in params.critical for case in cases]
    big = [index for index, case in enumerate(cases) if not must[index] and _big(case, spreads[index], factor)]
    alone = len({cases[index].slice for index in big}) == 1
    for index, adjusted in zip(big, holm([cases[index].p_value for index in big]), strict=True):
        must[index] = alone or adjusted <= CHANCE
    return must


def _spreads(cases: Sequence[Case]) -> list[float]:
    """The variance of one cluster's difference in each case, never below what a drop by the margin itself brings.

    A slice's own estimate is unsure, so that of the usual slice, or the pool's if it is lower, stands beside it like
    100 more clusters: a new slice whose labels the parent cannot know says nothing of old ones. And a right-or-wrong
    metric that drops by d has changed on a share d of its items at least: a spread of 0 among five items is no
    proof that five are enough.
    """
    pooled, usual = _pooled(cases), _usual(cases)
    found = []
    for case in cases:
        own, clusters, metric = case.compared.spread, case.compared.clusters, case.rule.metric
        if case.slice != "all":
            own = (clusters * own + WEIGHT * min(pooled[metric], usual.get(metric, inf))) / (clusters + WEIGHT)
        found.append(max(own, case.compared.top * (case.rule.margin or 0.0)))
    return found


def _usual(cases: Sequence[Case]) -> dict[str, float]:
    """Each metric's median spread over the slices that have enough clusters to estimate one."""
    found: dict[str, list[float]] = {}
    for case in cases:
        if case.slice != "all" and case.compared.clusters >= FEW:
            found.setdefault(case.rule.metric, []).append(case.compared.spread)
    return {metric: median_low(spreads) for metric, spreads in found.items()}


def _pooled(cases: Sequence[Case]) -> dict[str, float]:
    """Each metric's spread in `all`; where no rule speaks of that, the slices' mean, by their sizes."""
    found = {}
    for metric in {case.rule.metric for case in cases}:
        of = [case for case in cases if case.rule.metric == metric]
        of = [case for case in of if case.slice == "all"] or of
        clusters = [case.compared.clusters for case in of]
        spreads = [case.compared.spread for case in of]
        found[metric] = sum(n * spread for n, spread in zip(clusters, spreads, strict=True)) / sum(clusters)
    return found


def _big(case: Case, spread: float, factor: float) -> bool:
    """Whether a slice has items enough to tell a difference of its margin."""
    least = needed(factor, spread, case.rule.margin or 0.0)
    few = case.rule.metric not in BINARY and case.compared.clusters < FEW
    return least is not None and not few and case.compared.clusters >= least


def _check(case: Case, against: str, p_value: float, spread: float, params: GateSettings) -> Check:
    compared, margin, factor = case.compared, case.rule.margin or 0.0, effort(params.confidence)
    return Check(
        slice=case.slice,
        metric=case.rule.metric,
        against=against,
        candidate=compared.candidate,
        reference=compared.reference,
        difference=compared.difference,
        low=compared.low,
        high=compared.high,
        margin=margin,
        p_value=p_value,
        items=compared.items,
        sources=compared.clusters,
        discordant=compared.discordant,
        detectable=detectable(factor, spread, compared.clusters) if compared.low is not None else None,
        needed=needed(factor, spread, margin) if compared.low is not None else None,
        method=compared.method,
    )


def _decided(check: Check, case: Case, named: str, params: GateSettings, *, must: bool) -> Check:
    """The outcome: within the margin is a pass even where worse is proven, since the margin allows it."""
    worst, margin = case.worst, check.margin or 0.0
    if check.method == "identical" or (worst is not None and worst < margin):
        return check.but(PASS)
    if check.p_value is not None and check.p_value <= params.fail_alpha:
        return check.but(FAIL, wording.worse(check, case.rule, named))
    if must:
        return check.but(INCONCLUSIVE, wording.unsure(check, case.rule, named))
    return check.but(UNDECIDED, wording.small(check, case.rule))
