import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest

from pipeline.gate import statistics


def quartic(b: int, c: int, n: int, confidence: float) -> tuple[float, float]:
    """Tango's bounds without iteration: Yang, Sun & Hardin 2013, Statistics in Medicine 32:1336-1342."""
    g, d = NormalDist().inv_cdf(confidence) ** 2, b - c
    roots = np.roots([
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * ((b + c) / g + 1),
        n * d * (2 * (b + c) / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - (b + c)) / g,
    ])  # fmt: skip
    real = sorted(root.real for root in roots if abs(root.imag) < 1e-6)
    return real[0], real[-1]


@pytest.mark.parametrize(("fixed", "broken", "items"), [(1, 7, 21), (40, 20, 160), (3, 9, 54), (60, 90, 1500)])
@pytest.mark.parametrize("confidence", [0.90, 0.95, 0.975])
def test_tango_equals_the_closed_form(fixed, broken, items, confidence):
    assert statistics.tango(fixed, broken, items, confidence) == pytest.approx(
        quartic(fixed, broken, items, confidence), abs=1e-6
    )


def test_tango_of_a_published_table():
    # Bentur et al. 2009, airway hyper-responsiveness, as in Fagerland, Lydersen & Laake 2014: 95%, two-sided.
    assert statistics.tango(1, 7, 21, 0.975) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_tango_inverts_the_score_test_with_the_restricted_likelihood():
    fixed, broken, items = 4, 11, 80
    low, _ = statistics.tango(fixed, broken, items, 0.95)
    q = np.linspace(1e-6, 0.5, 400_001)  # share broken, given the difference: found by brute force
    up, rest = q + low, 1 - 2 * q - low
    known = (up > 0) & (rest > 0)
    likelihood = np.full_like(q, -np.inf)
    likelihood[known] = (
        fixed * np.log(up[known]) + broken * np.log(q[known]) + (items - fixed - broken) * np.log(rest[known])
    )
    best = q[likelihood.argmax()]
    score = (fixed - broken - items * low) / math.sqrt(items * (2 * best + low * (1 - low)))
    assert score == pytest.approx(NormalDist().inv_cdf(0.95), abs=1e-3)


@pytest.mark.parametrize("items", [1, 2, 12, 1500])
def test_nothing_discordant_is_no_certainty(items):
    z = NormalDist().inv_cdf(0.95)
    bound = z**2 / (items + z**2)
    assert statistics.tango(0, 0, items, 0.95) == pytest.approx((-bound, bound))


@pytest.mark.parametrize(("fixed", "broken"), [(0, 5), (5, 0), (2, 3)])
def test_bounds_stay_inside_and_mirror_each_other(fixed, broken):
    low, high = statistics.tango(fixed, broken, 5, 0.95)
    assert -1 <= low <= (fixed - broken) / 5 <= high <= 1
    assert statistics.tango(broken, fixed, 5, 0.95) == pytest.approx((-high, -low))


def test_tango_of_arrays_is_that_of_each():
    fixed, broken = np.array([3, 0, 10]), np.array([5, 0, 1])
    low, high = statistics.tango(fixed, broken, np.array([50, 50, 60]), 0.95)
    for index, items in enumerate((50, 50, 60)):
        alone = statistics.tango(int(fixed[index]), int(broken[index]), items, 0.95)
        assert (low[index], high[index]) == pytest.approx(alone)


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (0, 1), (3, 9), (9, 3), (7, 7)])
def test_mcnemar_counts_every_outcome(fixed, broken):
    pairs = fixed + broken
    as_bad = sum(sum(flips) >= broken for flips in itertools.product((0, 1), repeat=pairs))
    assert statistics.mcnemar_worse(fixed, broken) == as_bad / 2**pairs


def test_mcnemar_of_very_many_pairs_is_still_a_number():
    logs = [math.lgamma(10_001) - math.lgamma(k + 1) - math.lgamma(10_001 - k) for k in range(5100, 10_001)]
    summed = math.fsum(math.exp(log - 10_000 * math.log(2)) for log in logs)
    assert statistics.mcnemar_worse(np.int64(4900), np.int64(5100)) == pytest.approx(summed, rel=1e-6)
    assert statistics.mcnemar_worse(0, 5000) == 0.0


def test_holm():
    # by hand: 4 * .005, 3 * .01, 2 * .03, and no later one below an earlier one
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([]) == []
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]


def test_needed_items_and_detectable_difference_are_one_formula():
    factor = statistics.effort(0.95)
    assert factor == pytest.approx(6.18, abs=0.005)
    assert statistics.needed(factor, 0.10, 0.03) == 687
    assert statistics.detectable(factor, 0.10, 687) == pytest.approx(0.03, abs=1e-5)
    assert statistics.needed(factor, 0.10, 0.0) is None
    assert statistics.detectable(factor, 0.10, 0) is None


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 6.3138), (2, 2.9200), (3, 2.3534), (4, 2.1318), (5, 2.0150), (10, 1.8125), (30, 1.6973), (1000, 1.6464)],
)
def test_student_equals_the_tables(freedom, t):
    assert statistics.student(0.95, freedom) == pytest.approx(t, abs=0.002)


@pytest.mark.parametrize(("freedom", "t"), [(5, 2.0150), (10, 1.8125), (30, 1.6973), (1000, 1.6464)])
def test_tail_undoes_student(freedom, t):
    assert statistics.tail(t, freedom) == pytest.approx(0.05, abs=0.005)
