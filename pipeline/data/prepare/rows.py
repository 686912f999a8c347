"""Files of an increment as batches of rows: every row that is not blank is there once, usable or with its problem.

A row that cannot be read never stops the file. What cannot be read as a whole does: a file over the limit, a
damaged archive, another header. Memory stays bounded, whatever the size of the file, of a row, or of what is packed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from pipeline.data.contents import layouts, row_batches, table
from pipeline.data.contents.images import Images
from pipeline.data.contents.layouts import RowLayout
from pipeline.data.contents.row_content import RowContent, UnusableError
from pipeline.data.reading import columnar, delimited, document, fasttext, json_lines, plain_text
from pipeline.data.reading.chunk import Chunk
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.increment import Increment
from pipeline.data.reading.limits import Limits
from pipeline.data.records import arrow

__all__ = ["READERS", "Limits", "batches"]

READERS = {
    "csv": delimited.chunks,
    "jsonl": json_lines.chunks,
    "json": document.chunks,
    "txt": plain_text.chunks,
    "fasttext": fasttext.chunks,
    "parquet": columnar.chunks,
    "arrow": columnar.chunks,
}


def batches(path: Path, file: str, spec: FileSpec, increment: Increment, limits: Limits) -> Iterator[pa.RecordBatch]:
    """Every row of a file that is not blank, in the file's order, as batches of arrow.ROWS.

    Args:
        path: where the file lies.
        file: its name in the increment, raw/NAME.
        spec: how it is read.
        increment: task, key and date.
        limits: of the file and of one row.

    Raises:
        GraftError: the file cannot be opened, is not in its encoding, is damaged or larger than allowed, or has
            another header than declared.
    """
    raw = path.parents[min(len(PurePosixPath(file).parts), len(path.parents) + 1) - 2]
    layout = RowLayout(spec, Images(raw, path.parent), single=increment.task == "classification")
    for chunk in READERS[spec.format](path, spec, limits):
        for start in range(0, len(chunk.lines), arrow.BATCH):
            yield _batch(chunk.part(start, start + arrow.BATCH), file, layout, increment)


def _batch(chunk: Chunk, file: str, layout: RowLayout, increment: Increment) -> pa.RecordBatch:
    kind = increment.task if layout.spec.content not in ("preference", "kto", "text") else layout.spec.content
    if layout.spec.content == "table":
        texts, labels, unusable = table.pairs(chunk.values, layout.spec)
        content = row_batches.pairs(texts, labels)
    else:
        found, unusable = _examples(chunk.values, layout)
        content = row_batches.examples(found)
    problems = [first or second for first, second in zip(chunk.problems, unusable, strict=True)]
    usable = [None if problem else values for values, problem in zip(chunk.values, problems, strict=True)]
    named = (("key", layout.spec.key or increment.key), ("date", layout.spec.date or increment.date))
    names = {name: [_named(values, column) for values in usable] for name, column in named if column is not None}
    return row_batches.batch(chunk, file, kind, content, problems, names)


def _examples(
    rows: Sequence[Mapping[str, Any] | None], layout: RowLayout
) -> tuple[list[RowContent | None], list[str | None]]:
    read = layouts.row_reader(layout.spec.content)
    found: list[RowContent | None] = []
    problems: list[str | None] = []
    for values in rows:
        example = problem = None
        if values is not None:
            try:
                example = read(values, layout)
            except UnusableError as reason:
                problem = str(reason)
        found.append(example)
        problems.append(problem)
    return found, problems


def _named(values: Mapping[str, Any] | None, column: str) -> str | None:
    """What a key's or a date's column says, as text; None for nothing."""
    value: Any = None if values is None else values.get(column)
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, date):
        return value.isoformat()
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer() and abs(value) < 2**53)
    return str(int(value)) if whole and not isinstance(value, bool) else None
