"""data/assembled/lineage.parquet: where every record came from and what became of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.data.assemble.fates import Ending

LINEAGE = pa.schema(
    [
        ("id", pa.string()),
        ("increment", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("fate", pa.string()),  # train | eval | replay | augmented | dropped
        ("reason", pa.string()),  # why dropped, in which slice, by which method made; null for train and replay
        ("near", pa.string()),  # id, or its first 16 digits, of what it was dropped for or made from
    ]
)
ROWS = 10_000  # of a row group: a reader that looks for one id skips the others


def rows(records: pa.Table, fate: str, reasons: pa.Array | str | None = None, near: pa.Array | None = None) -> pa.Table:
    """Lineage of records that met one fate."""
    count = records.num_rows
    given = reasons if isinstance(reasons, pa.Array) else pa.array([reasons] * count, pa.string())
    columns = [records.column(name) for name in ("id", "increment", "file", "line")]
    near = pa.nulls(count, pa.string()) if near is None else near
    return pa.table([*columns, pa.array([fate] * count, pa.string()), given, near], schema=LINEAGE)


def lineage_table(
    increment: str,
    records: pa.Table,
    fates: npt.NDArray[np.object_],
    near: Sequence[str | None],
    rejects: pa.Table,
    replayed: pa.Table,
) -> list[pa.Table]:
    """Lineage of an increment's records, of what prepare left out of them, and of what is replayed beside them."""
    records = records.select(["id", "increment", "file", "line"])  # not the texts: they would be copied
    trained, evaluated = fates == "train_new", fates == "eval"
    dropped = ~(trained | evaluated)
    left_out = rejects.filter(pc.is_valid(rejects.column("id")))
    named = left_out.append_column("increment", pa.array([increment] * left_out.num_rows, pa.string()))
    chosen = pa.array(dropped)
    why, instead = pa.array(fates[dropped], pa.string()), pa.array(near, pa.string()).filter(chosen)
    return [
        rows(records.filter(pa.array(trained)), "train"),
        rows(records.filter(pa.array(evaluated)), "eval", increment),
        rows(records.filter(chosen), "dropped", why, instead),
        rows(named, "dropped", *(named.column(name).combine_chunks() for name in ("reason", "near"))),
        rows(replayed, "replay"),
    ]


def ended(endings: Sequence[Ending]) -> pa.Table:
    """Lineage of what history knew and does not keep: where it came from stands in the release that brought it."""
    count = len(endings)
    names = (pa.nulls(count, pa.string()), pa.nulls(count, pa.string()), pa.nulls(count, pa.int64()))
    why = pa.array([one.reason for one in endings], pa.string())
    near = pa.array([one.by for one in endings], pa.string())
    ids = pa.array([one.id for one in endings], pa.string())
    return pa.table([ids, *names, pa.array(["dropped"] * count, pa.string()), why, near], schema=LINEAGE)


def write(path: Path, parts: list[pa.Table]) -> None:
    """All parts as one table, by id; the same rows give the same bytes."""
    order = [(name, "ascending") for name in ("id", "fate", "file", "line")]
    table = pa.concat_tables([LINEAGE.empty_table(), *parts]).sort_by(order).combine_chunks()
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table, path, compression="zstd", row_group_size=ROWS, use_dictionary=["increment", "file", "fate", "reason"]
    )
