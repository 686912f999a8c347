"""Rows that are no records: where each stands, why, and what it said."""

from collections.abc import Sequence
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.json

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


def of(
    rows: pa.Table | pa.RecordBatch, reasons: Sequence[str | None], near: Sequence[str | None] | None = None
) -> pa.Table:
    """Rejects of rows, for a reason each."""
    count = rows.num_rows
    ids = rows.column("id") if "id" in rows.schema.names else pa.nulls(count, pa.string())
    columns = [rows.column(name) for name in ("file", "line")]
    return pa.table(
        [
            *columns,
            pa.array(reasons, pa.string()),
            rows.column("raw"),
            ids,
            pa.array(near or [None] * count, pa.string()),
        ],
        schema=REJECTS,
    )


def united(parts: Sequence[pa.Table]) -> pa.Table:
    """All of them, by file and line."""
    whole = pa.concat_tables([REJECTS.empty_table(), *parts])
    return whole.sort_by([("file", "ascending"), ("line", "ascending"), ("reason", "ascending")]).combine_chunks()


def write(path: Path, rejects: pa.Table) -> None:
    """One JSON object a line, without nulls."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as sink:
        for batch in rejects.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                document = {key: value for key, value in row.items() if value is not None}
                sink.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


def read(path: Path) -> pa.Table:
    """Rejects that `write` wrote."""
    if not path.stat().st_size:
        return REJECTS.empty_table()
    parse = pyarrow.json.ParseOptions(explicit_schema=REJECTS, unexpected_field_behavior="error")
    return pyarrow.json.read_json(path, pyarrow.json.ReadOptions(block_size=1 << 24), parse).select(REJECTS.names)
