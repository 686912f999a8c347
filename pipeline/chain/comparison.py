"""Two releases side by side, from what their commits and predictions say; no model is loaded."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Item = tuple[str, str]  # slice, record id


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """One value that differs."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """One slice, on the items that both releases predicted."""

    name: str
    items: int  # predicted by both
    before: float | None  # accuracy over all of the slice's items then
    after: float | None
    fixed: int  # wrong before, right after
    broken: int  # right before, wrong after
    p_value: float | None  # two-sided exact McNemar on fixed and broken; None without common items


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One item whose answer turned right or wrong."""

    slice: str
    id: str
    text: str
    answer: str
    before: str
    after: str


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Changed]:
    """Every leaf that differs between two nested mappings, by dotted name; None where it is absent."""
    old, new = _flat(before), _flat(after)
    return [
        Changed(name=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def predictions(lines: bytes) -> dict[Item, tuple[str, str]]:
    """(slice, id) -> (answer, predicted) of the classifications of a predictions.jsonl."""
    rows = (json.loads(line) for line in lines.splitlines())
    return {(row["slice"], row["id"]): (row["answer"], row["predicted"]) for row in rows if "predicted" in row}


def slices(before: Mapping[Item, tuple[str, str]], after: Mapping[Item, tuple[str, str]]) -> list[Slice]:
    """Each slice of either release, by name."""
    names = sorted({name for name, _ in [*before, *after]})
    return [_slice(name, before, after) for name in names]


def turned(
    before: Mapping[Item, tuple[str, str]], after: Mapping[Item, tuple[str, str]], texts: Mapping[str, str]
) -> tuple[list[Example], list[Example]]:
    """The very items that were fixed, and those that broke, by slice and id."""
    fixed: list[Example] = []
    broken: list[Example] = []
    for item in sorted(before.keys() & after.keys()):
        answer, then, now = after[item][0], before[item][1], after[item][1]
        if (then == answer) == (now == answer):
            continue
        text = texts.get(item[1], "")
        example = Example(slice=item[0], id=item[1], text=text, answer=answer, before=then, after=now)
        (fixed if now == answer else broken).append(example)
    return fixed, broken


def mcnemar(fixed: int, broken: int) -> float:
    """Two-sided exact p-value of McNemar's test on paired right/wrong outcomes.

    Source: McNemar 1947, Psychometrika 12; the exact form is the binomial test on the discordant pairs.
    """
    pairs = fixed + broken
    tail = sum(math.comb(pairs, k) for k in range(min(fixed, broken) + 1))
    return float(min(1.0, 2 * tail / 2**pairs))


def _slice(name: str, before: Mapping[Item, tuple[str, str]], after: Mapping[Item, tuple[str, str]]) -> Slice:
    common = [item for item in before.keys() & after.keys() if item[0] == name]
    right = [(before[item][1] == after[item][0], after[item][1] == after[item][0]) for item in common]
    fixed, broken = right.count((False, True)), right.count((True, False))
    return Slice(
        name=name,
        items=len(common),
        before=_accuracy(pair for item, pair in before.items() if item[0] == name),
        after=_accuracy(pair for item, pair in after.items() if item[0] == name),
        fixed=fixed,
        broken=broken,
        p_value=round(mcnemar(fixed, broken), 6) if common else None,
    )


def _accuracy(pairs: Iterable[tuple[str, str]]) -> float | None:
    right = [answer == predicted for answer, predicted in pairs]
    return round(sum(right) / len(right), 6) if right else None


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix.removesuffix("."): value}
    return {name: leaf for key, item in value.items() for name, leaf in _flat(item, f"{prefix}{key}.").items()}
