"""Section `gate` of two releases -> every key whose effect differs, and whether it is looser or stricter now."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.gate.settings import GateSettings

LOOSER, STRICTER = "looser", "stricter"
# The sign of a change that loosens.
BOUNDS = {"at_least": -1, "at_most": 1, "may_drop": 1, "may_rise": 1, "may_break": 1}
POLICIES = ("block", "override", "warn")  # of gate.inconclusive, the strictest first
NAMED = "its own rules"  # of a slice that gate.rules.slices names: it must then be measured

Section = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSetting:
    """One key whose value differs."""

    key: str  # with dots, such as gate.rules.all.accuracy.at_least
    before: Any  # None: unset, no bound
    after: Any
    effect: str | None  # looser | stricter; None: neither, or not known

    def plain(self) -> dict[str, Any]:
        """As it stands in changes.json."""
        return {"key": self.key, "before": self.before, "after": self.after, "effect": self.effect}


def compare(before: Section, after: Section) -> list[RuleSetting]:
    """Every difference that has an effect: a key that only now states its default, or another order, is none.

    Args:
        before: section `gate` of the parent.
        after: of the candidate.
    """
    old, new = ({**asdict(GateSettings()), **section} for section in (before, after))
    plain = [
        RuleSetting(key=f"gate.{key}", before=values[0], after=values[1], effect=_effect(key, *values))
        for key in sorted((old.keys() | new.keys()) - {"rules"})
        if (values := (_value(key, old.get(key)), _value(key, new.get(key))))[0] != values[1]
    ]
    return [*_rules(old.get("rules") or {}, new.get("rules") or {}), *plain]


def _value(key: str, value: Any) -> Any:
    return sorted(value) if key == "critical" else value


def _effect(key: str, old: Any, new: Any) -> str | None:
    """What a change of any key but `rules` does."""
    if key == "critical":
        return LOOSER if set(old) - set(new) else STRICTER
    if key in ("confidence", "fail_alpha"):
        return LOOSER if new < old else STRICTER
    if key == "unchecked":
        return LOOSER if new == "accept" else STRICTER
    if key == "inconclusive" and {old, new} <= set(POLICIES):
        return LOOSER if POLICIES.index(new) > POLICIES.index(old) else STRICTER
    if key in ("anchor", "override") and None in (old, new):
        return LOOSER if (new is None) == (key == "anchor") else STRICTER
    return None


def _rules(old: Section, new: Section) -> Iterator[RuleSetting]:
    """Rules of every scope. A slice without rules of its own has those of `each_slice`."""
    for scope in ("all", "each_slice"):
        yield from _scope(f"gate.rules.{scope}", old.get(scope) or {}, new.get(scope) or {})
    before, after = (section.get("slices") or {} for section in (old, new))
    for name in sorted({*before, *after}):
        key = f"gate.rules.slices.{name}"
        changed = list(_scope(key, _of_slice(old, name), _of_slice(new, name)))
        yield from changed
        if not changed and (name in before) != (name in after):
            values = (NAMED, None) if name in before else (None, NAMED)
            yield RuleSetting(key=key, before=values[0], after=values[1], effect=LOOSER if name in before else STRICTER)


def _of_slice(rules: Section, name: str) -> Section:
    """The rules that one slice is held to."""
    own: Mapping[str, Section] = rules.get("slices") or {}
    return own[name] if name in own else rules.get("each_slice") or {}


def _scope(key: str, old: Section, new: Section) -> Iterator[RuleSetting]:
    for metric in sorted(old.keys() | new.keys()):
        before, after = (_bounds(rules[metric]) if metric in rules else None for rules in (old, new))
        if before is None or after is None:
            effect = STRICTER if before is None else LOOSER
            yield RuleSetting(key=f"{key}.{metric}", before=before, after=after, effect=effect)
            continue
        for bound in sorted(before.keys() | after.keys()):
            values = before.get(bound), after.get(bound)
            if values[0] != values[1]:
                effect = _bound_effect(bound, *values)
                yield RuleSetting(key=f"{key}.{metric}.{bound}", before=values[0], after=values[1], effect=effect)


def _bounds(rule: Section) -> dict[str, float]:
    """What a rule holds a metric to; a null bound is none."""
    return {name: value for name, value in rule.items() if value is not None}


def _bound_effect(bound: str, old: float | None, new: float | None) -> str:
    """Looser: a bound that is gone, a lower floor, a higher ceiling, a wider margin."""
    if old is None or new is None:
        return STRICTER if old is None else LOOSER
    return LOOSER if (new - old) * BOUNDS[bound] > 0 else STRICTER
