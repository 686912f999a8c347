"""Whether a table names its columns, and in which of its first rows: titles and comments may stand above."""

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.data.detect.column_names import is_known

TITLES = 20  # rows, at most, that are looked at for a header, comments apart
_COMMENTS = ("#", "//", "%", ";", "--")
_NUMBER = re.compile(r"[\s\d.,:/+\-%€$£¥]*\d[\s\d.,:/+\-%€$£¥]*")
_NOTHING = frozenset(("", "-", "--", "?", "n/a", "na", "nan", "nil", "none", "null", "unknown"))
_MANY = 50  # rows: where no value stands alone in a column of classes, a lone one above them is a name
_RARE = 0.02  # share of a column's values that stand alone, at most, for the first one to be told by that

Row = Sequence[str]


class UnclearError(Exception):
    """A row that may name the columns and may be data; the argument is its place."""


def header_place(rows: Sequence[Row], width: int) -> int | None:
    """Which of a table's first rows names its columns; None for none of them.

    Args:
        rows: the first ones, in order, of any width.
        width: the usual number of cells.

    Raises:
        UnclearError: it cannot be told of a row.
    """
    places = first_places(rows)
    if (usual := _below_titles(rows, places, width)) is not None:
        return usual
    comment = None
    for place in places:
        row = rows[place]
        if any(map(is_known, row)):
            row = padded(row, rows[place + 1 :], width)
        names = len(row) == width and has_header(row, rows[place + 1 :])
        if is_comment(row):  # #id,title may be the header; two of them are comments
            comment = place if names else comment
        elif names is None:
            raise UnclearError(place)
        elif names:
            return place
        if not is_title(rows[place], width):
            break
    return comment


def first_places(rows: Sequence[Row]) -> list[int]:
    """Places of the rows among which the header is: the first ones, where comments above it do not count."""
    found: list[int] = []
    titles = 0
    for place, row in enumerate(rows):
        if titles == TITLES:
            break
        found.append(place)
        titles += not is_comment(row)
    return found


def _below_titles(rows: Sequence[Row], places: Sequence[int], width: int) -> int | None:
    """The first row of two usual names or more, where what stands above it is no data: titles may be as wide."""
    for place in places:
        cells = [cell.strip() for cell in rows[place]]
        if len(cells) != width or sum(map(is_known, cells)) < 2 or is_comment(cells):
            continue
        below = [{row[number].strip() for row in rows[place + 1 :] if len(row) == width} for number in range(width)]
        above = [rows[over] for over in places if over <= place and len(rows[over]) == width]
        again = (cell.strip() in below[number] for row in above for number, cell in enumerate(row) if cell.strip())
        return None if any(again) else place
    return None


def padded(row: Row, others: Sequence[Row], width: int) -> Row:
    """A header that lacks one cell, with it: rows are numbered without a name, or all end in a delimiter."""
    below = [other for other in others if len(other) == width]
    if len(row) != width - 1 or not below:
        return row
    return [*row, ""] if not any(other[-1].strip() for other in below) else ["", *row]


def is_comment(row: Row) -> bool:
    """Whether a row begins as comments do."""
    return bool(row) and row[0].lstrip().startswith(_COMMENTS)


def is_title(row: Row, width: int) -> bool:
    """Whether a row may stand above a header: a title, a comment, not as wide as the table or all but empty."""
    return len(row) != width or sum(bool(cell.strip()) for cell in row) <= 1 or is_comment(row)


def has_header(first: Row, others: Sequence[Row]) -> bool | None:
    """Whether a row names the columns of those below it; None if unclear.

    A name is a usual one, or no number above numbers, or no class above classes that come again and again. A cell
    that comes again below it is no name; empty cells say nothing, nor do numbers among usual names.
    """
    cells = [cell.strip() for cell in first]
    below = [row for row in others if len(row) == len(cells) and [cell.strip() for cell in row] != cells]
    named = sum(map(is_known, cells))
    if not below:
        return named > 0
    told = Counter(
        _told(cell, [value for row in below if (value := row[place].strip())]) for place, cell in enumerate(cells)
    )
    if named > told["again"]:
        return True
    if told["again"]:
        return False
    if told["number"] and told["class"] and not told["word"] and len(below) >= _MANY:
        return None  # a number above numbers is data, mostly, and a lone class among many rows a name
    if told["constant"] and not (told["word"] or told["class"] or told["number"]):
        return None  # a file of one class under a name, or one that begins with the last of another class
    return told["word"] > 0 or (told["class"] > 0 and not told["number"])


def _told(cell: str, values: Sequence[str]) -> str:
    """What a cell is to the values below it: one of them again, a number or word above numbers, ...; "": nothing."""
    if cell.casefold() in _NOTHING or not values:
        return ""
    numeric = sum(_NUMBER.fullmatch(value) is not None for value in values[:1000]) >= 0.9 * len(values[:1000])
    if _NUMBER.fullmatch(cell):
        return "number" if numeric else ""
    if cell in values:
        return "again"
    if numeric:
        return "word"
    if len(values) >= _MANY and len(set(values)) == 1:
        return "constant"
    return "class" if _stands_out(values) else ""


def _stands_out(values: Sequence[str]) -> bool:
    """Whether a value that is none of these can hardly be one of them: they are few, and come again and again."""
    counts = Counter(values)
    alone = sum(count == 1 for count in counts.values())
    return 1 < len(counts) <= 0.2 * len(values) and alone <= _RARE * len(values)
