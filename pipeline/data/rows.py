"""Files of an increment as batches of rows: every row that is not blank is there once, usable or with its problem.

A row that cannot be read never stops the file. What cannot be read as a whole does: a file over the limit, a
damaged archive, another header. Memory stays bounded, whatever the size of the file, of a row, or of what is packed.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.data import arrow
from pipeline.data.contents import build, table
from pipeline.data.filespec import FileSpec
from pipeline.data.increment import Increment
from pipeline.data.reading import columnar, delimited, document, jsonl, txt
from pipeline.data.reading.chunk import Chunk
from pipeline.data.reading.source import Limits

__all__ = ["Limits", "batches"]

_READERS = {
    "csv": delimited.chunks,
    "jsonl": jsonl.chunks,
    "json": document.chunks,
    "txt": txt.chunks,
    "parquet": columnar.chunks,
    "arrow": columnar.chunks,
}
_KEY = "the key is neither text nor a whole number"


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
    for chunk in _READERS[spec.format](path, spec, limits):
        for start in range(0, len(chunk.lines), arrow.BATCH):
            yield _batch(chunk.part(start, start + arrow.BATCH), file, spec, increment)


def _batch(chunk: Chunk, file: str, spec: FileSpec, increment: Increment) -> pa.RecordBatch:
    texts, labels, unusable = table.pairs(chunk.values, spec)
    problems = [first or second for first, second in zip(chunk.problems, unusable, strict=True)]
    names: dict[str, Sequence[str | None]] = {}
    if increment.key is not None:
        names["key"] = [_name(values, increment.key) for values in chunk.values]
    if increment.date is not None:
        names["date"] = [_name(values, increment.date) for values in chunk.values]
    content = build.pairs(texts, labels)
    kind = "classification" if increment.task == "classification" else "sft"
    return build.batch(chunk, file, kind, content, problems, names)


def _name(values: Mapping[str, Any] | None, column: str) -> str | None:
    value = None if values is None else values.get(column)
    return value if isinstance(value, str) else None
