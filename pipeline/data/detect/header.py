"""Whether a table names its columns, and in which of its first rows: titles and comments may stand above."""

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.data.detect.column_names import is_known

TITLES = 20  # rows, at most, that are looked at for a header
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
    comment = None
    for place in range(min(TITLES, len(rows))):
        row = rows[place]
        names = len(row) == width and has_header(row, rows[place + 1 :])
        if row and row[0].lstrip().startswith("#"):  # #id,title may be the header; two of them are comments
            comment = place if names else comment
        elif names is None:
            raise UnclearError(place)
        elif names:
            return place
        if not is_title(row, width):
            break
    return comment


def is_title(row: Row, width: int) -> bool:
    """Whether a row may stand above a header: a title, a comment, not as wide as the table or all but empty."""
    return len(row) != width or sum(bool(cell.strip()) for cell in row) <= 1 or row[0].lstrip().startswith("#")


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
    repeated = words = numbers = classes = 0
    for place, cell in enumerate(cells):
        values = [value for row in below if (value := row[place].strip())]
        if cell.casefold() in _NOTHING or not values:
            continue
        numeric = sum(_NUMBER.fullmatch(value) is not None for value in values[:1000]) >= 0.9 * len(values[:1000])
        if _NUMBER.fullmatch(cell):
            numbers += numeric
        elif cell in values:
            repeated += 1
        elif numeric:
            words += 1
        else:
            classes += _stands_out(values)
    if named > repeated:
        return True
    if repeated:
        return False
    if numbers and classes and not words and len(below) >= _MANY:
        return None  # a number above numbers is data, mostly, and a lone class among many rows a name
    return words > 0 or (classes > 0 and not numbers)


def _stands_out(values: Sequence[str]) -> bool:
    """Whether a value that is none of these can hardly be one of them: they are few, and come again and again."""
    counts = Counter(values)
    alone = sum(count == 1 for count in counts.values())
    return 1 < len(counts) <= 0.2 * len(values) and alone <= _RARE * len(values)
