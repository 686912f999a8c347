"""How one file is read, apart from what its columns mean: compression, format, encoding, delimiter, header."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.detect import detect_csv, detect_rows, json_wrapper, known_files
from pipeline.data.detect.detect_rows import FIRST_ROWS, Wishes
from pipeline.data.prepare import rows
from pipeline.data.reading import columnar, document, fasttext, json_lines, lines, source
from pipeline.data.reading import text_encoding as encodings
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

PIECES = 24  # of a file, at most, that rows are taken from: long rows are few enough
_JSON = re.compile(r"\s*(?:\[\s*[{\]]|\{\s*[\"}])")
_ARRAY = re.compile(r"\s*\[\s*[\[\"\d\]]")
_BRACES = re.compile(r"\s*\{\s*['\"]")
_LABEL_CELL = re.compile(r"(?:^|\t)\s*\"?__label__[^\s\"]+\"?\s*(?:\t|$)")
_SURELY = 0.9  # share of a .txt file's rows that a delimiter splits alike, for a table
_MOSTLY = 0.5  # the same for tabs


@dataclass(frozen=True, slots=True)
class FileShape:
    """How a file is read, and its first rows."""

    spec: FileSpec
    rows: Sequence[Mapping[str, Any]]


def shape(path: Path, limits: Limits, wishes: Wishes, count: int) -> FileShape:
    """How a file is read: what the user said, and the rest from its content.

    Args:
        path: the file.
        limits: of its size.
        wishes: what the user said; what does not concern a file's format is taken no notice of.
        count: of rows that are wanted.

    Raises:
        GraftError: the file cannot be opened, is empty, too large or binary, or something cannot be told safely;
            the message says which option tells it.
    """
    known_files.refuse(path)
    source.check_size(path, limits)
    compression = source.compression_of(path)
    form = wishes.format or _columnar(path, compression, limits)
    if form in ("parquet", "arrow"):
        return _objects(path, FileSpec(format=form, compression=compression), limits, count)
    encoding = encodings.detect(path, wishes.encoding, compression)
    draft = FileSpec(format=form or "jsonl", encoding=encoding, compression=compression)
    draft = draft if form else _textual(path, draft, wishes, limits)
    return read_as(path, draft, wishes, limits, count)


def read_as(path: Path, draft: FileSpec, wishes: Wishes, limits: Limits, count: int) -> FileShape:
    """A file's shape, once its format is known.

    Raises:
        GraftError: as `shape`.
    """
    if draft.format == "csv":
        return FileShape(*detect_csv.table(path, draft, wishes, limits, count))
    if draft.format == "txt":
        return FileShape(replace(draft, content="text", blocks=wishes.blocks), ())
    return _objects(path, draft, limits, count)


def sample(path: Path, spec: FileSpec, limits: Limits, count: int) -> list[Mapping[str, Any]]:
    """Values of a file's first rows, without those that have a problem."""
    chunks = itertools.islice(rows.READERS[spec.format](path, spec, limits), PIECES)
    read = (values for chunk in chunks for values in chunk.values)
    return [values for values in itertools.islice(read, count) if values is not None]


def _columnar(path: Path, compression: str | None, limits: Limits) -> str | None:
    """Parquet or Arrow, by the file's first bytes."""
    with source.opened(path, compression, limits) as file:
        head = file.read(8)
    if head.startswith(b"PAR1"):
        return "parquet"
    return "arrow" if head.startswith(b"ARROW1") or columnar.is_arrow_stream(head) else None


def _textual(path: Path, draft: FileSpec, wishes: Wishes, limits: Limits) -> FileSpec:
    """The draft with its format: jsonl, json, fasttext, txt or csv."""
    if _begins(path, draft, limits).startswith("[") and _holds_objects(path, draft, limits):
        return replace(draft, format="json")  # found first: all of it may be one line
    if key := wishes.rows or json_wrapper.key(path, _head(path, draft, limits)):
        return replace(draft, format="json", rows=key)
    chunks = _until(json_lines.chunks(path, draft, limits), FIRST_ROWS)
    first = [row for chunk in chunks for row in zip(chunk.raws, chunk.problems, strict=True)][:FIRST_ROWS]
    if not first:
        raise GraftError(f"{path}: the file is empty", help="leave it out")
    if sum(problem is None for _, problem in first) > 0.5 * len(first):
        return draft
    raws = [raw for raw, _ in first]
    if _JSON.match("\n".join(raws[:2])) and _holds_objects(path, draft, limits):
        return replace(draft, format="json")
    if _JSON.match("\n".join(raws[:2])) or _most(_ARRAY.match(raw) for raw in raws):
        raise GraftError(f"{path}: JSON, but no objects", help="one object a line, or an array of objects")
    if _most(_BRACES.match(raw) for raw in raws):
        raise GraftError(
            f"{path}: lines in braces that are no JSON: {raws[0][:60]}", help="one JSON object a line: json.dumps(row)"
        )
    if _most(map(fasttext.is_labelled, raws)) and not (wishes.asked or wishes.columns or _is_table_of_labels(raws)):
        return replace(draft, format="fasttext")
    return replace(draft, format="txt" if _is_prose(path, draft, wishes, limits) else "csv")


def _most(told: Iterable[object], share: float = 0.5) -> bool:
    """Whether more than a share of some are true."""
    found = [bool(one) for one in told]
    return sum(found) > share * len(found)


def _is_table_of_labels(raws: Sequence[str]) -> bool:
    """Whether fastText's notation stands alone in a cell of nearly every row: a table is spelled so, too."""
    return any(_most((_LABEL_CELL.search(raw.replace(mark, "\t")) for raw in raws), _SURELY) for mark in ",;|")


def _is_prose(path: Path, draft: FileSpec, wishes: Wishes, limits: Limits) -> bool:
    """Whether a file holds texts: one that says so, or a .txt whose lines no delimiter splits alike."""
    if wishes.blocks or wishes.content == "text":
        return True
    suffix = path.name.casefold().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    if suffix != "txt" or wishes.delimiter or wishes.columns:
        return False
    splits = detect_csv.splits(path, draft, limits)
    if splits.get("\t", (0.0, 0))[0] > _MOSTLY:  # no prose has tabs; rows that lack theirs are rejects
        return False
    alike = {mark for mark, (share, _) in splits.items() if share >= _SURELY}
    return not (alike and _has_roles(path, draft, wishes, limits))


def _has_roles(path: Path, draft: FileSpec, wishes: Wishes, limits: Limits) -> bool:
    """Whether it can be told which of a table's columns matter: commas split prose, too."""
    try:
        _, found = detect_csv.table(path, draft, wishes, limits, FIRST_ROWS)
        return bool(detect_rows.roles(str(path), found, wishes)["content"] != "text")
    except GraftError:
        return False


def _begins(path: Path, draft: FileSpec, limits: Limits) -> str:
    """The first characters of a document that may be JSON, else nothing."""
    head = _head(path, draft, limits)
    return head[: 1 << 12].lstrip() if _JSON.match(head) else ""


def _head(path: Path, draft: FileSpec, limits: Limits) -> str:
    with lines.text(path, draft.encoding, draft.compression, limits) as file:
        return next(lines.blocks(file), "")


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


def _objects(path: Path, draft: FileSpec, limits: Limits, count: int) -> FileShape:
    """JSON, fastText, Parquet and Arrow: rows with keys."""
    found = sample(path, draft, limits, count)
    if not found:
        raise GraftError(f"{path}: no row that can be read", help="an array of objects, or one object a line, say")
    return FileShape(replace(draft, content="table"), found)
