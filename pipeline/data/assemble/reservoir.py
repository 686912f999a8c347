"""The replay reservoir: a bounded sample of all that was trained on, balanced by label and increment.

Every (label, increment) keeps its lowest hashes, and all of them equally many as far as they have them. Shares only
ever shrink, and the lowest of the lowest are the lowest: what is drawn now is what one draw from all would give.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.records import message_columns


def kept(table: pa.Table, count: int) -> pa.Table:
    """At most `count` records, by id.

    Args:
        table: records.
        count: room of the reservoir.
    """
    ids_N4 = message_columns.numbers(table.column("id"))
    labels, label_N = _codes(message_columns.view(table).labels)
    increments, increment_N = _codes(table.column("increment"))
    stratum_N = label_N * max(1, len(increments)) + increment_N
    order = np.lexsort((*ids_N4.T[::-1], stratum_N))
    strata, begins, sizes = np.unique(stratum_N[order], return_index=True, return_counts=True)
    parts: dict[str, dict[str, int]] = defaultdict(dict)
    for stratum, size in zip(strata.tolist(), sizes.tolist(), strict=True):
        label, increment = divmod(stratum, len(increments))
        parts[labels[label]][increments[increment]] = size
    rooms = divided({label: sum(part.values()) for label, part in parts.items()}, count)
    shares = {label: divided(part, rooms[label]) for label, part in parts.items()}
    wanted = [shares[labels[s // len(increments)]][increments[s % len(increments)]] for s in strata.tolist()]
    place_N = np.arange(len(order)) - np.repeat(begins, sizes)
    chosen = order[place_N < np.repeat(wanted, sizes)] if len(order) else order
    return table.take(pa.array(chosen[np.lexsort(ids_N4[chosen].T[::-1])]))


def divided(sizes: Mapping[str, int], room: int) -> dict[str, int]:
    """Room for each name: equally much, nobody more than its size; what is left over goes to the lowest hashes."""
    level, left, waiting = 0, room, dict(sizes)
    while waiting and left >= len(waiting):
        step = min(left // len(waiting), min(waiting.values()) - level)
        level, left = level + step, left - step * len(waiting)
        waiting = {name: size for name, size in waiting.items() if size > level}
    shares = {name: min(size, level) for name, size in sizes.items()}
    for name in sorted(waiting, key=_hash)[:left]:
        shares[name] += 1
    return shares


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _codes(column: pa.Array | pa.ChunkedArray) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The values of a column, null as empty, and the number of each row's."""
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = pc.dictionary_encode(pc.fill_null(flat, ""))
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
