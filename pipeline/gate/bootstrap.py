"""Paired bootstrap: items, or clusters of them, are drawn again, and with each come both models' answers."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.gate.statistics import student, tail

# Shape legend: B = bootstrap samples, K = kinds of clusters (clusters that say the same are one kind), S = sums.
Floats = NDArray[np.float64]
Difference = Callable[[Floats], Floats]  # how often each kind was drawn (B, K) -> candidate - reference (B,)

SAMPLES = 2000
_CELLS = 4_000_000  # of a chunk of the counts: 32 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What resampling says of a difference, candidate - reference, in the metric's unit."""

    difference: float
    low: float | None  # one-sided bounds; None: of one cluster nothing can be said
    high: float | None
    worse: float  # p-value that the candidate has the lower value
    better: float  # ... the higher
    spread: float  # variance of the difference times the number of clusters


def seed(ids: Iterable[str]) -> int:
    """A seed out of the items' content hashes: the same items, in any order, draw the same samples."""
    return int.from_bytes(hashlib.sha256("\n".join(sorted(ids)).encode()).digest()[:8])


def resample(kind_of: Sequence[int], difference: Difference, changed: int, seeded: int, confidence: float) -> Drawn:
    """Bounds and p-values of a difference, over clusters drawn with replacement.

    Args:
        kind_of: for each cluster the number of its kind, 0..K-1.
        difference: called with how often each kind was drawn.
        changed: clusters in which candidate and reference differ.
        seeded: from `seed`.
        confidence: of each bound for itself.

    Bounds and p-values are the percentile's or Student's, whichever is the more careful: percentiles of few items are
    too narrow, and of macro-F1 on 150 items called twice as many candidates worse as they should. No paired test is
    surer than 2^-changed, so neither is this one.

    Sources: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 13 and 16; Hesterberg 2015, The
    American Statistician 69:371-386, on few items; Koehn 2004, EMNLP, for corpus metrics.
    """
    kinds = np.asarray(kind_of, dtype=np.int64)
    clusters, every = len(kinds), int(kinds.max()) + 1
    observed = float(difference(np.bincount(kinds, minlength=every)[None, :].astype(float))[0])
    if clusters < 2:
        return Drawn(difference=observed, low=None, high=None, worse=1.0, better=1.0, spread=0.0)
    drawn = np.concatenate(
        [difference(counts_BK) for counts_BK in _counts(kinds, every, np.random.default_rng(seeded))]
    )
    freedom = clusters - 1
    error = float(drawn.std()) * (clusters / freedom) ** 0.5
    reach = student(confidence, freedom) * error
    tails = np.quantile(drawn, [1 - confidence, confidence])
    return Drawn(
        difference=observed,
        low=min(float(tails[0]), observed - reach),
        high=max(float(tails[1]), observed + reach),
        worse=_p_value(drawn >= 0, -observed, error, freedom, changed),
        better=_p_value(drawn <= 0, observed, error, freedom, changed),
        spread=clusters * error**2,
    )


def _counts(kinds: NDArray[np.int64], every: int, random: np.random.Generator) -> Iterable[Floats]:
    """How often each kind was drawn, chunk by chunk, (B, K)."""
    chunk = max(1, _CELLS // max(len(kinds), every))
    for start in range(0, SAMPLES, chunk):
        rows = min(chunk, SAMPLES - start)
        picked = kinds[random.integers(0, len(kinds), size=(rows, len(kinds)))]
        picked += np.arange(rows)[:, None] * every
        yield np.bincount(picked.ravel(), minlength=rows * every).reshape(rows, every).astype(float)


def _p_value(against: NDArray[np.bool_], beyond: float, error: float, freedom: int, changed: int) -> float:
    """That a difference `beyond` 0 is chance; `against`: samples that do not show it."""
    if beyond <= 0:
        return 1.0
    share = (int(against.sum()) + 1) / (len(against) + 1) if against.any() else 0.0
    return max(share, tail(beyond / error, freedom) if error else 0.0, 2.0**-changed)
