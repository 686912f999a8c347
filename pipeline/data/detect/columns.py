"""What the columns of a table hold: whether a first row names them, which is the text, which the label."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Names that people give to the two columns that matter, the plainest first.
TEXT_NAMES = (
    "text",
    "title",
    "name",
    "content",
    "product",
    "product_name",
    "标题",
    "商品标题",
    "名称",
    "商品名称",
    "文本",
    "内容",
)
LABEL_NAMES = ("label", "category", "class", "target", "标签", "类别", "分类", "类目", "品类")
OTHER_NAMES = ("id", "sku", "price", "brand", "vendor", "url", "date", "description", "编号", "价格", "品牌")
ASKED_NAMES = ("instruction", "prompt", "question", "output", "response", "completion", "answer", "chosen", "rejected")
_NAMES = frozenset((*TEXT_NAMES, *LABEL_NAMES, *OTHER_NAMES, *ASKED_NAMES))
_NUMERIC = re.compile(r"[\s\d.,:/+\-%€$£¥]*\d[\s\d.,:/+\-%€$£¥]*")
_LINK = re.compile(r"(?:https?://|www\.)\S+")


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
        """Whether most values are words, neither numbers nor links."""
        sample = self.values[:1000]
        return sum(bool(_NUMERIC.fullmatch(value) or _LINK.fullmatch(value)) for value in sample) < 0.5 * len(sample)


def has_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether a table's first row names its columns.

    A name is never a number, never empty, and never comes again below. Of the rows that pass, one is a
    header when it holds a usual name, stands above numbers, or above a column of few repeated values.
    """
    cells = [cell.strip() for cell in first]
    if len(set(cells)) < len(cells) or not all(cells) or any(map(_NUMERIC.fullmatch, cells)):
        return False
    if any(cell.casefold() in _NAMES for cell in cells):
        return True
    below = [[row[place].strip() for row in others] for place in range(len(cells))]
    if any(cell in values for cell, values in zip(cells, below, strict=True)):
        return False
    return any(not Column("", values).words or _repeats(Column("", values)) for values in below)


def text_column(columns: Sequence[Column], label: str | None) -> str | None:
    """The text's column: by its name, else the longest of those with mostly distinct words; None if unclear."""
    columns = [column for column in columns if column.name != label]
    named = _named(columns, TEXT_NAMES)
    if named is not None:
        return named
    usable = [column for column in columns if column.words and column.distinct >= 0.5]
    return max(usable, key=lambda column: column.length).name if usable else None


def label_column(columns: Sequence[Column], text: str | None) -> str | None:
    """The label's column: by its name, else the only one with few repeated words; None if unclear."""
    columns = [column for column in columns if column.name != text]
    named = _named(columns, LABEL_NAMES)
    if named is not None:
        return named
    usable = [column for column in columns if column.words and _repeats(column)]
    return usable[0].name if len(usable) == 1 else None


def _named(columns: Sequence[Column], names: Sequence[str]) -> str | None:
    there = {column.name.casefold(): column.name for column in reversed(columns)}
    return next((there[name] for name in names if name in there), None)


def _repeats(column: Column) -> bool:
    """At least two values, each met five times or more on average."""
    return column.distinct <= 0.2 and len(set(column.values)) > 1
