"""How the files of an increment are read, and what came of it, in words: a wrong guess is seen at once."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pipeline.common.words import counted
from pipeline.data.reading.filespec import TEXTUAL, FileSpec
from pipeline.data.reading.increment import Increment

_MARKS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_NAMED = 3  # files, at most, that are named


def lines(increment: Increment, prepared: Mapping[str, Any]) -> Iterator[str]:
    """Two lines for each group of files that are read alike.

    Args:
        increment: how its files are read.
        prepared: data/prepared/report.json of it.
    """
    for group in prepared["groups"]:
        spec = increment.files[group["files"][0]]
        yield f"{_names(group['files'])}: {', '.join(_how(spec, increment))}"
        yield f"  {_came_of(group)}"


def _names(files: Sequence[str]) -> str:
    names = [PurePosixPath(file).name for file in files]
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{names[0]} ... {names[-1]} ({len(names):,} files)"


def _how(spec: FileSpec, increment: Increment) -> Iterator[str]:
    yield spec.format + (f" ({spec.compression})" if spec.compression else "")
    if spec.format in TEXTUAL:
        yield spec.encoding
    if spec.delimiter:
        yield f"delimiter {_MARKS.get(spec.delimiter, repr(spec.delimiter))}"
    if spec.header is not None:
        above = f" below {counted(spec.skip, 'line')}" if spec.skip else ""
        yield ("header" if spec.header else "no header") + above
    if spec.rows:
        yield f"rows under {spec.rows!r}"
    if spec.content != "table":
        yield spec.content
    columns = {"text": spec.text, "template": spec.template, "label": spec.label, **spec.keys}
    columns |= {name: getattr(spec, name) or getattr(increment, name) for name in ("key", "date")}
    yield from (f"{name} {column!r}" for name, column in columns.items() if column)


def _came_of(group: Mapping[str, Any]) -> str:
    kept = f"{counted(group['read'], 'row')}, {counted(group['records'], 'record')}"
    if not group["labels"]:
        return kept
    more = ", ..." if group["labels"] > len(group["commonest"]) else ""
    shown = ", ".join(f"{label} {count:,}" for label, count in group["commonest"].items())
    return f"{kept}, {counted(group['labels'], 'label')}: {shown}{more}"
