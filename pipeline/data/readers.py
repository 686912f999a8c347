"""Rows of CSV and JSONL files with their line numbers; a row that cannot be read says why.

A bad row never stops the file and never takes its neighbours along: a quote that is not closed costs
its own line, not all lines up to the next quote. Memory stays at one row, however long a line is.
"""

import csv
import itertools
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.data.increment import FileSpec
from pipeline.errors import GraftError

LINE = 1 << 20  # characters of a line; a longer one is rejected
SPAN = 200  # lines that one CSV row may span
RAW = 2_000  # characters of a row that are kept to show it

Line = tuple[int, str]  # number from 1, text with its line end


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its values, or why there are none."""

    line: int  # where it begins, from 1
    raw: str  # the first characters of its text
    values: Mapping[str, Any] = field(default_factory=dict)  # column or key -> value
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Cells:
    """One row of a CSV file before its columns are known; no cells means that it is not CSV."""

    line: int
    raw: str
    cells: Sequence[str]
    problem: str | None = None


def rows(path: Path, spec: FileSpec) -> Iterator[Row]:
    """Every row of a file that is not blank, in the file's order.

    Raises:
        GraftError: the file cannot be opened, is not in its encoding at all, or has another header.
    """
    if spec.format == "jsonl":
        return json_rows(lines(path, spec.encoding))
    return _csv_rows(path, spec)


def lines(path: Path, encoding: str) -> Iterator[Line]:
    """Numbered lines of a text file; what cannot be decoded becomes U+FFFD.

    Raises:
        GraftError: the file cannot be opened, or not one line of it can be decoded.
    """
    try:
        with path.open(encoding=encoding, errors="replace", newline="") as file:
            for number in itertools.count(1):
                text = file.readline(LINE + 1)
                if not text:
                    return
                rest = text if len(text) > LINE else ""
                while rest and not rest.endswith(("\n", "\r")):
                    rest = file.readline(LINE)
                yield number, text.removeprefix("\ufeff") if number == 1 else text
    except OSError as error:
        raise GraftError(f"{path}: {error.strerror}") from None
    except (UnicodeError, LookupError) as error:
        raise GraftError(f"{path}: cannot be read as {encoding}: {error}", help="name its encoding") from None


def json_rows(numbered: Iterable[Line]) -> Iterator[Row]:
    """Rows of JSON lines: one object each."""
    for number, text in numbered:
        if not text.isspace():
            values, problem = _object(text)
            yield Row(number, shown(text), values, problem)


def csv_cells(numbered: Iterator[Line], delimiter: str, width: int | None = None) -> Iterator[Cells]:
    """Rows of CSV lines, quoted as in RFC 4180; blank lines are skipped.

    Args:
        numbered: the file's lines.
        delimiter: one character.
        width: number of columns when it is known. A row of several lines that has another number
            is a quote left open: its first line alone is rejected and the next ones are read anew.
    """
    source = _Source(numbered)
    for number, text in source:
        if not text.strip(" \r\n"):
            continue
        if len(text) > LINE:
            yield Cells(number, shown(text), (), "line too long")
        elif '"' not in text:
            yield Cells(number, shown(text), text.rstrip("\r\n").split(delimiter))
        else:
            yield _quoted(number, text, source, delimiter, width)


def column_names(header: Sequence[str]) -> tuple[str, ...]:
    """Names for columns from a header row: an empty cell is named cN, a repeated one NAME_N."""
    names: list[str] = []
    for place, cell in enumerate(header, 1):
        name = " ".join(cell.split()) or f"c{place}"
        names.append(f"{name}_{place}" if name in names else name)
    return tuple(names)


def shown(text: str) -> str:
    """What is kept of a row's text: its first characters, writable as UTF-8."""
    return text[:RAW].rstrip("\r\n").encode("utf-8", "backslashreplace").decode()


def _csv_rows(path: Path, spec: FileSpec) -> Iterator[Row]:
    width = len(spec.columns)
    found = csv_cells(lines(path, spec.encoding), spec.delimiter or ",", width)
    if spec.header:
        _check_header(path, spec, next(found, None))
    for row in found:
        problem = row.problem or _width_problem(len(row.cells), width)
        values = {} if problem else dict(zip(spec.columns, row.cells, strict=True))
        yield Row(row.line, row.raw, values, problem)


def _check_header(path: Path, spec: FileSpec, header: Cells | None) -> None:
    if header is not None and column_names(header.cells) != spec.columns:
        raise GraftError(
            f"{path}: line {header.line}: the header is not the columns of increment.yaml",
            [f"header: {', '.join(header.cells)}", f"columns: {', '.join(spec.columns)}"],
            help="correct columns, or header: false if the first row is data",
        )


def _width_problem(found: int, wanted: int) -> str | None:
    if found == wanted:
        return None
    return "too few fields" if found < wanted else "too many fields"


def _object(text: str) -> tuple[dict[str, Any], str | None]:
    if len(text) > LINE:
        return {}, "line too long"
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return {}, "not JSON"
    return (value, None) if isinstance(value, dict) else ({}, "not a JSON object")


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class _Source:
    """Lines that can be put back."""

    def __init__(self, numbered: Iterator[Line]) -> None:
        self._numbered = numbered
        self._back: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        return self._back.popleft() if self._back else next(self._numbered)

    def put_back(self, numbered: Sequence[Line]) -> None:
        self._back.extendleft(reversed(numbered))


def _quoted(number: int, text: str, source: _Source, delimiter: str, width: int | None) -> Cells:
    more: list[Line] = []

    def feed() -> Iterator[str]:
        yield text
        for line in itertools.islice(source, SPAN - 1):
            more.append(line)
            yield line[1]

    try:
        cells = next(csv.reader(feed(), delimiter=delimiter, strict=True))
    except csv.Error:  # an open quote, text after a closing one, or a field over csv.field_size_limit()
        cells = []
    if not cells or (more and width not in (None, len(cells))):
        source.put_back(more)
        return Cells(number, shown(text), (), "not CSV")
    return Cells(number, shown(text + "".join(line for _, line in more)), cells)
