"""Which of an increment's rows stand for others: exact repeats, versions of one item."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.data.index.sketch import Words
from pipeline.data.records.message_columns import Digests

# Shape legend: N = rows, G = rows of a group.
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def keepers(ids_N4: Digests, among: Places) -> Places:
    """For each row the first one of the same content (out of `among`): itself, if it is to stay."""
    keeper_N = np.arange(len(ids_N4))
    for group in groups(ids_N4, among):
        keeper_N[group] = group[0]
    return keeper_N


def groups(digests_N4: Digests, among: Places) -> Iterator[Places]:
    """Rows (out of `among`, in its order) that share a digest, where there are two at least."""
    chosen = digests_N4[among]
    order = np.lexsort((chosen[:, 3], chosen[:, 2], chosen[:, 1], chosen[:, 0]))
    ordered = chosen[order]
    same = np.all(ordered[1:] == ordered[:-1], axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
    for begin, end in edges.reshape(-1, 2):
        yield among[order[begin : end + 1]]


def superseded(keys_N: Words, dates: Sequence[str | None], ids_N4: Digests, among: Places) -> dict[int, int]:
    """Rows that another row of the same item replaces: the newest by date stays, of equally new ones the lowest id.

    Args:
        keys_N: hash of each row's key.
        dates: of each row.
        ids_N4: of each row's content.
        among: rows that have a key.
    """
    items: dict[int, list[int]] = {}
    for row, key in zip(among.tolist(), keys_N[among].tolist(), strict=True):
        items.setdefault(key, []).append(row)
    replaced: dict[int, int] = {}
    for rows in items.values():
        newest = max(dates[row] or "" for row in rows)
        kept = min((row for row in rows if (dates[row] or "") == newest), key=lambda row: tuple(ids_N4[row]))
        replaced |= {row: kept for row in rows if row != kept}
    return replaced
