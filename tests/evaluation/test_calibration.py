import random

import pytest

from pipeline.evaluation.metrics import calibration


def test_error_is_the_gap_of_each_bin_weighted_by_its_items():
    # (0.9, 1.0]: mean 0.95, one of two right: gap 0.45; (0.6, 0.7]: 0.7, right: gap 0.3
    assert calibration.error([0.91, 0.99, 0.7], [True, False, True]) == pytest.approx((2 * 0.45 + 0.3) / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("confidence", "low"),
    [(0.0, 0.0), (0.1, 0.0), (0.100001, 0.1), (0.3, 0.2), (0.7, 0.6), (0.9, 0.8), (1.0, 0.9)],
)
def test_a_bin_holds_its_upper_end(confidence, low):
    [found] = [row for row in calibration.bins([confidence], [True]) if row["items"]]
    assert found == {
        "low": low, "high": pytest.approx(low + 0.1), "items": 1, "confidence": confidence, "accuracy": 1.0
    }  # fmt: skip


def test_without_items_nothing_is_measured():
    assert calibration.error([], []) is None
    assert {(row["items"], row["confidence"], row["accuracy"]) for row in calibration.bins([], [])} == {(0, None, None)}


def test_error_follows_from_the_bins_whatever_the_order():
    dice = random.Random(1)  # noqa: S311
    rows = [(round(dice.random(), 6), dice.random() < 0.5) for _ in range(500)]
    error = calibration.error(*map(list, zip(*rows, strict=True)))
    found = calibration.bins(*map(list, zip(*rows, strict=True)))
    assert error == pytest.approx(
        sum(row["items"] * abs(row["accuracy"] - row["confidence"]) for row in found) / 500, abs=2e-6
    )
    dice.shuffle(rows)
    assert calibration.error(*map(list, zip(*rows, strict=True))) == error
