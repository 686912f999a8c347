"""Near-duplicates among texts at hand: candidates by bands of their sketches, each verified on the texts."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.data import runs, sketch
from pipeline.data.sketch import Sketches

REACH = 16  # neighbours in a bucket that a text is compared with, beside the bucket's first
SLACK = 0.1  # an estimate this far below may still be similar enough: three standard deviations

# Shape legend: N = texts, M = pairs.
Pairs = npt.NDArray[np.int64]  # (2, M), each pair's lower number first
Places = npt.NDArray[np.int64]


def pairs(
    sketches: Sketches,
    forms: Callable[[Places], Sequence[str]],
    similarity: float,
    of: npt.NDArray[np.bool_] | None = None,
) -> Pairs:
    """Every pair of texts that is near: marks equal, and at least `similarity` of the shingles in common.

    Args:
        sketches: of the texts.
        forms: the normal forms of some texts, by their places: of those that are likely to be near.
        similarity: Jaccard's, 0 to 1.
        of: texts of which one at least must be in a pair; None for all.
    """
    found_2M = _candidates(sketches)
    if of is not None:
        found_2M = found_2M[:, of[found_2M[0]] | of[found_2M[1]]]
    estimate_M = sketch.agreement(sketches.bytes_NH[found_2M[0]], sketches.bytes_NH[found_2M[1]])
    found_2M = found_2M[:, estimate_M >= similarity - SLACK]
    places, back = np.unique(found_2M, return_inverse=True)
    texts, pairs_2M = forms(places), back.reshape(found_2M.shape)
    near_M = [
        texts[a] == texts[b] or sketch.similarity(texts[a], texts[b]) >= similarity
        for a, b in zip(pairs_2M[0].tolist(), pairs_2M[1].tolist(), strict=True)
    ]
    return found_2M[:, np.array(near_M, dtype=bool)]


def thinned(pairs_2M: Pairs) -> dict[int, int]:
    """Which texts to drop so that no near pair stays, and for which kept one: the first of near ones stays."""
    near: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs_2M.T.tolist():
        near[other].append(one)
    dropped: dict[int, int] = {}
    for text in sorted(near):
        keeper = next((one for one in sorted(near[text]) if one not in dropped), None)
        if keeper is not None:
            dropped[text] = keeper
    return dropped


def clusters(count: int, links: Iterable[Sequence[int]]) -> npt.NDArray[np.int64]:
    """Number of each text's cluster: the lowest of all texts that it is linked with, over others, too."""
    parents = list(range(count))

    def root(text: int) -> int:
        while parents[text] != text:
            parents[text] = text = parents[parents[text]]
        return text

    for one, other in links:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    return np.array([root(text) for text in range(count)], dtype=np.int64)


def _candidates(sketches: Sketches) -> Pairs:
    bands_N8, found = sketches.bands_N8, [np.zeros((2, 0), np.int64)]
    for band in range(runs.BANDS):
        hashes_N = runs.band_hash(bands_N8[:, band], sketches.marks_N)
        found += _within_buckets(hashes_N)
    both_2M = np.concatenate(found, axis=1)
    low_M, high_M = both_2M.min(axis=0), both_2M.max(axis=0)
    unique_M = np.unique((low_M << 32) | high_M)
    return np.stack([unique_M >> 32, unique_M & 0xFFFFFFFF])


def _within_buckets(hashes_N: npt.NDArray[np.uint64]) -> Iterator[Pairs]:
    """Pairs of one band: every pair of a bucket of up to 17, of a larger one those in reach and each with the first."""
    order_N = np.argsort(hashes_N, kind="stable")
    sorted_N = hashes_N[order_N]
    begins_N = np.concatenate((np.ones(min(1, len(order_N)), bool), sorted_N[1:] != sorted_N[:-1]))
    first_N = np.maximum.accumulate(np.where(begins_N, np.arange(len(order_N)), 0))
    for step in range(1, REACH + 1):
        (here,) = np.nonzero(sorted_N[step:] == sorted_N[:-step])
        if not len(here):
            return
        yield np.stack([order_N[here], order_N[here + step]])
    (far,) = np.nonzero(np.arange(len(order_N)) - first_N > REACH)
    yield np.stack([order_N[first_N[far]], order_N[far]])
