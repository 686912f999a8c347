"""The label that a model says, from the log-likelihoods of all labels."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.settings import Normalize


def choose(
    scores: Sequence[float] | npt.NDArray[np.float64], lengths: Sequence[int], normalize: Normalize
) -> tuple[int | None, float]:
    """The likeliest label, and the softmax probability that it has among the labels.

    Args:
        scores: log-likelihood of each label, nats, summed over its tokens; its end of turn included.
        lengths: tokens of each label, end included.
        normalize: none: by the sum, which is a probability; length: by the mean per token, so that a label
            of many tokens is not the less likely for their number. The probability follows the same figures.

    Returns:
        Place of the label, the first of equals, and 0..1. Without a label, or where a model's figures are no
        numbers (its weights diverged): None and 0, an item answered wrongly.
    """
    values = np.asarray(scores, dtype=np.float64)
    if normalize == "length":
        values = values / np.asarray(lengths, dtype=np.float64)
    values = np.where(np.isnan(values), -np.inf, values)
    best = int(values.argmax()) if values.size else None
    if best is None or not np.isfinite(values[best]):
        return None, 0.0
    return best, float(1.0 / np.exp(values - values[best]).sum())
