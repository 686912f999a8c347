import math

import numpy as np
import pytest

from pipeline.evaluation.predict.chosen_label import choose

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("scores", "lengths", "normalize", "expected"),
    [
        pytest.param([math.log(0.2), math.log(0.6)], [1, 1], "none", (1, 0.75), id="share-among-the-labels"),
        pytest.param([-6.0, -5.0], [3, 1], "none", (1, 1 / (1 + math.exp(-1))), id="sum-of-the-tokens"),
        pytest.param([-6.0, -5.0], [3, 1], "length", (0, 1 / (1 + math.exp(-3))), id="mean-of-the-tokens"),
        pytest.param([-2.0, -2.0], [1, 1], "none", (0, 0.5), id="first-of-equals"),
        pytest.param([-900.0, -901.0], [1, 1], "none", (0, 1 / (1 + math.exp(-1))), id="too-small-for-exp"),
        pytest.param([-3.0], [2], "length", (0, 1.0), id="a-single-label-is-certain"),
        pytest.param([], [], "length", (None, 0.0), id="no-label"),
        pytest.param([NAN, -5.0], [1, 1], "none", (1, 1.0), id="no-number-is-never-chosen"),
        pytest.param([NAN, NAN], [1, 1], "none", (None, 0.0), id="weights-that-diverged-say-nothing"),
        pytest.param([-INF, -INF], [1, 1], "none", (None, 0.0), id="impossible-labels"),
    ],
)
def test_choose(scores, lengths, normalize, expected):
    index, confidence = choose(scores, lengths, normalize)
    assert (index, confidence) == (expected[0], pytest.approx(expected[1]))


def test_ten_thousand_labels():
    scores = -np.arange(10_000.0)
    assert choose(scores, [1] * 10_000, "none") == (0, pytest.approx(1 - math.exp(-1)))
