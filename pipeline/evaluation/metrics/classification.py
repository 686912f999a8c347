"""Metrics of a classification, equal to scikit-learn's on the same answers and predictions."""

import math
from collections import Counter
from collections.abc import Sequence

DIGITS = 6  # floats are rounded, so that a report shows what was compared
NONE = ""  # predicted where no label could be told: an error, and no label

Cell = tuple[str, str, int]  # actual, predicted, items


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
    right, actual, guessed = _counts(answers, predicted)
    return {
        "accuracy": round(right.total() / len(answers), DIGITS),
        "macro_f1": round(math.fsum(_f1(right, actual, guessed, label) for label in actual) / len(actual), DIGITS),
        "items": len(answers),
    }


def by_label(answers: Sequence[str], predicted: Sequence[str]) -> dict[str, dict[str, float | int]]:
    """Precision, recall, F1, support (items of the label) and predicted (items called so) of each label.

    Labels are those that occur among answers or predictions, sorted; what divides by zero is 0, as
    sklearn.metrics.precision_recall_fscore_support(..., zero_division=0) has it: the precision of a label
    never predicted, the recall of a label without items.
    """
    right, actual, guessed = _counts(answers, predicted)
    return {
        label: {
            "precision": round(right[label] / max(guessed[label], 1), DIGITS),
            "recall": round(right[label] / max(actual[label], 1), DIGITS),
            "f1": round(_f1(right, actual, guessed, label), DIGITS),
            "support": actual[label],
            "predicted": guessed[label],
        }
        for label in sorted((actual.keys() | guessed.keys()) - {NONE})
    }


def confusion(answers: Sequence[str], predicted: Sequence[str]) -> list[Cell]:
    """The cells of the confusion matrix that are not zero, sorted; of 10,000 labels no 100 million cells are made."""
    cells = Counter(zip(answers, predicted, strict=True))
    return [(*pair, items) for pair, items in sorted(cells.items())]


def _counts(answers: Sequence[str], predicted: Sequence[str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    right = Counter(answer for answer, guess in zip(answers, predicted, strict=True) if answer == guess)
    return right, Counter(answers), Counter(predicted)


def _f1(right: Counter[str], actual: Counter[str], guessed: Counter[str], label: str) -> float:
    return 2 * right[label] / (actual[label] + guessed[label])  # never 0: the label occurs in one of them
