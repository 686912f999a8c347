"""Which of an increment's rows stand for others: exact repeats, versions of one item, contradicting labels."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.data.conflicts import Claim, Conflict
from pipeline.data.views import Digests

# Shape legend: N = rows, G = rows of a group.
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def keepers(ids_N4: Digests) -> Places:
    """For each row the first one of the same content: itself, if it is to stay. Rows come in order of file and line."""
    keeper_N = np.arange(len(ids_N4))
    for group in groups(ids_N4, keeper_N):
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


def superseded(
    names: Sequence[tuple[int, str | None]], dates: Sequence[str | None], ids_N4: Digests, among: Places
) -> dict[int, int]:
    """Rows that another row of the same item replaces: the newest by date stays, of equally new ones the lowest id.

    Args:
        names: part of the increment, and key in it, of each row; without a key a row is an item of its own.
        dates: of each row.
        ids_N4: of each row's content.
        among: rows to look at.
    """
    items: dict[tuple[int, str], list[int]] = {}
    for row in among.tolist():
        part, key = names[row]
        if key is not None:
            items.setdefault((part, key), []).append(row)
    replaced: dict[int, int] = {}
    for rows in items.values():
        newest = max(dates[row] or "" for row in rows)
        kept = min((row for row in rows if (dates[row] or "") == newest), key=lambda row: tuple(ids_N4[row]))
        replaced |= {row: kept for row in rows if row != kept}
    return replaced


def conflicts(
    prompts_N4: Digests,
    among: Places,
    texts: Sequence[str | None],
    labels: Sequence[str | None],
    dates: Sequence[str | None],
    counts_N: Places,
) -> Iterator[Conflict]:
    """Questions that rows answer with different labels.

    Args:
        prompts_N4: of all rows.
        among: labelled rows, one of each content.
        texts: of all rows.
        labels: of all rows.
        dates: of all rows.
        counts_N: how many rows say the same as each.
    """
    for group in groups(prompts_N4, among):
        claims = [
            Claim(row=row, label=str(labels[row]), rows=int(counts_N[row]), date=dates[row]) for row in group.tolist()
        ]
        yield Conflict(text=str(texts[group[0]]), claims=tuple(claims))
