"""How to read a CSV file: delimiter, header, columns, and what they hold."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.detect.columns import has_header
from pipeline.data.detect.detect_rows import FIRST_ROWS, ROWS, Wishes, by_content
from pipeline.data.reading import delimited, lines
from pipeline.data.reading.delimited import Dialect
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

DELIMITERS = (",", "\t", ";", "|")


def table(path: Path, draft: FileSpec, wishes: Wishes, limits: Limits, *, surely: float = 0.5) -> FileSpec:
    """The entry of a CSV file.

    Args:
        path: the file.
        draft: its encoding and compression.
        wishes: what the user said.
        limits: of its size.
        surely: share of its rows that must have one and the same number of fields.

    Raises:
        GraftError: no delimiter is found, or a column that is needed.
    """
    said = "\t" if wishes.delimiter in ("\\t", "tab") else wishes.delimiter
    delimiter = said or _delimiter(path, draft, limits, surely)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise GraftError(f"{path}: the delimiter is one character, not {delimiter!r}")
    found = _cells(path, draft, delimiter, limits, ROWS)
    width, _ = _width(found[:FIRST_ROWS])
    found = [row for row in found if len(row) == width]
    if width < 2:
        raise GraftError(
            f"{path}: no two columns with the delimiter {delimiter!r}", help="name it: --set delimiter=CHARACTER"
        )
    header = wishes.header
    if header is None:
        header = (
            has_header(found[0], found[1:]) if wishes.columns is None else _names(found[0]) == tuple(wishes.columns)
        )
    columns = _names(found[0]) if header else tuple(wishes.columns or (f"c{place + 1}" for place in range(width)))
    _check_columns(path, columns, width, wishes)
    draft = replace(draft, format="csv", delimiter=delimiter, header=header, columns=columns)
    body = [dict(zip(columns, row, strict=True)) for row in found[1 if header else 0 :]]
    return by_content(path, draft, body or [dict.fromkeys(columns, "")], wishes)


def _delimiter(path: Path, draft: FileSpec, limits: Limits, surely: float) -> str:
    """The delimiter with which most rows have one and the same number of fields, two or more."""
    found = {}
    for delimiter in DELIMITERS:
        width, share = _width(_cells(path, draft, delimiter, limits, FIRST_ROWS))
        if width > 1:
            found[delimiter] = (share, width)
    best = max(found, key=lambda delimiter: found[delimiter], default=None)
    if best is None or found[best][0] < surely:
        raise GraftError(
            f"{path}: neither JSON lines nor CSV: no delimiter splits most rows into equally many fields",
            help="name it: --set 'delimiter=;', say; or --set format=txt for texts, one a line",
        )
    return best


def _width(rows: Iterable[Sequence[str]]) -> tuple[int, float]:
    """The most frequent number of fields (the larger of two), and the share of rows that have it."""
    widths = Counter(len(cells) for cells in rows)
    width = max(widths, key=lambda width: (widths[width], width), default=0)
    return width, widths[width] / max(1, widths.total())


def _cells(path: Path, draft: FileSpec, delimiter: str, limits: Limits, count: int) -> list[list[str]]:
    with lines.text(path, draft.encoding, draft.compression, limits) as file:
        chunks = delimited.cells(lines.lines(file, limits), Dialect(delimiter), limits)
        return list(itertools.islice(itertools.chain.from_iterable(chunk.cells for chunk in chunks), count))


def _names(first: Sequence[str]) -> tuple[str, ...]:
    return delimited.column_names(first)


def _check_columns(path: Path, columns: Sequence[str], width: int, wishes: Wishes) -> None:
    if len(columns) != width:
        raise GraftError(f"{path}: {width} columns, but {len(columns)} names: {', '.join(columns)}")
    if wishes.columns is not None and tuple(wishes.columns) != tuple(columns):
        raise GraftError(f"{path}: the header names the columns: {', '.join(columns)}", help="leave out --columns")
