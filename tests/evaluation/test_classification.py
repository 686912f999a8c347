import random
import time

import pytest

from pipeline.evaluation.metrics import classification
from pipeline.evaluation.metrics.classification import measure


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
        pytest.param(["a", "b"], ["a", ""], 0.5, 0.5, id="no-label-told-is-wrong"),
    ],
)
def test_measure(answers, predicted, accuracy, macro_f1):
    found = measure(list(answers), list(predicted))
    assert found == {"accuracy": accuracy, "macro_f1": macro_f1, "items": len(answers)}


def test_no_items_are_not_measured():
    assert measure([], []) == {"accuracy": None, "macro_f1": None, "items": 0}
    assert classification.by_label([], []) == {}
    assert classification.confusion([], []) == []


def test_answers_and_predictions_must_pair():
    for function in (measure, classification.by_label, classification.confusion):
        with pytest.raises(ValueError, match="shorter"):
            function(["a", "b"], ["a"])


def drawn(items: int, labels: int, seed: int = 5) -> tuple[list[str], list[str]]:
    """Answers of labels whose frequencies differ, three in five of them predicted rightly."""
    dice = random.Random(seed)  # noqa: S311
    names = [f"label {number}" for number in range(labels)]
    answers = [names[int(labels * dice.random() ** 2)] for _ in range(items)]
    return answers, [answer if dice.random() < 0.6 else dice.choice(names) for answer in answers]


def test_figures_are_scikit_learns():
    """scikit-learn 1.9.1's of the same 400 items: see the test below."""
    answers, predicted = drawn(400, 6)
    assert measure(answers, predicted) == {"accuracy": 0.685, "macro_f1": 0.660334, "items": 400}
    assert classification.by_label(answers, predicted)["label 3"] == {
        "precision": 0.5625, "recall": 0.627907, "f1": 0.593407, "support": 43, "predicted": 48
    }  # fmt: skip


@pytest.mark.parametrize(("items", "labels"), [(400, 6), (300, 200), (50, 1), (1, 3)])
def test_every_figure_is_scikit_learns(items, labels):
    metrics = pytest.importorskip("sklearn.metrics")
    answers, predicted = drawn(items, labels)
    known = sorted({*answers, *predicted})
    f1 = metrics.f1_score(answers, predicted, labels=sorted(set(answers)), average="macro", zero_division=0)
    accuracy = metrics.accuracy_score(answers, predicted)
    assert measure(answers, predicted) == {"accuracy": round(accuracy, 6), "macro_f1": round(f1, 6), "items": items}
    figures = metrics.precision_recall_fscore_support(answers, predicted, labels=known, zero_division=0)
    found = classification.by_label(answers, predicted)
    for name, values in zip(("precision", "recall", "f1", "support"), figures, strict=True):
        assert [found[label][name] for label in known] == pytest.approx(values.tolist(), abs=1e-6)
    matrix = metrics.confusion_matrix(answers, predicted, labels=known)
    cells = {
        (known[row], known[column]): int(matrix[row, column]) for row, column in zip(*matrix.nonzero(), strict=True)
    }
    assert {(actual, guess): count for actual, guess, count in classification.confusion(answers, predicted)} == cells


def test_label_never_predicted_and_label_without_items_have_zeros():
    found = classification.by_label(["a", "a", "b"], ["a", "c", ""])
    assert found["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1, "predicted": 0}
    assert found["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0, "predicted": 1}
    assert list(found) == ["a", "b", "c"]  # no label was told of the third item


def test_confusion_is_sparse_and_sorted():
    found = classification.confusion(["b", "a", "a", "a"], ["a", "b", "a", "b"])
    assert found == [("a", "a", 1), ("a", "b", 2), ("b", "a", 1)]


def test_ten_thousand_labels_take_no_longer_than_their_items():
    answers, predicted = drawn(30_000, 10_000)
    started = time.process_time()
    measure(answers, predicted)
    assert len(classification.by_label(answers, predicted)) > 9_000
    assert len(classification.confusion(answers, predicted)) < 30_000
    assert time.process_time() - started < 2  # a matrix of them all would take minutes


def test_order_of_the_items_changes_nothing():
    answers, predicted = drawn(500, 40)
    pairs = list(zip(answers, predicted, strict=True))
    random.Random(2).shuffle(pairs)  # noqa: S311
    other = [list(column) for column in zip(*pairs, strict=True)]
    for function in (measure, classification.by_label, classification.confusion):
        assert function(answers, predicted) == function(*other)
