"""Evaluation slices: which few items stand for many, and what folds when there are too many slices."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.common import files
from pipeline.data.records import arrow, message_columns
from pipeline.data.records.arrow import SCHEMA

HISTORY = "history"  # what the oldest slices fold into
ORDER = "order.json"  # names of the chain's slices, oldest first


def lowest(items: pa.Table, count: int) -> pa.Table:
    """At most `count` items, those with the lowest prompt ids, sorted by id.

    It merges: the lowest of two samples' union are the lowest of all that they were drawn from.
    """
    prompts_N4, ids_N4 = message_columns.digests(items)
    chosen = np.lexsort((*ids_N4.T[::-1], *prompts_N4.T[::-1]))[:count]
    return items.take(pa.array(chosen[np.lexsort(ids_N4[chosen].T[::-1])]))


def extended(
    old: Mapping[str, pa.Table], name: str, items: pa.Table, *, slice_items: int, max_slices: int
) -> dict[str, pa.Table]:
    """The chain's slices, oldest first, with an increment's held-out items as slice `name`.

    Old slices stay as they are, until there are more than `max_slices`: then the oldest fold into `history`.
    An increment that comes a second time adds to its own slice. Golden slices are no part of this.
    """
    slices = dict(old)
    if items.num_rows:
        slices[name] = lowest(united([slices[name], items] if name in slices else [items]), slice_items)
    if len(slices) <= max_slices:
        return slices
    named = [key for key in slices if key != HISTORY]
    folded, kept = named[: 1 - max_slices], named[1 - max_slices :]
    history = united(slices[key] for key in (HISTORY, *folded) if key in slices)
    return {HISTORY: lowest(history, slice_items), **{key: slices[key] for key in kept}}


def united(tables: Iterable[pa.Table]) -> pa.Table:
    """All records of several tables."""
    return pa.concat_tables([SCHEMA.empty_table(), *tables]).combine_chunks()


def read(folder: Path) -> dict[str, pa.Table]:
    """The chain's slices of a folder, oldest first; golden ones are left out: they are kept by hand."""
    if (folder / ORDER).exists():
        names = files.read_json(folder / ORDER)
    else:  # an older Graft's
        found = (path.stem for path in folder.glob("*.arrow") if not path.stem.startswith("golden-"))
        names = sorted(found, key=lambda name: (name != HISTORY, name))
    return {name: arrow.read_table(folder / f"{name}.arrow") for name in names}


def write(folder: Path, slices: Mapping[str, pa.Table], golden: Iterable[str] = ()) -> None:
    """One NAME.arrow for each slice, and the order of those that are not `golden`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in slices.items():
        arrow.write_table(folder / f"{name}.arrow", items)
    files.write_json(folder / ORDER, [name for name in slices if name not in golden])
