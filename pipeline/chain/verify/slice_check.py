"""Whether a candidate's slices are its parent's, its golden items and its own held-out ones, with nothing left out.

What a candidate is measured on decides its verdict, so a slice is no more believed than a verdict. Which of its own
records an increment holds out, and which items of the parent's its records supersede, follows from its data alone:
only `graft verify --rebuild` computes that.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.data.assemble import slices
from pipeline.data.assemble.golden import Golden
from pipeline.data.records import arrow, item_marks, message_columns

LINEAGE = Path("data/assembled/lineage.parquet")
DIGITS = 16  # of an id, by which lineage names what has left
SHOWN = 5  # items of one slice
EMPTY = pa.Table.from_batches([], arrow.SCHEMA)  # `empty_table` would load pandas, if there is one


def problems(
    folder: Path,
    parent: Mapping[str, pa.Table],
    golden: Golden,
    name: str,
    withdrawn: Collection[str],
    *,
    slice_items: int,
    max_slices: int,
) -> Iterator[str]:
    """Slices that are not what `assemble` writes, a line each, and items that only one side has.

    Args:
        folder: the candidate's slices; lineage.parquet says what left them.
        parent: the chain's slices that the parent hands on, oldest first.
        golden: the items kept by hand.
        name: the increment's.
        withdrawn: keys that the increment withdraws.
        slice_items: section `assemble` of params.yaml.
        max_slices: likewise.
    """
    held = slices.read(folder)
    expected = _chain(held, parent, name, withdrawn, slice_items, max_slices)
    expected |= {name: arrow.table_of(items) for name, items in golden.slices.items()}
    held |= {path.stem: arrow.read_table(path) for path in sorted(folder.glob("*.arrow")) if path.stem not in held}
    if item_marks.read(folder) != golden.marks:
        yield f"{folder}/{item_marks.NAME}: not the marks of data/golden"
    for slice_ in sorted(held.keys() | expected.keys()):
        one, other = (tables.get(slice_, EMPTY) for tables in (expected, held))
        if not one.equals(other):
            yield from _apart(slice_, _ids(one), _ids(other))
        elif message_columns.hexes(message_columns.digests(other)[1]).to_pylist() != _ids(other):
            yield f"slice {slice_}: an item's id is not the hash of its content"


def _chain(
    held: Mapping[str, pa.Table],
    parent: Mapping[str, pa.Table],
    name: str,
    withdrawn: Collection[str],
    slice_items: int,
    max_slices: int,
) -> dict[str, pa.Table]:
    """The chain's slices as they must be, if `name` holds out what it says."""
    leaving, superseded = _ended(LINEAGE, name)
    old = {
        key: table
        for key, items in parent.items()
        if (table := _staying(items, withdrawn, leaving, superseded)).num_rows
    }
    own = held.get(name, held.get(slices.HISTORY, EMPTY) if name in old else EMPTY)  # an old name may have folded
    known = pa.array([id_ for table in old.values() for id_ in _ids(table)], pa.string())
    own = own.filter(pc.invert(pc.is_in(own.column("id"), known)))
    return slices.extended(old, name, own, slice_items=slice_items, max_slices=max_slices)


def _ended(lineage: Path, name: str) -> tuple[pa.Array, pa.Array]:
    """First digits of ids of history: those that lineage calls withdrawn, those superseded by records of `name`."""
    rows = pq.read_table(lineage, columns=["id", "increment", "reason", "near"])
    own = pc.utf8_slice_codeunits(rows.filter(pc.equal(rows.column("increment"), name)).column("id"), 0, DIGITS)
    ended = rows.filter(pc.is_null(rows.column("increment")))
    by = pc.is_in(ended.column("near"), own.combine_chunks())
    withdrawn = pc.equal(ended.column("reason"), "withdrawn")
    return tuple(ended.filter(chosen).column("id").combine_chunks() for chosen in (withdrawn, by))


def _staying(items: pa.Table, withdrawn: Collection[str], leaving: pa.Array, superseded: pa.Array) -> pa.Table:
    ids = pc.utf8_slice_codeunits(items.column("id"), 0, DIGITS)
    keys = pc.is_in(items.column("key"), pa.array(sorted(withdrawn), pa.string()))
    return items.filter(pc.invert(pc.or_(pc.and_(keys, pc.is_in(ids, leaving)), pc.is_in(ids, superseded))))


def _apart(name: str, expected: list[str], held: list[str]) -> Iterator[str]:
    gone, more = sorted({*expected} - {*held}), sorted({*held} - {*expected})
    yield from (f"slice {name}: item {id_[:12]} is left out" for id_ in gone[:SHOWN])
    yield from (f"slice {name}: item {id_[:12]} is neither the parent's nor kept by hand" for id_ in more[:SHOWN])
    if not gone and not more:
        yield f"slice {name}: its items have other content, or another order"


def _ids(items: pa.Table) -> list[str]:
    return list(items.column("id").to_pylist())
