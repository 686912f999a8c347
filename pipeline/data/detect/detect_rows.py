"""What a table's rows hold, and which of its columns matter: what the user said, and the rest from their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.contents.row_content import label_text
from pipeline.data.detect import content_types
from pipeline.data.detect.columns import Column, label_column, may_be_labels, text_column
from pipeline.data.reading.filespec import slots

ROWS = 50_000  # rows that columns are judged by
_SHOWN = 40  # columns of a table, in a message
FIRST_ROWS = 1_000  # rows that the format and the content are judged by


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the user said; None is detected."""

    text: str | None = None
    label: str | None = None
    columns: Sequence[str] | None = None
    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    format: str | None = None
    content: str | None = None
    template: str | None = None
    blocks: str | None = None
    rows: str | None = None
    key: str | None = None
    date: str | None = None

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that the user named."""
        named = (self.text, self.label, self.key, self.date)
        return (*slots(self.template or ""), *(name for name in named if name is not None))


Ask = Callable[[str, str, Sequence[Column]], str]  # files, what is asked for, columns -> the name of one


def roles(where: str, found: Sequence[Mapping[str, Any]], wishes: Wishes, ask: Ask | None = None) -> dict[str, Any]:
    """What rows with keys hold, and which of them matter: fields of FileSpec.

    Args:
        where: the file or the files, for a message.
        found: their rows.
        wishes: what the user said.
        ask: asks the user which column is meant.

    Raises:
        GraftError: as `chosen`.
    """
    content, keys = content_types.content(found[:FIRST_ROWS])
    if wishes.text or wishes.label or wishes.template:
        content, keys = "table", {}
    content = wishes.content or content
    if content not in ("table", "text"):
        return {"content": content, "keys": keys}
    text_only = content_types.text_key(found[:FIRST_ROWS])
    columns = _columns(found)
    if content == "text":
        return {"content": "text", "text": wishes.text or text_only or text_column(columns, None)}
    unsaid = wishes.label is None and wishes.template is None and wishes.content is None
    text_of = wishes.text or text_only
    if unsaid and text_only and label_column(columns, text_of) is None and not may_be_labels(columns, text_of):
        return {"content": "text", "text": wishes.text or text_only}
    text, label = chosen(where, columns, wishes, ask)
    return {"content": "table", "text": text, "label": label, "template": wishes.template}


def chosen(where: str, columns: Sequence[Column], wishes: Wishes, ask: Ask | None = None) -> tuple[str | None, str]:
    """The text's and the label's column; no text's where a template is asked for.

    Raises:
        GraftError: a column that the user named is not there, or one cannot be told.
    """
    names = [column.name for column in columns]
    asked = [*slots(wishes.template or ""), wishes.text, wishes.label]
    unknown = [wish for wish in asked if wish is not None and wish not in names]
    if unknown:
        missing = " and ".join(repr(name) for name in unknown)
        raise GraftError(f"{where}: no column {missing}", [f"columns: {', '.join(names)}"], help="name one of these")
    label = wishes.label or label_column(columns, wishes.text)
    text = None if wishes.template else wishes.text or text_column(columns, label)
    unclear = [name for name, found in (("text", text or wishes.template), ("label", label)) if found is None]
    if unclear and ask is None:
        raise _unclear(where, columns, unclear)
    if ask is not None:
        text = ask(where, "text", columns) if "text" in unclear else text
        label = label or ask(where, "label", columns)
    if label is None or text == label:
        raise GraftError(f"{where}: {text!r} cannot be both text and label")
    return text, label


def _columns(found: Sequence[Mapping[str, Any]]) -> list[Column]:
    values: dict[str, list[str]] = {}
    for row in found:
        for key, value in row.items():
            there = values.setdefault(key, [])
            said = label_text(value)
            if said and said.strip():
                there.append(said)
    return [Column(key, sample) for key, sample in values.items()]


def _unclear(where: str, columns: Sequence[Column], unclear: Sequence[str]) -> GraftError:
    alike = len(columns) > 0 and all(len(set(column.values)) <= 1 for column in columns)
    return GraftError(
        f"{where}: cannot tell which column holds the {' and the '.join(unclear)}"
        + (": all rows say the same" if alike else ""),
        [*map(shown, columns[:_SHOWN]), *([f"and {len(columns) - _SHOWN:,} more"] if len(columns) > _SHOWN else [])],
        help="name "
        + " and ".join(f"--{name} COLUMN" for name in unclear)
        + ("; --set content=text for texts alone" if unclear == ["label"] else ""),
    )


def shown(column: Column) -> str:
    """A column and one of its values."""
    return f"{column.name}: {' '.join(column.values[0].split())[:60] if column.values else ''}"
