"""How to read a file that a user hands in: compression, format, encoding, content, and which columns matter."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.detect import content_types, detect_csv
from pipeline.data.detect.detect_rows import FIRST_ROWS, ROWS, Wishes, by_content
from pipeline.data.prepare import rows
from pipeline.data.reading import columnar, document, json_lines, lines, source
from pipeline.data.reading import text_encoding as encodings
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

PIECES = 24  # of a file, at most, that rows are taken from: long rows are few enough
_JSON = re.compile(r"\s*(?:\[\s*[{\]]|\{\s*[\"}])")


def detect(path: Path, limits: Limits | None = None, **said: Any) -> FileSpec:
    r"""How to read `path`: what the user said, and the rest from its content.

    Args:
        path: the file.
        limits: of its size.
        said: fields of Wishes. text, label: names of columns or keys. columns: names of all columns, for a CSV
            file without a header; otherwise c1, c2, ... header: whether the first row names the columns.
            delimiter: one character, or "\t" as typed in a shell. encoding: a name that Python knows.
            format, content, template, blocks: as in increment.yaml. What does not concern a file's format is
            taken no notice of: files of several kinds may come together.

    Raises:
        GraftError: the file cannot be opened, is empty or binary, lacks a column that the user named, or
            something cannot be told safely; the message says which option tells it.
    """
    limits, wishes = limits or Limits(), Wishes(**said)
    compression = source.compression_of(path)
    form = wishes.format or _columnar(path, compression, limits)
    if form in ("parquet", "arrow"):
        return _objects(path, FileSpec(format=form, compression=compression), wishes, limits)
    encoding = encodings.detect(path, wishes.encoding, compression)
    draft = FileSpec(format=form or "jsonl", encoding=encoding, compression=compression)
    draft = replace(draft, format=form or _textual(path, draft, wishes, limits))
    if draft.format == "csv":
        return detect_csv.table(path, draft, wishes, limits)
    if draft.format == "txt":
        return replace(draft, content="text", blocks=wishes.blocks)
    return _objects(path, draft, wishes, limits)


def task(path: Path, spec: FileSpec, limits: Limits | None = None) -> str:
    """What a file most likely teaches."""
    if spec.content in ("preference", "kto", "text"):
        return spec.content
    if spec.content == "table":
        return "classification"
    few = spec.content == "alpaca" and content_types.few_answers(
        sample(path, spec, limits or Limits(), ROWS), spec.keys
    )
    return "classification" if few else "sft"


def sample(path: Path, spec: FileSpec, limits: Limits, count: int) -> list[Mapping[str, Any]]:
    """Values of a file's first rows, without those that have a problem."""
    chunks = itertools.islice(rows.READERS[spec.format](path, spec, limits), PIECES)
    read = (values for chunk in chunks for values in chunk.values)
    return [values for values in itertools.islice(read, count) if values is not None]


def _columnar(path: Path, compression: str | None, limits: Limits) -> str | None:
    """Parquet or Arrow, by the file's first bytes."""
    with source.opened(path, compression, Limits(max_bytes=max(limits.max_bytes, 1 << 40))) as file:
        head = file.read(8)
    if head.startswith(b"PAR1"):
        return "parquet"
    return "arrow" if head.startswith(b"ARROW1") or columnar.is_arrow_stream(head) else None


def _textual(path: Path, draft: FileSpec, wishes: Wishes, limits: Limits) -> str:
    """jsonl, json, txt or csv."""
    if _begins(path, draft, limits).startswith("[") and _holds_objects(path, draft, limits):
        return "json"  # found first: all of it may be one line
    chunks = _until(json_lines.chunks(path, draft, limits), FIRST_ROWS)
    first = [row for chunk in chunks for row in zip(chunk.raws, chunk.problems, strict=True)][:FIRST_ROWS]
    if not first:
        raise GraftError(f"{path}: the file is empty")
    if sum(problem is None for _, problem in first) > 0.5 * len(first):
        return "jsonl"
    start = "\n".join(raw for raw, _ in first[:2])
    if _JSON.match(start) and _holds_objects(path, draft, limits):
        return "json"
    lists = sum(raw.lstrip().startswith("[") and raw.rstrip().endswith("]") for raw, _ in first)
    if _JSON.match(start) or lists > 0.5 * len(first):
        raise GraftError(f"{path}: JSON, but no objects", help="one object a line, or an array of objects")
    suffix = path.name.casefold().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    if wishes.blocks or wishes.content == "text":
        return "txt"
    return "txt" if suffix == "txt" and not _is_table(path, draft, wishes, limits) else "csv"


def _begins(path: Path, draft: FileSpec, limits: Limits) -> str:
    """The first characters of a document that may be JSON, else nothing."""
    with lines.text(path, draft.encoding, draft.compression, limits) as file:
        head = next(lines.blocks(file), "")
    return head[: 1 << 12].lstrip() if _JSON.match(head) else ""


def _holds_objects(path: Path, draft: FileSpec, limits: Limits) -> bool:
    """Whether most of a document's first elements are objects."""
    chunks = _until(itertools.islice(document.chunks(path, draft, limits), PIECES), FIRST_ROWS)
    values = [value for chunk in chunks for value in chunk.values]
    return sum(value is not None for value in values) > 0.5 * len(values)


def _until(chunks: Iterator[Any], count: int) -> Iterator[Any]:
    """Chunks up to some number of rows."""
    for chunk in chunks:
        yield chunk
        count -= len(chunk.lines)
        if count <= 0:
            return


def _is_table(path: Path, draft: FileSpec, wishes: Wishes, limits: Limits) -> bool:
    try:
        detect_csv.table(path, replace(draft, format="csv"), wishes, limits, surely=0.9)
    except GraftError:
        return False
    return True


def _objects(path: Path, draft: FileSpec, wishes: Wishes, limits: Limits) -> FileSpec:
    """JSON, Parquet and Arrow: rows with keys."""
    found = sample(path, draft, limits, ROWS)
    if not found:
        raise GraftError(f"{path}: no row that can be read", help="an array of objects, or one object a line, say")
    return by_content(path, replace(draft, content="table"), found, wishes)
