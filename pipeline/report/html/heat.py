"""Matrices as tables whose cells are shaded by their value: numbers for readers, colour for the eye."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.common.words import counted
from pipeline.report.parts.html_parts import escaped, name, sentence

MOST_LABELS = 20  # of a confusion matrix; more cannot be read
MOST_SLICES = 80
STYLE = """\
.heat td, .heat thead th { text-align: center; }
.heat tbody th { font-weight: normal; position: sticky; left: 0; background: Canvas; }
.heat td { padding: .3rem .4rem; min-width: 2.4rem; }
.heat thead th { padding: .3rem .4rem; font-weight: normal; vertical-align: bottom; }
.heat .tall { writing-mode: vertical-rl; text-orientation: sideways; transform: rotate(180deg); text-align: left; }
.heat .right { outline: 1px solid var(--line); outline-offset: -1px; }
"""
_STRONGEST = 0.6  # of the shade: text stays readable on it, in light and dark


def confusion(triples: Sequence[Sequence[Any]]) -> str:
    """Right answers down, the candidate's across; shaded by the share of a row. Empty with more than 20 labels.

    Args:
        triples: [actual, predicted, count], as details.json holds them.
    """
    actual = sorted({row for row, _, _ in triples})
    labels = sorted({*actual, *(predicted for _, predicted, _ in triples)})
    if not labels or len(labels) > MOST_LABELS:
        return sentence(f"{counted(len(labels), 'label')}: too many for a matrix.") if labels else ""
    counts = {(row, column): count for row, column, count in triples}
    head = "".join(f'<th scope="col"><div class="tall">{_label(label)}</div></th>' for label in labels)
    body = []
    for row in actual:
        total = sum(counts.get((row, column), 0) for column in labels)
        cells = "".join(_count(counts.get((row, column), 0), total, right=row == column) for column in labels)
        body.append(f'<tr><th scope="row">{_label(row)}</th>{cells}</tr>')
    caption = "Rows: the right answer. Columns: the candidate's. The stronger the colour, the larger the row's share."
    return _table(caption, f"<th></th>{head}", body)


def releases(found: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy of each release (across, oldest first) on each slice (down); ▼ where it lies below an earlier one.

    Args:
        found: releases of matrix.json.
    """
    if len(found) < 2:
        return ""
    slices = list(dict.fromkeys(place for release in found for place in release["accuracy"]))
    every = [value for release in found for value in release["accuracy"].values() if value is not None]
    low, high = min(every, default=0.0), max(every, default=1.0)
    head = "".join(f'<th scope="col">{name(release["release"] or "candidate", 20)}</th>' for release in found)
    body = []
    for place in slices[:MOST_SLICES]:
        cells, best = [], None
        for release in found:
            value = release["accuracy"].get(place)
            cells.append(_accuracy(value, best, low, high))
            best = value if best is None else best if value is None else max(best, value)
        body.append(f'<tr><th scope="row">{name(place)}</th>{"".join(cells)}</tr>')
    caption = "Accuracy of each release on each slice. ▼: below what an earlier release reached there."
    more = len(slices) - MOST_SLICES
    return _table(caption, f"<th></th>{head}", body) + (
        sentence(f"And {counted(more, 'further slice')}.") if more > 0 else ""
    )


def _table(caption: str, head: str, body: Sequence[str]) -> str:
    rows = "\n".join(body)
    return (
        f'<p class="small">{escaped(caption)}</p>\n<div class="wide" tabindex="0"><table class="heat">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _label(label: str) -> str:
    return name(label, 30) if label else "<i>no label</i>"


def _count(count: int, total: int, *, right: bool) -> str:
    kind = ' class="right"' if right else ""
    return f"<td{kind}{_shade(count / total if total else 0)}>{f'{count:,}' if count else ''}</td>"


def _accuracy(value: float | None, best: float | None, low: float, high: float) -> str:
    if value is None:
        return "<td></td>"
    part = (value - low) / (high - low) if high > low else 1.0
    fell = '<span aria-hidden="true">▼</span><span class="sr">fell</span>' if best is not None and value < best else ""
    return f"<td{_shade(part)}>{value:.3f}{fell}</td>"


def _shade(part: float) -> str:
    return f' style="background:rgba(56,132,219,{part * _STRONGEST:.2f})"' if part > 0 else ""
