"""What the columns of a table hold: which is the text, which the label."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.data.detect.column_names import LABEL_NAMES, TEXT_NAMES, last_part

_NUMERIC = re.compile(r"[\s\d.,:/+\-%€$£¥]*\d[\s\d.,:/+\-%€$£¥]*(?:\s?[^\W\d_]+\.?)?")  # 12, 1.99 €, 432 sold, 5kg
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_CODE = re.compile(r"-?\d{1,3}")
_TRUTHS = frozenset(("true", "false"))
_MOST_CODES = 200


@dataclass(frozen=True, slots=True)
class Column:
    """A column and a sample of its values."""

    name: str
    values: Sequence[str]  # none empty

    @property
    def distinct(self) -> float:
        """Share of the values that differ from each other; 0 for none."""
        return len(set(self.values)) / len(self.values) if self.values else 0.0

    @property
    def length(self) -> float:
        """Mean length in characters; 0 for none."""
        return sum(map(len, self.values)) / len(self.values) if self.values else 0.0

    @property
    def words(self) -> bool:
        """Whether most values are words, neither numbers nor quantities nor links."""
        sample = self.values[:1000]
        return sum(bool(_NUMERIC.fullmatch(value) or _LINK.fullmatch(value)) for value in sample) < 0.5 * len(sample)

    @property
    def codes(self) -> bool:
        """Whether the values are classes by number, 0 or 1 up to the last one, or by true and false."""
        counts = Counter(self.values)
        if {value.casefold() for value in counts} == _TRUTHS:
            return True
        if not all(map(_CODE.fullmatch, counts)) or not 2 <= len(counts) <= _MOST_CODES:
            return False
        numbers = {int(value) for value in counts}
        whole = len(numbers) >= 0.8 * (max(numbers) - min(numbers) + 1)
        return whole and min(numbers) in (-1, 0, 1) and len(counts) <= 0.5 * len(self.values)


def text_column(columns: Sequence[Column], label: str | None) -> str | None:
    """The text's column: by its name, else the longest of those with mostly distinct words; None if unclear."""
    columns = [column for column in columns if column.name != label]
    named = _named(columns, TEXT_NAMES)
    if named is not None:
        return named
    usable = [column for column in columns if column.words and column.distinct >= 0.5]
    return max(usable, key=lambda column: column.length).name if usable else None


def label_column(columns: Sequence[Column], text: str | None) -> str | None:
    """The label's column; None if unclear.

    By its name; else the only one with few repeated words; else the only one with numbers of classes.
    """
    columns = [column for column in columns if column.name != text]
    named = _named(columns, LABEL_NAMES)
    if named is not None:
        return named
    worded = [column for column in columns if column.words and _repeats(column)]
    usable = worded or [column for column in columns if column.codes]
    return usable[0].name if len(usable) == 1 else None


def may_be_labels(columns: Sequence[Column], text: str | None) -> bool:
    """Whether a column beside the texts says few things again and again, and so may be what they are sorted by."""
    return any(
        column.name != text and (column.words or column.codes or _whole(column)) and _repeats(column)
        for column in columns
    )


def _whole(column: Column) -> bool:
    return bool(column.values) and all(value.removeprefix("-").isdecimal() for value in column.values)


def _named(columns: Sequence[Column], names: Sequence[str]) -> str | None:
    """The column with the plainest of some names; else the only one whose name ends in one of them."""
    there = {column.name.casefold(): column.name for column in reversed(columns)}
    found = next((there[name] for name in names if name in there), None)
    ending = [column.name for column in columns if last_part(column.name) in names and column.values]
    return found or (ending[0] if len(ending) == 1 else None)


def _repeats(column: Column) -> bool:
    """At least two values, each met five times or more on average."""
    return column.distinct <= 0.2 and len(set(column.values)) > 1
