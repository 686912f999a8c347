"""The rules of section `gate`: which metric of which slice is held to what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What one metric is held to, in its own unit."""

    metric: str
    bound: float | None  # the floor, or where lower is better the ceiling; None: no bound
    margin: float | None  # how much worse than a reference it may be; None: it is not compared
    lower: bool  # lower is better
    breaks: float | None = None  # share of a reference's right answers that may become wrong; None: not asked

    def misses(self, value: float) -> bool:
        """Whether a value is on the wrong side of the bound; so written, NaN is."""
        if self.bound is None:
            return False
        return not (value <= self.bound if self.lower else value >= self.bound)


def rules(asked: Mapping[str, Any]) -> list[Rule]:
    """The rules of one slice, in the order of params.yaml."""
    return [_rule(metric, of) for metric, of in asked.items()]


def _rule(metric: str, of: Mapping[str, Any]) -> Rule:
    lower = "at_most" in of or "may_rise" in of
    bound, margin = ("at_most", "may_rise") if lower else ("at_least", "may_drop")
    return Rule(metric=metric, bound=of.get(bound), margin=of.get(margin), lower=lower, breaks=of.get("may_break"))


def by_slice(asked: Mapping[str, Any], slices: Sequence[str]) -> Iterator[tuple[str, Rule]]:
    """Every slice that is, or that a rule names, with each of its rules; `all` first."""
    yield from (("all", rule) for rule in rules(asked["all"]))
    for name in sorted({*slices, *asked["slices"]}):
        yield from ((name, rule) for rule in rules(asked["slices"].get(name, asked["each_slice"])))


def stated(asked: Mapping[str, Any]) -> set[str]:
    """The metrics that any rule speaks of."""
    return {metric for of in (asked["all"], asked["each_slice"], *asked["slices"].values()) for metric in of}
