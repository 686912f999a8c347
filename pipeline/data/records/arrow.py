"""Rows and records as Arrow: what readers yield, what cleaning rewrites, what is trained on."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.data.records.records import Record

MESSAGE = pa.struct(
    [
        ("role", pa.string()),  # system | user | assistant | tool; of plain text: text
        ("content", pa.string()),
        ("tool_calls", pa.string()),  # canonical JSON of OpenAI's list; null for none
        ("weight", pa.float32()),  # of its loss, where the source gives one; null: answers 1, others 0
    ]
)
_CONTENT: list[tuple[str, pa.DataType]] = [
    ("kind", pa.string()),  # classification | sft | preference | kto | text
    ("messages", pa.list_(MESSAGE)),
    ("rejected", pa.list_(MESSAGE)),  # preference: the answer that is worse than the last message
    ("desirable", pa.bool_()),  # kto
    ("tools", pa.string()),  # canonical JSON of the list of tools; null for none
    ("images", pa.list_(pa.string())),  # paths below the increment's raw/
    ("key", pa.string()),  # names an item over time
    ("date", pa.string()),  # orders rows that contradict each other
]
_ORIGIN: list[tuple[str, pa.DataType]] = [("file", pa.string()), ("line", pa.int64())]
ROWS = pa.schema([*_CONTENT, *_ORIGIN, ("raw", pa.string()), ("problem", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        *_CONTENT,
        ("weight", pa.float32()),  # how often it is drawn in an epoch; null: once
        ("increment", pa.string()),
        *_ORIGIN,
    ]
)
BATCH = 10_000  # records per Arrow batch: fixed, so that the bytes repeat


def write_table(path: Path, table: pa.Table) -> None:
    """Write records of SCHEMA in the order given; the same records give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as writer:
        for start in range(0, table.num_rows, BATCH):
            part = table.slice(start, BATCH).combine_chunks()
            for batch in part.to_batches():
                writer.write_batch(batch)


def read_table(path: Path) -> pa.Table:
    """Records of a file that `write_table` wrote, mapped into memory."""
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_stream(source).read_all()
    return table if table.schema.equals(SCHEMA) else pa.Table.from_pylist(_older(table.to_pylist()), SCHEMA)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records in the order given; the same records give the same bytes."""
    write_table(path, table_of(records))


def read_records(path: Path) -> list[Record]:
    """Every record of a file that `write_records` wrote, in its order."""
    return records_of(read_table(path))


def table_of(records: Iterable[Record]) -> pa.Table:
    """Records as columns."""
    return pa.Table.from_pylist([{name: getattr(record, name) for name in SCHEMA.names} for record in records], SCHEMA)


def records_of(table: pa.Table) -> list[Record]:
    """Rows of a table as records; messages hold only the keys that say something."""
    return [Record(**_plain(row)) for row in table.to_pylist()]


def _older(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records that a Graft wrote which knew classifications alone."""
    return [{"kind": "classification", **row} for row in rows]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("messages", "rejected"):
        if row[name] is not None:
            row[name] = [{key: value for key, value in message.items() if value is not None} for message in row[name]]
    return row
