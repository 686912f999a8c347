"""Dates of records beside the index: which of two versions of an item, that came in two increments, is the newer one.

One file for each increment that has dates: columns `id` (the first 64 bits) and `date` (text that sorts by time).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

SUFFIX = ".dates.arrow"
Ids = npt.NDArray[np.uint64]


def write(path: Path, ids_N: Ids, dates: Sequence[str | None]) -> bool:
    """Write the dates of records that have one; nothing is written where none has."""
    table = pa.table({"id": pa.array(ids_N, pa.uint64()), "date": pa.array(dates, pa.string())})
    dated = table.filter(pc.is_valid(table.column("date"))).sort_by([("id", "ascending"), ("date", "ascending")])
    if dated.num_rows:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, dated.schema) as writer:
            writer.write_table(dated.combine_chunks())
    return bool(dated.num_rows)


def newest(paths: Iterable[Path], ids_N: Ids) -> dict[int, str]:
    """The newest date of each of some records that have one."""
    wanted, found = pa.array(np.unique(ids_N), pa.uint64()), dict[int, str]()
    for path in paths:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_stream(source).read_all()
        rows = table.filter(pc.is_in(table.column("id"), wanted))
        for record, date in zip(rows.column("id").to_pylist(), rows.column("date").to_pylist(), strict=True):
            found[record] = max(date, found.get(record, ""))
    return found
