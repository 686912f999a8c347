"""CSV, TSV and the like: quoted as in RFC 4180, with recovery.

A bad row never takes its neighbours along: a quote that is not closed costs its own line, not all lines up
to the next quote.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.common.visible import UNSAFE
from pipeline.data.reading import lines
from pipeline.data.reading.chunk import Chunk, shown
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits
from pipeline.data.reading.lines import Lines

SPAN = 200  # lines that one row may span
BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\ufeff"  # as spreadsheets and pages write it

csv.field_size_limit(1 << 30)  # the module's own is 128 KiB; rows are bounded here


@dataclass(slots=True)
class Cells:
    """Rows before their columns are known, as parallel lists; one without cells is not CSV."""

    lines: list[int] = field(default_factory=list)
    raws: list[str] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    problems: list[str | None] = field(default_factory=list)

    def add(self, line: int, raw: str, cells: list[str], problem: str | None = None) -> None:
        """One more row."""
        self.lines.append(line)
        self.raws.append(raw)
        self.cells.append(cells)
        self.problems.append(problem)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are told apart."""

    delimiter: str
    quote: str = '"'  # empty: quotes are characters like others
    width: int | None = None  # number of columns when it is known: what spans lines must have it


def chunks(path: Path, spec: FileSpec, limits: Limits) -> Iterator[Chunk]:
    """Rows of a file, each with a value for every column.

    Raises:
        GraftError: as `lines.text`; or the header is not the declared one.
    """
    dialect = Dialect(spec.delimiter or ",", '"' if spec.quote is None else spec.quote, len(spec.columns))
    header, names = bool(spec.header), None
    with lines.text(path, spec.encoding, spec.compression, limits) as file:
        for found in cells(lines.after(lines.lines(file, limits), spec.skip or 0), dialect, limits):
            if header and found.lines and names is None:
                names = found.cells[0]
            made = _chunk(found, spec.columns, names)
            if header and made.lines:
                _check_header(path, spec, found.lines[0], found.cells[0])
                header, made = False, made.part(1, len(made.lines))
            yield made


def cells(numbered: Iterable[Lines], dialect: Dialect, limits: Limits) -> Iterator[Cells]:
    """Rows of numbered lines, many at a time; blank lines are none, nor are those of empty cells alone."""
    first, rest = 0, list[str]()
    for number, more in numbered:
        first, texts = first or number, rest + more
        found, taken = _plain(first, texts, dialect, limits) or _split(first, texts, dialect, limits, last=False)
        first, rest = first + taken, texts[taken:]
        yield found
    if rest:
        yield _split(first, rest, dialect, limits, last=True)[0]


def column_names(header: Sequence[str]) -> tuple[str, ...]:
    """Names for columns from a header row, without control characters: an empty cell is cN, a repeated one NAME_N."""
    names: dict[str, None] = {}
    for place, cell in enumerate(header, 1):
        name = UNSAFE.sub("", " ".join(cell.split())) or f"c{place}"
        while name in names:
            name = f"{name}_{place}"
        names[name] = None
    return tuple(names)


def names_them(header: Sequence[str], columns: tuple[str, ...]) -> bool:
    """Whether a header row gives columns these names; it may lack that of the first or of the last column."""
    cells = [*header]
    while len(cells) > len(columns) and not cells[-1].strip():
        cells.pop()
    return columns in (column_names(cells), column_names(["", *cells]), column_names([*cells, ""]))


def _chunk(found: Cells, columns: Sequence[str], header: Sequence[str] | None) -> Chunk:
    width = len(columns)
    made = Chunk(found.lines, found.raws)
    for row, problem in zip(found.cells, found.problems, strict=True):
        if row == header:  # of a second file behind the first: a class of its own if it were data
            made.values.append(None)
            made.problems.append("header again")
        elif len(row) == width:
            made.values.append(dict(zip(columns, row, strict=True)))
            made.problems.append(None)
        else:
            made.values.append(None)
            made.problems.append(problem or ("too few fields" if len(row) < width else "too many fields"))
    return made


def _check_header(path: Path, spec: FileSpec, line: int, header: Sequence[str]) -> None:
    if not names_them(header, spec.columns):
        raise GraftError(
            f"{path}: line {line}: the header is not the columns of increment.yaml",
            [f"header: {', '.join(header)}", f"columns: {', '.join(spec.columns)}"],
            help="correct columns, or header: false if the first row is data",
        )


def _plain(number: int, texts: Sequence[str], dialect: Dialect, limits: Limits) -> tuple[Cells, int] | None:
    """Rows of some lines where nothing is quoted, blank or long; None otherwise."""
    if dialect.quote and any(dialect.quote in text for text in texts):
        return None
    bare = [text.rstrip("\r\n") for text in texts]
    blank = BLANK + dialect.delimiter
    if not all(text.strip(blank) for text in bare) or max(map(len, bare)) > limits.max_line:
        return None
    split = [text.split(dialect.delimiter) for text in bare]
    return Cells(list(range(number, number + len(bare))), list(map(shown, bare)), split, [None] * len(bare)), len(bare)


def _split(number: int, texts: Sequence[str], dialect: Dialect, limits: Limits, *, last: bool) -> tuple[Cells, int]:
    """Rows of some lines, and how many lines they are; a row that may go on after them is left."""
    found = Cells()
    place = 0
    while place < len(texts):
        text = texts[place].rstrip("\r\n")
        taken = 1
        if len(text) > limits.max_line:
            found.add(number + place, shown(text), [], "line too long")
        elif dialect.quote and dialect.quote in text:
            row, taken = _quoted(texts, place, dialect, limits, last=last)
            if not taken:
                break
            raw = text if taken == 1 else "".join(texts[place : place + taken])
            if not row or any(cell.strip(BLANK) for cell in row):
                found.add(number + place, shown(raw), row, None if row else "not CSV")
        elif text.strip(BLANK + dialect.delimiter):
            found.add(number + place, shown(text), text.split(dialect.delimiter))
        place += taken
    return found, place


def _quoted(texts: Sequence[str], place: int, dialect: Dialect, limits: Limits, *, last: bool) -> tuple[list[str], int]:
    """The row that begins at `place` and its number of lines.

    No cells: its first line is not CSV. No lines: more of them are needed to tell.
    """
    taken, size, ended = 0, 0, False

    def feed() -> Iterator[str]:
        nonlocal taken, size, ended
        while taken < SPAN and size <= limits.max_line:
            if place + taken == len(texts):
                ended = not last
                return
            taken += 1
            size += len(texts[place + taken - 1])
            yield texts[place + taken - 1]

    try:
        row = next(csv.reader(feed(), delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True))
    except csv.Error:  # an open quote, or text after a closing one
        row = []
    if not row and ended:
        return [], 0
    if not row or (taken > 1 and dialect.width not in (None, len(row))):
        return [], 1
    return row, taken
