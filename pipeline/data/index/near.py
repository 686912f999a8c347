"""Near-duplicates among texts at hand: candidates by bands of their sketches, each verified on the texts."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.data.index import runs, sketch
from pipeline.data.index.sketch import Sketches

REACH = 32  # texts of a bucket that are compared each with each; of a larger one, leaders that one is paired with
LEADERS = 4096  # of a bucket, the latest, that a text is compared with
NEAREST = 4  # of them, that are verified
SLACK = 0.1  # an estimate this far below may still be similar enough: three standard deviations

# Shape legend: N = texts, M = pairs.
Pairs = npt.NDArray[np.int64]  # (2, M), each pair's lower number first
Places = npt.NDArray[np.int64]


def pairs(
    sketches: Sketches,
    forms: Callable[[Places], Sequence[str]],
    similarity: float,
    of: npt.NDArray[np.bool_] | None = None,
    apart_N: npt.NDArray[np.uint64] | None = None,
    hang_together: bool = False,
) -> Pairs:
    """Pairs of texts that are near: marks equal, and at least `similarity` of the shingles in common.

    Every such pair, as long as few texts share a band of their sketch. Of many that do (texts made from one
    template), each is paired with the leaders that it is nearest to.

    Args:
        sketches: of the texts.
        forms: the normal forms of some texts, by their places: of those that are likely to be near.
        similarity: Jaccard's, 0 to 1.
        of: texts of which one at least must be in a pair; None for all.
        apart_N: texts with different numbers are not compared; None: all are.
        hang_together: leaders count by estimate and a little further off: then any two texts that are near one
            another are linked, over a leader if not with each other.
    """
    close_2M, led_2M = _candidates(sketches, similarity, apart_N, REACH if hang_together else NEAREST)
    if not hang_together:
        close_2M, led_2M = _unique(np.concatenate([close_2M, led_2M], axis=1)), led_2M[:, :0]
    if of is not None:
        close_2M, led_2M = (found[:, of[found[0]] | of[found[1]]] for found in (close_2M, led_2M))
    estimate_M = sketch.agreement(sketches.bytes_NH[close_2M[0]], sketches.bytes_NH[close_2M[1]])
    close_2M = close_2M[:, estimate_M >= similarity - SLACK]
    places, back = np.unique(close_2M, return_inverse=True)
    texts, pairs_2M = forms(places), back.reshape(close_2M.shape)
    near_M = [
        texts[a] == texts[b] or sketch.similarity(texts[a], texts[b]) >= similarity
        for a, b in zip(pairs_2M[0].tolist(), pairs_2M[1].tolist(), strict=True)
    ]
    return np.concatenate([close_2M[:, np.array(near_M, dtype=bool)], led_2M], axis=1)


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


def _candidates(
    sketches: Sketches, similarity: float, apart_N: npt.NDArray[np.uint64] | None, leaders: int
) -> tuple[Pairs, Pairs]:
    """Pairs that share a band: each with each, and those of large buckets with their leaders."""
    marks_N = sketches.marks_N if apart_N is None else sketches.marks_N ^ sketch.mix(apart_N)
    close, led = [np.zeros((2, 0), np.int64)], [np.zeros((2, 0), np.int64)]
    for band in range(runs.BANDS):
        order_N, begins, sizes = _buckets(runs.band_hash(sketches.bands_N8[:, band], marks_N))
        small = np.repeat(sizes <= REACH, sizes)
        close += _all_pairs(order_N[small], np.repeat(begins, sizes)[small])
        for begin, size in zip(begins[sizes > REACH].tolist(), sizes[sizes > REACH].tolist(), strict=True):
            led.append(_led(np.sort(order_N[begin : begin + size]), sketches.bytes_NH, similarity, leaders))
    return _unique(np.concatenate(close, axis=1)), _unique(np.concatenate(led, axis=1))


def _buckets(hashes_N: npt.NDArray[np.uint64]) -> tuple[Places, Places, Places]:
    """Places ordered by hash; where each run of equal hashes begins, and its length, where it is two at least."""
    order_N = np.argsort(hashes_N, kind="stable")
    _, sizes = np.unique(hashes_N[order_N], return_counts=True)
    several = np.repeat(sizes > 1, sizes)
    kept = np.cumsum(sizes[sizes > 1]) - sizes[sizes > 1]
    return order_N[several], kept, sizes[sizes > 1]


def _all_pairs(order_N: Places, bucket_N: Places) -> Iterator[Pairs]:
    """Every pair of a bucket; a bucket's members stand one after the other."""
    for step in range(1, REACH):
        (here,) = np.nonzero(bucket_N[step:] == bucket_N[:-step])
        if not len(here):
            return
        yield np.stack([order_N[here], order_N[here + step]])


def _led(members: Places, bytes_NH: npt.NDArray[np.uint8], similarity: float, most: int) -> Pairs:
    """Each member with the nearest leaders, `most` of them; one that is near none becomes a leader.

    Two texts that are `similarity` near one another are both near the leader of either, which is at most twice
    as far: so they hang together, and the work grows with the leaders and not with the square of the bucket.
    """
    leaders, found = [int(members[0])], []
    for member in members[1:].tolist():
        known = np.array(leaders[-LEADERS:])
        how_near = sketch.agreement(bytes_NH[known], bytes_NH[member][None, :])
        nearest = np.argsort(-how_near, kind="stable")[:most]
        found += [(leader, member) for leader in known[nearest[how_near[nearest] >= similarity - SLACK]].tolist()]
        if how_near.max() < similarity:
            leaders.append(member)
    return np.array(found, dtype=np.int64).reshape(-1, 2).T


def _unique(both_2M: Pairs) -> Pairs:
    low_M, high_M = both_2M.min(axis=0), both_2M.max(axis=0)
    unique_M = np.unique((low_M << 32) | high_M)
    return np.stack([unique_M >> 32, unique_M & 0xFFFFFFFF])
