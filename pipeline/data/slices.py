"""Evaluation slices: which side a record stands on, and which few items stand for many."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.data import arrow, records
from pipeline.data.records import Record

HISTORY = "history"  # what the oldest slices fold into


def held_out(prompt: str, share: float) -> bool:
    """Whether a prompt's id falls on the evaluation side: its first 64 bits, as a fraction, lie below `share`."""
    return int(prompt[:16], 16) / 2**64 < share


def prompts(items: Iterable[Record]) -> set[str]:
    """Ids of the items' prompts."""
    return {records.content_id(item.prompt) for item in items}


def lowest(items: Iterable[Record], count: int) -> list[Record]:
    """At most `count` items, those with the lowest prompt ids, sorted by id.

    It merges: the lowest of two samples' union are the lowest of all that they were drawn from.
    """
    kept = heapq.nsmallest(count, items, key=lambda item: records.content_id(item.prompt))
    return sorted(kept, key=lambda item: item.id)


def extended(
    old: Mapping[str, Sequence[Record]], name: str, items: Sequence[Record], *, slice_items: int, max_slices: int
) -> dict[str, list[Record]]:
    """The chain's slices, oldest first, with an increment's held-out items as slice `name`.

    Old slices stay as they are, until there are more than `max_slices`: then the oldest fold into `history`.
    An increment that comes a second time adds to its own slice. Golden slices are no part of this.
    """
    slices = {key: list(value) for key, value in old.items()}
    if items:
        slices[name] = lowest([*slices.get(name, []), *items], slice_items)
    if len(slices) <= max_slices:
        return slices
    named = [key for key in slices if key != HISTORY]
    folded, kept = named[: 1 - max_slices], named[1 - max_slices :]
    history = [item for key in (HISTORY, *folded) for item in slices.get(key, [])]
    return {HISTORY: lowest(history, slice_items), **{key: slices[key] for key in kept}}


def read(folder: Path, order: Iterable[str]) -> dict[str, list[Record]]:
    """Slices of a folder: `history`, then those named in `order`; others (golden ones) are left out."""
    names = dict.fromkeys((HISTORY, *order))
    paths = {name: folder / f"{name}.arrow" for name in names}
    return {name: arrow.read_records(path) for name, path in paths.items() if path.exists()}


def write(folder: Path, slices: Mapping[str, Sequence[Record]]) -> None:
    """One NAME.arrow for each slice."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in slices.items():
        arrow.write_records(folder / f"{name}.arrow", items)
