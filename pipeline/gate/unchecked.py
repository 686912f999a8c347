"""Kinds of records that nothing checks: no floor, no ceiling, no release to compare with. Unchecked is not passed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.gate.check import Check
from pipeline.gate.rules import Rule
from pipeline.gate.values import BUILT_IN, JUDGE, SIDES, Item, applies

_SAID = {
    "classification": "classifications",
    "sft": "answers",
    "preference": "preferences",
    "kto": "rated answers",
    "text": "texts",
}
_EXAMPLES = {
    "classification": "accuracy: {at_least: 0.6, may_drop: 0.02}",
    "preference": "preference_accuracy: {at_least: 0.6, may_drop: 0.03}",
}
_LOSS = "loss: {at_most: 2.5, may_rise: 0.05}"
HELP = "or gate.unchecked: accept with gate.unchecked_reason"


def kinds(items: Sequence[Item], rules: Iterable[Rule], checks: Iterable[Check]) -> Iterator[str]:
    """A line for each kind of records among the items that nothing can refuse.

    Args:
        items: all that are evaluated.
        rules: those that are held to any items.
        checks: what was found; one against a parent or an anchor checks its metric.
    """
    held = {rule.metric for rule in rules if can_miss(rule)}
    held |= {check.metric for check in checks if check.against in ("parent", "anchor")}
    by_kind: dict[str, list[Item]] = {}
    for item in items:
        by_kind.setdefault(str(item["kind"]), []).append(item)
    for kind, of in sorted(by_kind.items()):
        names = _measured(of)
        if not held & set(names):
            yield (
                f"{_SAID.get(kind, kind)}: no bound checks {', '.join(names)}; give gate.rules.all one that can "
                f"fail, such as {_EXAMPLES.get(kind, _LOSS)}, {HELP}"
            )


def can_miss(rule: Rule) -> bool:
    """Whether a rule has a bound that any value misses: a floor of 0 under what is never below it is none."""
    if rule.bound is None:
        return False
    return rule.lower or rule.bound > 0 or rule.metric not in BUILT_IN


def _measured(items: Sequence[Item]) -> list[str]:
    """Metrics that some of the items have."""
    own = {name for item in items for side in SIDES for name in _custom(item.get(side))}
    return [name for name in (*BUILT_IN, JUDGE, *sorted(own)) if any(applies(name, item) for item in items)]


def _custom(row: Mapping[str, object] | None) -> Iterable[str]:
    found = (row or {}).get("custom")
    return found if isinstance(found, Mapping) else ()
