"""How one file of an increment is read: its entry in increment.yaml."""

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

TEXTUAL = ("csv", "jsonl", "json", "txt", "fasttext")  # formats that have an encoding
CONTENTS = {  # task -> what its files may hold
    "classification": ("table", "alpaca", "sharegpt", "messages"),
    "sft": ("table", "alpaca", "sharegpt", "messages"),
    "preference": ("preference",),
    "kto": ("kto",),
    "text": ("text",),
}
_SLOT = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSpec:
    """How one file is read."""

    format: str  # csv | jsonl | json | txt | fasttext | parquet | arrow
    compression: str | None = None  # gzip | zstd
    encoding: str = "utf-8"  # a name that Python knows; parquet and arrow have none
    content: str = "table"  # table | alpaca | sharegpt | messages | preference | kto | text
    delimiter: str | None = None  # csv: one character
    quote: str | None = None  # csv: one character, or empty for none; None: "
    skip: int | None = None  # csv: lines above the first row, such as titles; None: none
    header: bool | None = None  # csv: whether the first row names the columns
    columns: tuple[str, ...] = ()  # csv: every column's name, in order
    rows: str | None = None  # json: key of the document's array of rows; None: the document is the array
    blocks: str | None = None  # txt: lines | paragraphs; None: lines
    text: str | None = None  # table, text: column or key of the text
    label: str | None = None  # table: column or key of the label
    key: str | None = None  # in place of the increment's
    date: str | None = None  # in place of the increment's
    template: str | None = None  # table: "{title} by {brand}", in place of text
    keys: Mapping[str, str] = field(default_factory=dict)  # other contents: our name -> column or key
    roles: Mapping[str, str] = field(default_factory=dict)  # the file's name of a role -> ours


def slots(template: str) -> tuple[str, ...]:
    """Names of the columns that a template takes."""
    return tuple(_SLOT.findall(template))


def parse(value: Mapping[str, Any]) -> FileSpec:
    """The entry of a file, as the schema lets it be."""
    plain: dict[str, Any] = {key: str(item) if isinstance(item, str) else item for key, item in value.items()}
    plain["columns"] = tuple(str(column) for column in value.get("columns", ()))
    for name in ("keys", "roles"):
        plain[name] = {str(key): str(item) for key, item in value.get(name, {}).items()}
    return FileSpec(**plain)


def document(spec: FileSpec) -> CommentedMap:
    """The entry of a file, to be written: only what differs from what is meant without it."""
    default = {one.name: one.default for one in fields(FileSpec)}
    entry = CommentedMap()
    for one in fields(FileSpec):
        value = getattr(spec, one.name)
        needed = one.name == "encoding" and spec.format in TEXTUAL
        if needed or (value not in ((), {}) and value != default[one.name]):
            entry[one.name] = value
    if spec.columns:
        entry["columns"] = CommentedSeq(spec.columns)
    for name in ("keys", "roles"):
        if name in entry:
            entry[name] = CommentedMap(entry[name])
    for name in ("columns", "keys", "roles"):
        if name in entry:
            entry[name].fa.set_flow_style()
    return entry


def faults(spec: FileSpec, task: str) -> Iterable[tuple[str, str]]:
    """Keys of an entry and what is wrong with them."""
    named = [("text", spec.text), ("label", spec.label), *(("keys", key) for key in spec.keys.values())]
    named += [("template", slot) for slot in slots(spec.template or "")]
    for key, column in named:
        if spec.columns and column is not None and column not in spec.columns:
            yield key, f"{column!r} is not among the columns: {', '.join(spec.columns)}"
    if spec.text is not None and spec.text == spec.label:
        yield "label", f"{spec.label!r} is the text's column, too"
    if spec.template is not None and not slots(spec.template):
        yield "template", "it names no column, such as {title}"
    if spec.delimiter in ('"', "\r", "\n"):
        yield "delimiter", f"{spec.delimiter!r} cannot separate fields"
    if spec.quote and (spec.quote == spec.delimiter or spec.quote in " \r\n"):
        yield "quote", f"{spec.quote!r} cannot quote fields"
    if not known_encoding(spec.encoding):
        yield "encoding", f"{spec.encoding!r} is no encoding that Python knows"
    if spec.content not in CONTENTS[task]:
        yield "content", f"{spec.content}, but the task {task} takes {', '.join(CONTENTS[task])}"


def known_encoding(name: str) -> bool:
    """Whether Python can decode text of this encoding."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
    except (LookupError, ValueError):
        return False
    return True
