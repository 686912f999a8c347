"""The flip budget `may_break`: answers that the parent had right and the candidate has wrong.

Accuracy may stay while one right answer in ten turns wrong and another wrong one right: users notice what broke.

Source: Yan et al. 2021, arXiv 2011.09161 (negative flips); Echterhoff et al. 2024, MUSCLE, arXiv 2407.09435.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.gate.check import FAIL, INCONCLUSIVE, PASS, UNDECIDED, Check
from pipeline.gate.rules import Rule
from pipeline.gate.settings import GateSettings
from pipeline.gate.statistics import holm
from pipeline.gate.values import Book, Item
from pipeline.gate.wording import broke

NAME = "{}_broken"  # of the check's metric
_STEPS = 40  # of bisection


@dataclass(frozen=True, kw_only=True, slots=True)
class Flips:
    """One slice's answers that the reference had right."""

    slice: str
    rule: Rule
    items: int  # sources of them: variants of one text count together
    broken: int  # of which the candidate has at least one wrong

    @property
    def p_value(self) -> float:
        """That no more than `may_break` break: P(X >= broken)."""
        return 1.0 - at_most(self.broken - 1, self.items, self.rule.breaks or 0.0)


def flips(name: str, rule: Rule, items: Sequence[Item], side: str, book: Book) -> Flips | None:
    """Counts of one slice; None where the reference had nothing right, or a value is missing.

    Args:
        name: of the slice.
        rule: with `may_break`, of a metric of right and wrong.
        items: of the metric.
        side: the reference.
        book: of the values.
    """
    pairs = list(zip(items, *(book.values(rule.metric, items, of) for of in ("candidate", side)), strict=True))
    if any(ours is None or theirs is None for _, ours, theirs in pairs):
        return None
    kept: dict[str, bool] = {}
    for item, ours, theirs in pairs:
        if theirs[0]:
            source = str(item.get("cluster", item["id"]))
            kept[source] = kept.get(source, True) and bool(ours[0])
    return Flips(slice=name, rule=rule, items=len(kept), broken=len(kept) - sum(kept.values())) if kept else None


def checks(found: Sequence[Flips], side: str, named: str, params: GateSettings, *, same: bool) -> Iterator[Check]:
    """A check for each: pass where the upper bound of the share is within the budget, fail where more is proven.

    Args:
        found: of the pool and of slices.
        side: the reference.
        named: what to call it, such as v1.0.0.
        params: section gate.
        same: candidate and reference are one model; where nothing broke, there is nothing to estimate.
    """
    slices = [index for index, one in enumerate(found) if one.slice != "all"]
    p_values = [one.p_value for one in found]
    for index, adjusted in zip(slices, holm([p_values[index] for index in slices]), strict=True):
        p_values[index] = adjusted
    for one, p_value in zip(found, p_values, strict=True):
        budget = one.rule.breaks or 0.0
        high = upper(one.broken, one.items, params.confidence)
        check = Check(
            slice=one.slice,
            metric=NAME.format(one.rule.metric),
            against=side,
            candidate=one.broken / one.items,
            reference=0.0,
            difference=one.broken / one.items,
            high=high,
            margin=budget,
            p_value=p_value,
            items=one.items,
            sources=one.items,
            discordant=one.broken,
            method="binomial",
        )
        if high <= budget or (same and not one.broken):
            yield check.but(PASS)
            continue
        must = one.slice == "all" or one.slice in params.critical
        status = FAIL if p_value <= params.fail_alpha else INCONCLUSIVE if must else UNDECIDED
        yield check.but(status, broke(check, named))


def upper(broken: int, items: int, confidence: float) -> float:
    """The exact one-sided upper bound of a share.

    Source: Clopper & Pearson 1934, Biometrika 26:404-413.
    """
    if broken >= items:
        return 1.0
    low, high = broken / items, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(broken, items, middle) > 1 - confidence else (low, middle)
    return high


def at_most(count: int, items: int, share: float) -> float:
    """P(X <= count), X ~ Binomial(items, share)."""
    if count < 0 or share >= 1:
        return float(count >= items)
    if share <= 0:
        return 1.0
    whole, one, other = math.lgamma(items + 1), math.log(share), math.log1p(-share)
    terms = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(items - k + 1) + k * one + (items - k) * other)
        for k in range(min(count, items) + 1)
    )
    return min(1.0, math.fsum(terms))
