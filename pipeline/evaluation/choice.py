"""Which label a model chooses, and how sure it is of it."""

from collections.abc import Sequence

import numpy as np

NORMALIZE = ("none", "length")


def choose(scores: Sequence[float], lengths: Sequence[int], normalize: str) -> tuple[int, float]:
    """The likeliest label, and its probability among the labels, 0..1.

    Args:
        scores: log-likelihood of each label, nats, at least one.
        lengths: tokens of each label, the end of the turn included.
        normalize: none: log-likelihoods as they are; length: per token, so that long labels are not at a loss.
    """
    values_L = np.asarray(scores, dtype=np.float64)
    if normalize == "length":
        values_L = values_L / np.asarray(lengths)
    best = int(values_L.argmax())
    return best, float(1 / np.exp(values_L - values_L[best]).sum())
