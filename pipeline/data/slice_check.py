"""Whether a candidate's slices are its parent's, its golden items and its own held-out ones, with nothing left out.

What a candidate is measured on decides its verdict, so a slice is no more believed than a verdict. Which of its own
records an increment holds out follows from its data alone: only `graft verify --rebuild` computes that.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.data import arrow, marks, slices
from pipeline.data.golden import Golden

LINEAGE = Path("data/assembled/lineage.parquet")
ENDED = ("withdrawn", "superseded")  # why an item of history leaves: pipeline/data/fates.py
DIGITS = 16  # of an id, by which lineage names what has left
SHOWN = 5  # items of one slice


def problems(
    folder: Path, parent: Mapping[str, pa.Table], golden: Golden, name: str, *, slice_items: int, max_slices: int
) -> Iterator[str]:
    """Slices that are not what `assemble` writes, a line each, and items that only one side has.

    Args:
        folder: the candidate's slices; lineage.parquet says what left them.
        parent: the chain's slices that the parent hands on, oldest first.
        golden: the items kept by hand.
        name: the increment's.
        slice_items: section `assemble` of params.yaml.
        max_slices: likewise.
    """
    held = slices.read(folder)
    expected = _chain(held, parent, name, slice_items, max_slices)
    expected |= {name: arrow.table_of(items) for name, items in golden.slices.items()}
    held |= {path.stem: arrow.read_table(path) for path in sorted(folder.glob(f"{marks.PREFIX}*.arrow"))}
    if marks.read(folder) != golden.marks:
        yield f"{folder}/{marks.NAME}: not the marks of data/golden"
    for slice_ in sorted(held.keys() | expected.keys()):
        one, other = (tables.get(slice_, arrow.SCHEMA.empty_table()) for tables in (expected, held))
        if not one.equals(other):
            yield from _apart(slice_, _ids(one), _ids(other))


def _chain(
    held: Mapping[str, pa.Table], parent: Mapping[str, pa.Table], name: str, slice_items: int, max_slices: int
) -> dict[str, pa.Table]:
    """The chain's slices as they must be, if `name` holds out what it says."""
    ended = _ended(LINEAGE)
    old = {key: table for key, items in parent.items() if (table := _without(items, ended)).num_rows}
    own = held.get(name, arrow.SCHEMA.empty_table())
    before = old.get(name, arrow.SCHEMA.empty_table()).column("id")
    own = own.filter(pc.invert(pc.is_in(own.column("id"), before.combine_chunks())))
    return slices.extended(old, name, own, slice_items=slice_items, max_slices=max_slices)


def _ended(lineage: Path) -> pa.Array:
    """First digits of the ids that left history."""
    rows = pq.read_table(lineage, columns=["id", "increment", "reason"])
    left = pc.and_(pc.is_null(rows.column("increment")), pc.is_in(rows.column("reason"), pa.array(ENDED)))
    return rows.filter(left).column("id").combine_chunks()


def _without(items: pa.Table, ended: pa.Array) -> pa.Table:
    return items.filter(pc.invert(pc.is_in(pc.utf8_slice_codeunits(items.column("id"), 0, DIGITS), ended)))


def _apart(name: str, expected: list[str], held: list[str]) -> Iterator[str]:
    gone, more = sorted({*expected} - {*held}), sorted({*held} - {*expected})
    yield from (f"slice {name}: item {id_[:12]} is left out" for id_ in gone[:SHOWN])
    yield from (f"slice {name}: item {id_[:12]} is neither the parent's nor kept by hand" for id_ in more[:SHOWN])
    if not gone and not more:
        yield f"slice {name}: its items have other content, or another order"


def _ids(items: pa.Table) -> list[str]:
    return list(items.column("id").to_pylist())
