"""Calibration: is a model that says 80% right in 80% of the cases?

Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599, section 2.
"""

import math
from collections.abc import Sequence
from typing import Any

BINS = 10  # of equal width: bin m holds what lies in (m/10, (m+1)/10], the first one 0, too
DIGITS = 6
_MILLION = 1_000_000


def bins(confidences: Sequence[float], right: Sequence[bool]) -> list[dict[str, Any]]:
    """The reliability diagram: of each bin its items, mean confidence and accuracy (null without items).

    Args:
        confidences: probability of the predicted label, 0..1; six digits of it count.
        right: whether that label is the answer.

    Returns:
        BINS rows of low, high, items, confidence, accuracy.
    """
    parts: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for confidence, hit in zip(confidences, right, strict=True):
        parts[_bin(confidence)].append((confidence, hit))
    return [{"low": place / BINS, "high": (place + 1) / BINS, **_row(part)} for place, part in enumerate(parts)]


def error(confidences: Sequence[float], right: Sequence[bool]) -> float | None:
    """Expected calibration error, 0..1: mean over the items of |accuracy - confidence| of their bin; null without any.

    ECE = sum over bins of n_bin / n * |accuracy_bin - confidence_bin| (equation 3).
    """
    if not confidences:
        return None
    gaps: list[list[float]] = [[] for _ in range(BINS)]
    for confidence, hit in zip(confidences, right, strict=True):
        gaps[_bin(confidence)].append(hit - confidence)
    return round(math.fsum(abs(math.fsum(gap)) for gap in gaps) / len(confidences), DIGITS)


def _bin(confidence: float) -> int:
    # In millionths: 0.7 * 10 is more than 7 in floating point and would fall into the bin above.
    millionths = round(confidence * _MILLION)
    return min(max(math.ceil(millionths / (_MILLION // BINS)) - 1, 0), BINS - 1)


def _row(part: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    if not part:
        return {"items": 0, "confidence": None, "accuracy": None}
    return {
        "items": len(part),
        "confidence": round(math.fsum(confidence for confidence, _ in part) / len(part), DIGITS),
        "accuracy": round(sum(hit for _, hit in part) / len(part), DIGITS),
    }
