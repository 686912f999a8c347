"""Records as Arrow streams, which `datasets.Dataset.from_file` maps into memory."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from pipeline.data.records import Record

_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(_MESSAGE)),
        ("increment", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
    ]
)
BATCH = 10_000  # records per Arrow batch: fixed, so that the bytes repeat


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records in the order given; the same records give the same bytes."""
    rows = [{name: getattr(record, name) for name in SCHEMA.names} for record in records]
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as writer:
        for start in range(0, len(rows), BATCH):
            writer.write_batch(pa.RecordBatch.from_pylist(rows[start : start + BATCH], schema=SCHEMA))


def read_records(path: Path) -> list[Record]:
    """Every record of a file that `write_records` wrote, in its order."""
    with pa.memory_map(str(path)) as source:
        return [Record(**row) for row in pa.ipc.open_stream(source).read_all().to_pylist()]
