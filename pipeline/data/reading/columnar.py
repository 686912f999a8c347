"""Parquet and Arrow files, some rows at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from pipeline.data.reading import source
from pipeline.data.reading.chunk import Chunk, shown
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

ROWS = 1_000  # rows that are held as Python values at a time


def chunks(path: Path, spec: FileSpec, limits: Limits) -> Iterator[Chunk]:
    """Rows of a file, numbered from 1.

    Raises:
        GraftError: it cannot be opened, is damaged, or holds more than `limits.max_bytes`.
    """
    number, size = 1, 0
    with source.seekable(path, spec.compression, limits, mapped=spec.format == "arrow") as file:
        batches = _guarded(path, _parquet(file) if spec.format == "parquet" else _arrow(file))
        for batch in batches:
            size += batch.get_total_buffer_size() if spec.format == "parquet" else 0
            if size > limits.max_bytes:
                raise source.too_large(path, limits)
            yield _chunk(batch, number, limits)
            number += batch.num_rows


def is_arrow_stream(head: bytes) -> bool:
    """Whether a file's first bytes are those of Arrow's stream format, which has no name in it."""
    return head.startswith(b"\xff\xff\xff\xff") and head[4:8] != b"\xff\xff\xff\xff"


def _parquet(file: Any) -> Iterator[pa.RecordBatch]:
    from pyarrow import parquet  # 0.1 s: only where there is one

    with parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 16) as opened:
        yield from opened.iter_batches(batch_size=ROWS)


def _arrow(file: Any) -> Iterator[pa.RecordBatch]:
    if file.read(6) == b"ARROW1":
        reader = pa.ipc.open_file(file)
        batches = (reader.get_batch(place) for place in range(reader.num_record_batches))
    else:
        file.seek(0)
        batches = iter(pa.ipc.open_stream(file))
    for batch in batches:
        batch.validate(full=True)  # offsets that lead elsewhere would be followed
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)


def _guarded(path: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches; what pyarrow raises while it reads them becomes a GraftError."""
    while True:
        with source.faults(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _chunk(batch: pa.RecordBatch, number: int, limits: Limits) -> Chunk:
    found = Chunk()
    for place, row in enumerate(_values(_dated(batch)), number):
        if isinstance(row, str):
            found.add(place, "", None, row)
            continue
        text = _text(row)
        if len(text) > limits.max_line:
            found.add(place, shown(text), None, "line too long")
        else:
            found.add(place, shown(text), row, None)
    return found


def _text(row: dict[str, Any]) -> str:
    try:
        return orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # what JSON has not, or not so deep
        return str(row).encode(errors="backslashreplace").decode()


def _dated(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows, with dates and times as text: Python has no nanoseconds and no year 10,000."""
    columns = []
    for column in batch.columns:
        try:
            columns.append(column.cast(pa.string()) if pa.types.is_temporal(column.type) else column)
        except pa.ArrowException:  # a duration, say
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _values(batch: pa.RecordBatch) -> list[dict[str, Any] | str]:
    """Each row's values, or why it has none."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException) as error:
        if batch.num_rows == 1:
            return [
                "undecodable characters" if isinstance(error, UnicodeDecodeError) else "a value that cannot be read"
            ]
    return [row for place in range(batch.num_rows) for row in _values(batch.slice(place, 1))]
