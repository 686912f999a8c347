"""What a table's rows hold, and which of its columns matter: what the user said, and the rest from their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from pipeline.common.errors import GraftError
from pipeline.data.detect import content_types
from pipeline.data.detect.columns import Column, label_column, text_column
from pipeline.data.reading.filespec import FileSpec, slots

ROWS = 50_000  # rows that columns are judged by
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


def by_content(path: Path, draft: FileSpec, found: Sequence[Mapping[str, Any]], wishes: Wishes) -> FileSpec:
    """The entry of a file whose rows have keys.

    Raises:
        GraftError: as `chosen`.
    """
    content, keys = content_types.content(found[:FIRST_ROWS])
    if wishes.text or wishes.label or wishes.template:
        content, keys = "table", {}
    content = wishes.content or content
    if content not in ("table", "text"):
        return replace(draft, content=content, keys=keys)
    text_only = content_types.text_key(found[:FIRST_ROWS])
    columns = _columns(found)
    if content == "text":
        return replace(draft, content="text", text=wishes.text or text_only or text_column(columns, None))
    unsaid = wishes.label is None and wishes.template is None and wishes.content is None
    if unsaid and text_only and label_column(columns, wishes.text or text_only) is None:
        return replace(draft, content="text", text=wishes.text or text_only)
    text, label = chosen(path, columns, wishes)
    return replace(draft, text=text, label=label, template=wishes.template)


def chosen(path: Path, columns: Sequence[Column], wishes: Wishes) -> tuple[str | None, str]:
    """The text's and the label's column; no text's where a template is asked for.

    Raises:
        GraftError: a column that the user named is not there, or one cannot be told.
    """
    names = [column.name for column in columns]
    asked = [*slots(wishes.template or ""), wishes.text, wishes.label]
    unknown = [wish for wish in asked if wish is not None and wish not in names]
    if unknown:
        missing = " and ".join(repr(name) for name in unknown)
        raise GraftError(f"{path}: no column {missing}", [f"columns: {', '.join(names)}"], help="name one of these")
    label = wishes.label or label_column(columns, wishes.text)
    text = None if wishes.template else wishes.text or text_column(columns, label)
    missing_ones = [name for name, found in (("text", text or wishes.template), ("label", label)) if found is None]
    if label is None or missing_ones:
        _unclear(path, columns, missing_ones)
    if text == label:
        raise GraftError(f"{path}: {text!r} cannot be both text and label")
    return text, label


def _columns(found: Sequence[Mapping[str, Any]]) -> list[Column]:
    values: dict[str, list[str]] = {}
    for row in found:
        for key, value in row.items():
            there = values.setdefault(key, [])
            if isinstance(value, str) and value.strip():
                there.append(value)
    return [Column(key, sample) for key, sample in values.items()]


def _unclear(path: Path, columns: Sequence[Column], unclear: Sequence[str]) -> NoReturn:
    raise GraftError(
        f"{path}: cannot tell which column holds the {' and the '.join(unclear)}",
        [f"{column.name}: {' '.join(column.values[0].split())[:60] if column.values else ''}" for column in columns],
        help="name " + " and ".join(f"--{name} COLUMN" for name in unclear),
    )
