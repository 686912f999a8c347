import pytest

from pipeline.model.metrics import measure


@pytest.mark.parametrize(
    ("answers", "predicted", "accuracy", "macro_f1"),
    [
        pytest.param("aab", "aab", 1.0, 1.0, id="all-right"),
        pytest.param("aa", "bb", 0.0, 0.0, id="all-wrong"),
        # a: 2*1/(2+1) = 2/3; b: 2*1/(1+2) = 2/3
        pytest.param("aab", "abb", 0.666667, 0.666667, id="mean-of-each-labels-f1"),
        # a: 2*2/(3+2) = 0.8; b is never predicted: 0; c: 2*1/(1+4) = 0.4
        pytest.param("aaabbc", "aacccc", 0.5, 0.4, id="label-never-predicted-counts-with-zero"),
        # a: 2*1/(2+1) = 2/3; z is no label of the slice
        pytest.param("aa", "az", 0.5, 0.666667, id="label-only-predicted-is-no-class"),
        pytest.param("aaaa", "aaaa", 1.0, 1.0, id="one-class"),
    ],
)
def test_measure(answers, predicted, accuracy, macro_f1):
    found = measure(list(answers), list(predicted))
    assert found == {"accuracy": accuracy, "macro_f1": macro_f1, "items": len(answers)}


def test_no_items_are_not_measured():
    assert measure([], []) == {"accuracy": None, "macro_f1": None, "items": 0}


def test_answers_and_predictions_must_pair():
    with pytest.raises(ValueError, match="shorter"):
        measure(["a", "b"], ["a"])
