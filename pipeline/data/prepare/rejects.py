"""Rows that are no records: where each stands, why, and what it said."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import orjson
import pyarrow as pa

from pipeline.data.records import jsonl

REJECTS = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("reason", pa.string()),
        ("raw", pa.string()),  # the row's first characters, as they were
        ("id", pa.string()),  # of the record that it would have been; null for an unusable row
        ("near", pa.string()),  # id of the record that stands in its place; null for none
    ]
)


def rejected(rows: pa.Table | pa.RecordBatch, reasons: Sequence[str]) -> pa.Table:
    """Rejects of rows, which have their ids and stand-ins beside the columns of ROWS, for a reason each."""
    columns = {name: rows.column(name) for name in ("file", "line", "raw", "id", "near")}
    columns["reason"] = pa.array(reasons, pa.string())
    return pa.table([columns[name] for name in REJECTS.names], schema=REJECTS)


def write(sink: BinaryIO, rejects: pa.Table) -> None:
    """One JSON object a line, without nulls."""
    for row in rejects.to_pylist():
        document = {key: value for key, value in row.items() if value is not None}
        sink.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


def read(path: Path) -> pa.Table:
    """Rejects that `write` wrote."""
    return jsonl.read(path, REJECTS)
