"""Metrics of a classification, equal to scikit-learn's on the same answers and predictions."""

from collections import Counter
from collections.abc import Sequence

DIGITS = 6  # floats are rounded, so that a report shows what was compared


def measure(answers: Sequence[str], predicted: Sequence[str]) -> dict[str, float | int | None]:
    """Accuracy, macro-F1 and the number of items; without items there is nothing to measure, hence null.

    Macro-F1 is the plain mean of F1 over the labels that occur among the answers:
    sklearn.metrics.f1_score(answers, predicted, labels=sorted(set(answers)), average="macro"). Labels
    that are only predicted are errors of the others and no classes of the slice; were they classes, one
    old title in a new category would cost a twelfth, and candidate and parent would be averaged over
    different labels.
    """
    if not answers:
        return {"accuracy": None, "macro_f1": None, "items": 0}
    right = Counter(answer for answer, guess in zip(answers, predicted, strict=True) if answer == guess)
    return {
        "accuracy": round(right.total() / len(answers), DIGITS),
        "macro_f1": round(_macro_f1(right, Counter(answers), Counter(predicted)), DIGITS),
        "items": len(answers),
    }


def _macro_f1(right: Counter[str], answers: Counter[str], predicted: Counter[str]) -> float:
    # F1 = 2 * true positives / (answers of the label + predictions of the label)
    labels = sorted(answers)
    return sum(2 * right[label] / (answers[label] + predicted[label]) for label in labels) / len(labels)
