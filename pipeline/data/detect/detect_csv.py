"""How to read a CSV file: delimiter, header, columns, and what they hold."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.detect import header
from pipeline.data.detect.detect_rows import FIRST_ROWS, Wishes
from pipeline.data.reading import delimited, lines
from pipeline.data.reading.delimited import Dialect
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

DELIMITERS = (",", "\t", ";", "|")
_STATED = re.compile(r"\ufeff?sep=([^\"\r\n])\r?\n", re.IGNORECASE)
_FITTING = 0.9  # share of a file's rows


class UnclearHeaderError(GraftError):
    """It cannot be told of a file's first row whether it names the columns."""


def table(
    path: Path, draft: FileSpec, wishes: Wishes, limits: Limits, count: int
) -> tuple[FileSpec, list[dict[str, str]]]:
    """How a CSV file is read, and its first rows.

    Args:
        path: the file.
        draft: its encoding and compression.
        wishes: what the user said.
        limits: of its size.
        count: of rows.

    Raises:
        GraftError: no delimiter is found, or the columns are not those that the user named.
    """
    said = "\t" if wishes.delimiter in ("\\t", "tab") else wishes.delimiter
    stated = _stated(path, draft, limits)
    delimiter = said or stated or _delimiter(path, draft, limits)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise GraftError(f"{path}: the delimiter is one character, not {delimiter!r}")
    draft = replace(draft, format="csv", delimiter=delimiter, skip=1 if stated else None)
    rows = cells(path, draft, limits, count)
    width, _ = usual_width(row for _, row in rows[:FIRST_ROWS])
    if width < 2:
        named = "" if said is None else ", which the command names; another is"
        raise GraftError(
            f"{path}: no two columns with the delimiter {delimiter!r}{named}",
            help="name another: --set delimiter=CHARACTER" if said else "name it: --set delimiter=CHARACTER",
        )
    try:
        place = _header(rows, width, wishes)
    except header.UnclearError as unclear:
        line, row = rows[unclear.args[0]]
        raise UnclearHeaderError(
            f"{path}: line {line}: cannot tell whether this row names the columns",
            [", ".join(row)],
            help="--header if it does, --no-header if it is data",
        ) from None
    plain = [row for _, row in rows]
    names = None if place is None else delimited.column_names(header.fitted(plain, place, width) or plain[place])
    columns = names or tuple(wishes.columns or (f"c{number + 1}" for number in range(width)))
    body = [row for row in plain[0 if place is None else place + 1 :] if len(row) == width]
    _check_columns(path, columns, width, wishes)
    skip = rows[place][0] - 1 if place else draft.skip
    draft = replace(draft, header=place is not None, columns=columns, skip=skip or None)
    return draft, [dict(zip(columns, row, strict=True)) for row in body] or [dict.fromkeys(columns, "")]


def _header(rows: header.Numbered, width: int, wishes: Wishes) -> int | None:
    """Which row names the columns: where the user says so, or where what they named stands, or by its looks."""
    if wishes.header is False:
        return None
    first = [row for _, row in rows]
    usable = {place: row for place in header.first_places(first) if (row := header.fitted(first, place, width))}
    wanted = wishes.columns or wishes.asked
    for place, row in usable.items() if wanted else ():
        names = delimited.column_names(row)
        if names == tuple(wishes.columns or ()) or (wishes.columns is None and set(wanted) <= set(names)):
            return place
    if wishes.header:
        plainest = (place for place in usable if not header.is_title(first[place], width))
        return next((place for place in (_by_looks(rows, width), *plainest, *usable) if place is not None), 0)
    return None if wishes.columns is not None else header.header_place(rows, width)


def _by_looks(rows: header.Numbered, width: int) -> int | None:
    """The row that most likely names the columns."""
    try:
        return header.header_place(rows, width)
    except header.UnclearError as unclear:
        return int(unclear.args[0])


def _stated(path: Path, draft: FileSpec, limits: Limits) -> str | None:
    """The delimiter that a first line states for Excel: sep=;."""
    with lines.text(path, draft.encoding, draft.compression, limits) as file:
        head = next(lines.blocks(file), "")[:20]
    match = _STATED.match(head)
    return match[1] if match else None


def fits(path: Path, spec: FileSpec, limits: Limits, least: float = _FITTING) -> bool:
    """Whether some share of a file's rows, or nearly all of them, have as many cells as there are columns."""
    found = cells(path, spec, limits, FIRST_ROWS)
    fitting = sum(len(row) == len(spec.columns) for _, row in found)
    return fitting >= least * len(found)


def first_row(path: Path, spec: FileSpec, limits: Limits) -> Sequence[str]:
    """The cells of a file's first row."""
    found = cells(path, spec, limits, 1)
    return found[0][1] if found else ()


def _delimiter(path: Path, draft: FileSpec, limits: Limits) -> str:
    """The delimiter with which most rows have one and the same number of fields, two or more."""
    found = splits(path, draft, limits)
    if found.get("\t", (0.0, 0))[0] >= _FITTING:
        return "\t"  # no prose has it, whatever else splits the rows
    best = max(found, key=lambda delimiter: found[delimiter], default=None)
    if best is None or found[best][0] < 0.5:
        raise GraftError(
            f"{path}: neither JSON lines nor CSV: no delimiter splits most rows into equally many fields",
            help="name it: --set 'delimiter=;', say; or --set format=txt for texts, one a line",
        )
    return best


def splits(path: Path, draft: FileSpec, limits: Limits) -> dict[str, tuple[float, int]]:
    """By delimiter that makes two cells or more: share of the rows that have the usual number of them, and that."""
    found = {}
    for delimiter in DELIMITERS:
        rows = cells(path, replace(draft, delimiter=delimiter), limits, FIRST_ROWS)
        width, share = usual_width(row for _, row in rows)
        if width > 1:
            found[delimiter] = (share, width)
    return found


def usual_width(rows: Iterable[Sequence[str]]) -> tuple[int, float]:
    """The most frequent number of cells (the larger of two), and the share of rows that have it."""
    widths = Counter(map(len, rows))
    width = max(widths, key=lambda width: (widths[width], width), default=0)
    return width, widths[width] / max(1, widths.total())


def cells(path: Path, draft: FileSpec, limits: Limits, count: int) -> list[tuple[int, list[str]]]:
    """The first rows of a file, each with its line."""
    dialect = Dialect(draft.delimiter or ",", '"' if draft.quote is None else draft.quote)
    with lines.text(path, draft.encoding, draft.compression, limits) as file:
        numbered = lines.after(lines.lines(file, limits), draft.skip or 0)
        chunks = delimited.cells(numbered, dialect, limits)
        rows = (pair for chunk in chunks for pair in zip(chunk.lines, chunk.cells, strict=True))
        return list(itertools.islice(rows, count))


def _check_columns(path: Path, columns: Sequence[str], width: int, wishes: Wishes) -> None:
    if len(columns) != width:
        raise GraftError(f"{path}: {width} columns, but {len(columns)} names: {', '.join(columns)}")
    if wishes.columns is not None and tuple(wishes.columns) != tuple(columns):
        raise GraftError(f"{path}: the header names the columns: {', '.join(columns)}", help="leave out --columns")
