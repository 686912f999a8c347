"""Matrices as tables whose cells are shaded by their value: numbers for readers, colour for the eye."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from pipeline.common.words import counted
from pipeline.report.parts import markup
from pipeline.report.parts.html_parts import absent, name, sentence

MOST_LABELS = 20  # of a confusion matrix; more cannot be read
MOST_SLICES = 80
_STRONGEST = 0.6  # of the shade: text stays readable on it, in light and dark


_part = partial(markup.render, "html/templates/heat.html")


def confusion(triples: Sequence[Sequence[Any]]) -> Markup:
    """Right answers down, the candidate's across; shaded by the share of a row. Empty with more than 20 labels.

    Args:
        triples: [actual, predicted, count], as details.json holds them.
    """
    actual = sorted({row for row, _, _ in triples})
    labels = sorted({*actual, *(predicted for _, predicted, _ in triples)})
    if not labels or len(labels) > MOST_LABELS:
        return sentence(f"{counted(len(labels), 'label')}: too many for a matrix.") if labels else Markup()
    counts = {(row, column): count for row, column, count in triples}
    body = []
    for row in actual:
        total = sum(counts.get((row, column), 0) for column in labels)
        cells = [_count(counts.get((row, column), 0), total, right=row == column) for column in labels]
        body.append((_label(row), cells))
    caption = "Rows: the right answer. Columns: the candidate's. The stronger the colour, the larger the row's share."
    return _part("matrix", caption, [_part("tall", _label(label)) for label in labels], body)


def releases(found: Sequence[Mapping[str, Any]]) -> Markup:
    """Accuracy of each release (across, oldest first) on each slice (down); ▼ where it lies below an earlier one.

    Args:
        found: releases of matrix.json.
    """
    if len(found) < 2:
        return Markup()
    slices = list(dict.fromkeys(place for release in found for place in release["accuracy"]))
    every = [value for release in found for value in release["accuracy"].values() if value is not None]
    low, high = min(every, default=0.0), max(every, default=1.0)
    body = []
    for place in slices[:MOST_SLICES]:
        cells, best = [], None
        for release in found:
            value = release["accuracy"].get(place)
            cells.append(_accuracy(value, best, low, high))
            best = value if best is None else best if value is None else max(best, value)
        body.append((name(place), cells))
    caption = "Accuracy of each release on each slice. ▼: below what an earlier release reached there."
    heads = [name(release["release"] or "candidate", 20) for release in found]
    more = len(slices) - MOST_SLICES
    rest = sentence(f"And {counted(more, 'further slice')}.") if more > 0 else Markup()
    return _part("matrix", caption, heads, body) + rest


def _label(label: str) -> Markup:
    return name(label, 30) if label else absent("no label")


def _count(count: int, total: int, *, right: bool) -> Markup:
    return _part("cell", f"{count:,}" if count else "", _shade(count / total if total else 0), right, fell=False)


def _accuracy(value: float | None, best: float | None, low: float, high: float) -> Markup:
    if value is None:
        return _part("cell", "", 0, right=False, fell=False)
    part = (value - low) / (high - low) if high > low else 1.0
    return _part("cell", f"{value:.3f}", _shade(part), right=False, fell=best is not None and value < best)


def _shade(part: float) -> float:
    return part * _STRONGEST
