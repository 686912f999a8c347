"""Whether a table names its columns, and in which of its first rows: titles and comments may stand above."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.data.detect.column_names import is_known

TITLES = 20  # rows, at most, that are looked at for a header, comments not counted
_COMMENTS = ("#", "//", "%", ";", "--")
_NUMBER = re.compile(r"[\s\d.,:/+\-%€$£¥]*\d[\s\d.,:/+\-%€$£¥]*")
_NOTHING = frozenset(("", "-", "--", "?", "n/a", "na", "nan", "nil", "none", "null", "unknown"))
_WORD = re.compile(r"[^\W\d]\w*")
_MANY = 50  # rows: where no value stands alone in a column of classes, a lone one above them is a name
_RARE = 0.02  # share of a column's values that stand alone, at most, for the first one to be told by that
_SAME = 5  # equal values: another one above them may be a name
_SURELY = 20  # equal values: another one above them is a name
_BODY = 1_000  # rows that a row with a cell fewer is held against
_MOSTLY = 0.9  # share of them

Row = Sequence[str]
Numbered = Sequence[tuple[int, Row]]  # rows, each with its line


class UnclearError(Exception):
    """A row that may name the columns and may be data; the argument is its place."""


def header_place(rows: Numbered, width: int) -> int | None:
    """Which of a table's first rows names its columns; None for none of them.

    A row of usual names below titles as wide as the table is preferred to such a title. A row that has a cell fewer
    than those below it is a header only where no other row is.

    Args:
        rows: the first ones, in order, of any width.
        width: the usual number of cells.

    Raises:
        UnclearError: it cannot be told of a row.
    """
    plain = [row for _, row in rows]
    usual = usual_place(plain, width)
    if usual is not None:
        return usual
    try:
        place = _full_place(rows, width)
    except UnclearError:
        if (shorter := _shorter_place(plain, width)) is not None:
            return shorter
        raise
    return _shorter_place(plain, width) if place is None else place


def usual_place(rows: Sequence[Row], width: int) -> int | None:
    """The first row with usual names, if no row above it is data: none of its cells comes again below.

    A single usual name is enough in a row that has no value of the columns below it, either.
    """
    for place in first_places(rows):
        row = None if is_comment(rows[place]) else fitted(rows, place, width)
        below = rows[place + 1 :]
        if row is None or not _is_usual(row, below):
            continue
        values = [{line[cell].strip() for line in below if len(line) == width} for cell in range(width)]
        above = [line for line in rows[:place] if len(line) == width]
        cells = ((number, cell) for line in above for number, cell in enumerate(line) if not _says_nothing(cell))
        if not any(cell.strip() in values[number] for number, cell in cells):
            return place
    return None


def _is_usual(row: Row, below: Sequence[Row]) -> bool:
    named = sum(map(is_known, row))
    if named != 1:
        return named > 1 and has_header(row, below) is True
    hints = _hints(row, [line for line in below if len(line) == len(row)])
    return hints["word"] + hints["class"] > 0 and not hints["repeated"]


def first_places(rows: Sequence[Row]) -> Iterator[int]:
    """Places of the rows among which the header is: comments, and the first ones that are none."""
    seen = 0
    for place, row in enumerate(rows):
        seen += not is_comment(row)
        if seen > TITLES:
            return
        yield place


def fitted(rows: Sequence[Row], place: int, width: int) -> Row | None:
    """A row as the names of so many columns; None if it cannot be.

    Delimiters behind its last cell name nothing. A row with a cell fewer than those below lacks the name of a column
    of row numbers, as R writes tables, or that of an empty last column.
    """
    row = rows[place]
    if len(row) >= width:
        return None if any(cell.strip() for cell in row[width:]) else row[:width]
    if len(row) < width - 1 or len(row) < 2:
        return None
    body = [line for line in rows[place + 1 : place + 1 + _BODY] if len(line) == width]
    if sum(not line[-1].strip() for line in body) >= _MOSTLY * max(1, len(body)):
        return [*row, ""]
    return ["", *row] if len({line[0] for line in body}) >= _MOSTLY * max(1, len(body)) else None


def is_title(row: Row, width: int) -> bool:
    """Whether a row may stand above a header: a title, a comment, not as wide as the table or all but empty."""
    return len(row) != width or sum(bool(cell.strip()) for cell in row) <= 1 or is_comment(row)


def is_comment(row: Row) -> bool:
    """Whether a row begins as comments do."""
    return bool(row) and row[0].lstrip().startswith(_COMMENTS)


def _full_place(rows: Numbered, width: int) -> int | None:
    """The row that names the columns by its looks; of several with blank lines between them, the last one."""
    comment = found = None
    plain = [row for _, row in rows]
    gaps = _gaps([line for line, _ in rows])
    for place in first_places(plain):
        row = fitted(plain, place, width) if len(plain[place]) >= width else None
        names = row is not None and has_header(row, plain[place + 1 :])
        if is_comment(plain[place]):  # #id,title may be the header; two of them are comments
            comment = place if names else comment
        elif names is None and found is None:
            raise UnclearError(place)
        elif names:
            found = place
            if place not in gaps:
                break
        elif place not in gaps and not is_title(plain[place], width):
            break
    if found is None:
        return comment
    return found + 1 if _is_below_title(plain, found, width) else found


def _is_below_title(rows: Sequence[Row], place: int, width: int) -> bool:
    """Whether a row that looks like names is a title with a comma: below it are names of one word above phrases."""
    title, below = rows[place], rows[place + 2 :]
    row = fitted(rows, place + 1, width) if place + 1 < len(rows) else None
    if row is None or len(rows[place + 1]) != width or all(_WORD.fullmatch(cell.strip()) for cell in title):
        return False
    phrases = (sum(" " in line[cell].strip() for line in below if len(line) == width) for cell in range(width))
    return (
        all(_WORD.fullmatch(cell.strip()) for cell in row)
        and len(set(row)) == width
        and has_header(row, below) is True
        and any(count >= _MOSTLY * len(below) for count in phrases)
    )


def _gaps(lines: Sequence[int]) -> set[int]:
    """Places of rows below which more lines than usual are blank."""
    steps = [after - before for before, after in itertools.pairwise(lines)]
    usual = next((step for step, _ in Counter(steps).most_common(1)), 1)
    return {place for place, step in enumerate(steps) if step > usual}


def _shorter_place(rows: Sequence[Row], width: int) -> int | None:
    """The first row that has a cell fewer than those below it and names them; none of its cells comes again."""
    for place in first_places(rows):
        row = fitted(rows, place, width) if len(rows[place]) == width - 1 else None
        if row is None or is_comment(row) or not has_header(row, rows[place + 1 :]):
            continue
        there = {cell.strip() for line in rows[place + 1 :] for cell in line}
        if not any(cell.strip() in there for cell in row if not _says_nothing(cell)):
            return place
    return None


def _says_nothing(cell: str) -> bool:
    """Whether a cell may come again and again, whatever it is."""
    return cell.strip().casefold() in _NOTHING or _NUMBER.fullmatch(cell.strip()) is not None


def has_header(first: Row, others: Sequence[Row]) -> bool | None:
    """Whether a row names the columns of those below it; None if unclear.

    A name is a usual one, or no number above numbers, or no class above classes that come again and again, or above
    one that all have. A cell that comes again below it is no name; empty cells say nothing, nor do numbers among
    usual names.
    """
    cells = [cell.strip() for cell in first]
    alike = [row for row in others if len(row) == len(cells)]
    below = [row for row in alike if [cell.strip() for cell in row] != cells]
    named = sum(map(is_known, cells))
    if not below:
        return named > 0
    hints = _hints(cells, below)
    if named > hints["repeated"]:
        return True
    if hints["repeated"]:
        return False
    numbers, words, classes = hints["number"], hints["word"], hints["class"]
    if len(below) == len(alike) and not (numbers or words or classes):
        return True if hints["surely"] else None if hints["perhaps"] else False
    if numbers and classes and not words and len(below) >= _MANY:
        return None  # a number above numbers is data, mostly, and a lone class among many rows a name
    return words > 0 or (classes > 0 and not numbers)


def _hints(row: Row, below: Sequence[Row]) -> Counter[str]:
    """What the cells of a row are, held against their columns below it; how many there are of each kind."""
    return Counter(
        _hint(cell.strip(), [value for line in below if (value := line[place].strip())])
        for place, cell in enumerate(row)
    )


def _hint(cell: str, values: Sequence[str]) -> str:
    """What a cell is, held against the values of its column below it: number, repeated, word, class; else nothing.

    Surely or perhaps a name: where all of the values are equal, and many or some.
    """
    if cell.casefold() in _NOTHING or not values:
        return ""
    numeric = sum(_NUMBER.fullmatch(value) is not None for value in values[:1000]) >= 0.9 * len(values[:1000])
    if _NUMBER.fullmatch(cell):
        return "number" if numeric else ""
    if cell in values:
        return "repeated"
    if numeric:
        return "word"
    if len(set(values)) == 1:
        return "surely" if len(values) >= _SURELY else "perhaps" if len(values) >= _SAME else ""
    return "class" if _stands_out(values) else ""


def _stands_out(values: Sequence[str]) -> bool:
    """Whether a value that is none of these can hardly be one of them: they are few, and come again and again."""
    counts = Counter(values)
    alone = sum(count == 1 for count in counts.values())
    return 1 < len(counts) <= 0.2 * len(values) and alone <= _RARE * len(values)
