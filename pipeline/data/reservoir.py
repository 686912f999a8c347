"""The replay reservoir: a bounded sample of all that was trained on, balanced by label and increment.

Every (label, increment) keeps its lowest hashes, and all of them equally many as far as they have them. Shares only
ever shrink, and the lowest of the lowest are the lowest: what is drawn now is what one draw from all would give.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipeline.data import views


def kept(table: pa.Table, labels: Sequence[str | None], count: int) -> pa.Table:
    """At most `count` records, by id.

    Args:
        table: records.
        labels: of each, None for a kind that has none.
        count: room of the reservoir.
    """
    ids_N4 = views.numbers(table.column("id"))
    order = np.lexsort(ids_N4.T[::-1])
    names = list(zip([label or "" for label in labels], table.column("increment").to_pylist(), strict=True))
    strata: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place in order.tolist():
        label, increment = names[place]
        strata[label][increment].append(place)
    shares = divided({label: sum(map(len, parts.values())) for label, parts in strata.items()}, count)
    chosen = np.zeros(table.num_rows, bool)
    for label, parts in strata.items():
        for increment, share in divided({name: len(part) for name, part in parts.items()}, shares[label]).items():
            chosen[parts[increment][:share]] = True
    return table.take(pa.array(order[chosen[order]]))


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


def drawn(table: pa.Table, learned: int, share: float, *, salt: str) -> pa.Table:
    """Old records to train on beside `learned` new ones, so that they are `share` of all, if there are enough.

    The lowest salted hashes: each increment draws another sample, and draws it again when run again.
    """
    wanted = round(learned * share / (1 - share))
    hashes = [_hash(f"{salt}\n{id_}") for id_ in table.column("id").to_pylist()]
    order = np.argsort(np.array(hashes, dtype="S32"), kind="stable") if hashes else np.zeros(0, np.int64)
    return table.take(pa.array(order[:wanted]))


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
