"""Compares a row of predictions.json with what the same model says of the item when it is scored again.

Both are computed in float32, whatever the type of the published weights is. What differs is the order of sums: by
thread count, instruction set, and which items share a batch.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

# Allowed difference of a log-probability (nats) or confidence, over the larger of 1 and its own size. Measured with
# the embedded base on 785 items: 3.6e-6 in one class (other batches), 5.2e-6 between AVX2, AVX-512, plain code, 1 and 2
# threads; with 24 random layers of width 896: 1.7e-6 (1.8e-5 nats). Ten times that in one class, and twice as much
# between classes, where a GPU may be one of the two: none was measured.
SAME_CLASS = 5e-5
OTHER_CLASS = 1e-4
LONGEST = 160  # characters of a value in a message
ANSWERS = ("predicted", "text")  # equal, or a tie
FIGURES = ("score", "confidence", "nats", "chosen", "rejected")  # equal within a bound
EXACT = ("kind", "tokens", "desirable", "truncated", "unfinished")
OPTIONAL = ("answer", "cluster", "must_pass")  # fields of an item that not every item has


@dataclass(frozen=True, kw_only=True, slots=True)
class Fresh:
    """What a model says of an item now."""

    row: Row  # as predictions.json would hold it
    label_score: float | None = None  # of a classification: log-likelihood of the recorded label, nats
    label_confidence: float | None = None  # and its probability among the labels
    gap: float = math.inf  # how far the recorded label, or answer, is below the likeliest: nats


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One field of predictions.json that is not what scoring again, or the slices, give."""

    id: str  # of the item; of a variant its source's, with kind and strength
    side: str  # candidate | parent | anchor; empty: no model says this field
    field: str
    recorded: Any
    rescored: Any

    def __str__(self) -> str:
        name = self.id if self.id.isprintable() else repr(self.id)
        if self.field == "item":
            return f"{name}: {'is not in predictions.json' if self.recorded is None else 'is not in the slices'}"
        whose = "" if self.side in ("", "candidate") else f"{self.side}: "
        source = "rescored" if self.side else "in the slices"
        return f"{name}: {whose}{self.field}: recorded {_text(self.recorded)}, {source} {_text(self.rescored)}"

    def as_json(self) -> dict[str, Any]:
        """Plain dict, for --json."""
        plain = {"id": self.id, "side": self.side, "field": self.field}
        values = {"recorded": self.recorded, "rescored": self.rescored}
        return {name: _plain(value) for name, value in (plain | values).items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedRow:
    """A row compared."""

    id: str
    differences: list[Difference]
    largest: float = 0.0  # difference of a figure, over the larger of 1 and its own size
    tie: bool = False  # another label or answer is the likeliest now, by less than is allowed


def compare(id_: str, side: str, recorded: Row | None, fresh: Fresh, *, bound: float, tie: float) -> ComparedRow:
    """Compare one row.

    Args:
        id_: names the item in the differences.
        side: whose row it is.
        recorded: what predictions.json holds; None: nothing.
        fresh: what the model says now.
        bound: SAME_CLASS or OTHER_CLASS.
        tie: nats; labels and answers that are closer may take each other's place.
    """
    if recorded is None:
        return ComparedRow(id=id_, differences=[_difference(id_, side, "row", None, dict(fresh.row))])
    changed = [name for name in ANSWERS if name in fresh.row and recorded.get(name) != fresh.row[name]]
    if changed and not fresh.gap < tie:
        shown = (_answer(row, changed[0]) for row in (recorded, fresh.row))
        return ComparedRow(id=id_, differences=[_difference(id_, side, changed[0], *shown)])
    values = dict(_values(fresh, tied=bool(changed)))
    distances = {name: distance(recorded.get(name), values[name]) for name in FIGURES if name in values}
    wrong = [name for name, apart in distances.items() if not apart <= bound]
    wrong += [name for name in EXACT if name in values and recorded.get(name) != values[name]]
    return ComparedRow(
        id=id_,
        differences=[_difference(id_, side, name, recorded.get(name), values[name]) for name in wrong],
        largest=max((apart for apart in distances.values() if math.isfinite(apart)), default=0.0),
        tie=bool(changed),
    )


def distance(recorded: Any, value: float | None) -> float:
    """How far two figures are apart, over the larger of 1 and the new one's size; infinite where one is no number."""
    if recorded is None and (value is None or not math.isfinite(value)):
        return 0.0  # the weights diverged, then and now
    if isinstance(recorded, bool) or not isinstance(recorded, int | float) or value is None:
        return math.inf
    apart = abs(recorded - value) / max(1.0, abs(value))
    return apart if math.isfinite(apart) else math.inf


def compare_fields(
    id_: str, recorded: Mapping[str, Any] | None, expected: Mapping[str, Any] | None
) -> list[Difference]:
    """Compare the fields of an item that no model says.

    Args:
        id_: names the item.
        recorded: of predictions.json; None: it does not hold the item.
        expected: as the slices give them; None: they do not.
    """
    if recorded is None or expected is None:
        shown = (None if item is None else "evaluated" for item in (recorded, expected))
        return [_difference(id_, "", "item", *shown)]
    names = [*expected, *(name for name in OPTIONAL if name in recorded and name not in expected)]
    return [
        _difference(id_, "", name, recorded.get(name), expected.get(name))
        for name in names
        if recorded.get(name) != expected.get(name)
    ]


def _values(fresh: Fresh, *, tied: bool) -> Iterator[tuple[str, Any]]:
    """The figures and facts of the recorded label or answer, as they are now."""
    for name in (*FIGURES, *EXACT):
        if name in fresh.row and not (tied and name == "unfinished"):
            yield name, fresh.row[name]
    if "predicted" in fresh.row:
        yield from {"score": fresh.label_score, "confidence": fresh.label_confidence}.items()


def _answer(row: Row, name: str) -> Any:
    return [row.get("predicted"), row.get("score")] if name == "predicted" else row.get(name)


def _difference(id_: str, side: str, field: str, recorded: Any, rescored: Any) -> Difference:
    return Difference(id=id_, side=side, field=field, recorded=recorded, rescored=rescored)


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], float):  # a label and its log-likelihood
        return f"{_text(value[0])} ({_text(value[1])})"
    text = f"{value:.6f}" if isinstance(value, float) else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _plain(value: Any) -> Any:
    """A value that JSON and a terminal can hold: a forged predictions.json may bring any."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {_plain(str(name)): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
