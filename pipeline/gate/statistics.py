"""Paired comparisons by the book: intervals, exact tests, corrections, and how many items they need. Pure numbers."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

POWER = 0.80  # with which a slice that is called big enough would pass, were nothing changed
_STEPS = 40  # of bisection: the interval of length 2 shrinks below 1e-11
_NORMAL = NormalDist()


def tango(fixed: Any, broken: Any, items: Any, confidence: float) -> tuple[Any, Any]:
    """One-sided score bounds of a difference of paired proportions, (fixed - broken) / items.

    Args:
        fixed: pairs wrong in the reference and right in the candidate; a number or an array.
        broken: pairs right in the reference and wrong in the candidate.
        items: all pairs, at least 1.
        confidence: of each bound for itself, such as 0.95.

    Returns:
        (low, high), in -1..1. With nothing discordant they are -/+ z^2 / (items + z^2), never a point.

    Source: Tango 1998, Statistics in Medicine 17:891-908. The nuisance parameter's estimate is its equation for
    q21; the bounds are found by bisection, since the statistic falls as the difference rises.
    """
    z = _NORMAL.inv_cdf(confidence)
    fixed, broken, items = (np.asarray(value, dtype=float) for value in (fixed, broken, items))
    low = _bound(fixed, broken, items, z)
    high = -_bound(broken, fixed, items, z)
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


def _bound(up: Any, down: Any, items: Any, z: float) -> Any:
    """The lower bound: where the score statistic equals z, below the estimate."""
    inside = (up - down) / items
    below, above = np.full_like(inside, -1.0), inside
    for _ in range(_STEPS):
        middle = (below + above) / 2
        outside = _score(up, down, items, middle) > z
        below, above = np.where(outside, middle, below), np.where(outside, above, middle)
    return below


def _score(up: Any, down: Any, items: Any, difference: Any) -> Any:
    """Tango's statistic: how far the counts lie above what `difference` expects, in standard deviations."""
    a = 2 * items
    b = -up - down + (2 * items - up + down) * difference
    c = -down * difference * (1 - difference)
    q = (np.sqrt(np.maximum(b * b - 4 * a * c, 0)) - b) / (2 * a)
    variance = items * (2 * q + difference * (1 - difference))
    beyond = up - down - items * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(beyond <= 0, 0.0, beyond / np.sqrt(np.maximum(variance, 0)))


def mcnemar_worse(fixed: int, broken: int) -> float:
    """Exact one-sided p-value of McNemar's test that the candidate is worse: P(X >= broken), X ~ Bin(both, 1/2).

    Source: McNemar 1947, Psychometrika 12:153-157, in its exact form, the sign test on discordant pairs.
    """
    fixed, broken = int(fixed), int(broken)  # Python's: a numpy integer would overflow
    pairs = fixed + broken
    term = total = 1  # comb(pairs, k), summed over k = 0 .. fixed
    for k in range(fixed):
        term = term * (pairs - k) // (k + 1)
        total += term
    return total / (1 << pairs)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: reject where one is at most the family's error rate.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65-70; valid however the tests depend on one another.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def effort(confidence: float) -> float:
    """The factor of n = factor * spread / margin^2, 6.18 at 0.95: (z of the confidence + z of a power of 0.80)^2.

    Source: Connor 1987, Biometrics 43:207-211, for paired proportions, with no true difference assumed; Julious
    2004, Statistics in Medicine 23:1921-1986, for non-inferiority.
    """
    found: float = (_NORMAL.inv_cdf(confidence) + _NORMAL.inv_cdf(POWER)) ** 2
    return found


def needed(factor: float, spread: float, margin: float) -> int | None:
    """Items of which so many tell a difference of `margin`; None for a margin of 0, which no number tells.

    Args:
        factor: `effort`'s.
        spread: variance of the difference of one pair, in the metric's unit squared; share of discordant pairs, psi.
        margin: the allowed difference, in the metric's unit.
    """
    return math.ceil(round(factor * spread / margin**2, 6)) if margin > 0 else None


def detectable(factor: float, spread: float, items: int) -> float | None:
    """The difference that so many items tell: `needed`, solved for the margin."""
    return math.sqrt(factor * spread / items) if items else None


def student(confidence: float, freedom: int) -> float:
    """Quantile of Student's t; exact for 1 and 2 degrees of freedom, from 3 on within 0.002.

    Source: Abramowitz & Stegun 1964, 26.7.5.
    """
    if freedom == 1:
        return math.tan(math.pi * (confidence - 0.5))
    if freedom == 2:
        side = 2 * confidence - 1
        return side * math.sqrt(2 / (1 - side**2))
    z: float = _NORMAL.inv_cdf(confidence)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))


def tail(t: float, freedom: int) -> float:
    """Probability that Student's t exceeds a positive `t`; far out rather too large.

    Source: Abramowitz & Stegun 1964, 26.7.8.
    """
    return _NORMAL.cdf(-t * (1 - 1 / (4 * freedom)) / math.sqrt(1 + t * t / (2 * freedom)))
