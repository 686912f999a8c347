"""What labels are rare, and how often their records are to be drawn."""

from collections import Counter
from collections.abc import Mapping

from pipeline.data.augment.settings import Scheme

_BETA = 0.999  # the share of a label's records that the next one does not repeat: Cui et al. use 0.9 to 0.9999


def weights(counts: Mapping[str, int], scheme: Scheme, most: float) -> dict[str, float]:
    """How often a record of each label is drawn: on average once, at most `most` times, at least 1 / `most` times.

    Args:
        counts: records by label, each at least 1.
        scheme: inverse: by 1 / n | effective: by (1 - beta) / (1 - beta ** n), the inverse of the effective number
            of samples, Cui et al. 2019, arXiv:1901.05555.
        most: bounds the weights.
    """
    if scheme == "none" or not counts:
        return {}
    raw = {label: 1 / count if scheme == "inverse" else _effective(count) for label, count in counts.items()}
    mean = sum(raw[label] * count for label, count in counts.items()) / sum(counts.values())
    return {label: round(min(max(value / mean, 1 / most), most), 4) for label, value in raw.items()}


def rare(counts: Counter[str], below: int) -> dict[str, int]:
    """Labels with fewer than `below` records, and how many each lacks."""
    return {label: below - count for label, count in sorted(counts.items()) if count < below}


def _effective(count: int) -> float:
    return (1 - _BETA) / (1 - _BETA**count)
