"""reports/details.json and the rows of DVC's plots: what stands behind the candidate's figures."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.evaluation.metrics import calibration, classification

Item = Mapping[str, Any]  # of predictions.json
CONFUSION_ROWS = 5_000  # of the plot; details.json counts every item


def details(items: Sequence[Item], robustness: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Content of details.json.

    Args:
        items: every item once, of any kinds; only classifications count.
        robustness: of each slice and kind of perturbation.

    Returns:
        labels: precision, recall, f1, support and predicted of each label among answers or predictions;
        confusion: [actual, predicted, items], sorted, without zeros; predicted "": no label was told;
        calibration: 10 bins of low, high, items, confidence, accuracy; robustness.
    """
    labelled = _labelled(items)
    answers = [item["answer"] for item in labelled]
    predicted = [item["candidate"]["predicted"] for item in labelled]
    return {
        "labels": classification.by_label(answers, predicted),
        "confusion": [list(cell) for cell in classification.confusion(answers, predicted)],
        "calibration": calibration.bins(*_certainty(labelled)),
        "robustness": dict(robustness or {}),
    }


def plots(
    items: Sequence[Item], found: Mapping[str, Any], metrics: Mapping[str, Any], matrix: Mapping[str, Any]
) -> dict[str, str]:
    """Every file of reports/plots that evaluate writes: name and content; `found` is what `details` returned."""
    return {
        "confusion.csv": confusion_csv(items),
        "calibration.csv": calibration_csv(found),
        "slices.csv": slices_csv(metrics),
        "forgetting.csv": forgetting_csv(matrix),
    }


def confusion_csv(items: Sequence[Item]) -> str:
    """plots/confusion.csv: actual and predicted, a row an item, in the order of ids.

    Of more than 5,000 items those with the lowest ids, which are hashes of their content: a sample at random that
    stays the same.
    """
    chosen = sorted(_labelled(items), key=lambda item: str(item["id"]))[:CONFUSION_ROWS]
    return _csv(["actual", "predicted"], ((item["answer"], item["candidate"]["predicted"]) for item in chosen))


def calibration_csv(found: Mapping[str, Any]) -> str:
    """plots/calibration.csv, from `details`: confidence and accuracy of each bin that has items."""
    rows = [row for row in found["calibration"] if row["items"]]
    return _csv(
        ["confidence", "accuracy", "items"], ((row["confidence"], row["accuracy"], row["items"]) for row in rows)
    )


def slices_csv(metrics: Mapping[str, Any]) -> str:
    """plots/slices.csv, from metrics.json: the accuracy of each slice on each side that was measured."""
    measured = [(side, metrics[side]["slices"]) for side in ("candidate", "parent", "anchor") if metrics.get(side)]
    names = sorted({name for _, slices in measured for name in slices})
    rows = ((name, side, slices.get(name, {}).get("accuracy")) for name in names for side, slices in measured)
    return _csv(["slice", "release", "accuracy"], (row for row in rows if row[2] is not None))


def forgetting_csv(matrix: Mapping[str, Any]) -> str:
    """plots/forgetting.csv, from matrix.json: the accuracy of each release on each slice, oldest release first."""
    rows = (
        (release["release"] or "candidate", name, accuracy)
        for release in matrix["releases"]
        for name, accuracy in sorted(release["accuracy"].items())
    )
    return _csv(["release", "slice", "accuracy"], rows)


def _labelled(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item["kind"] == "classification"]


def _certainty(items: Iterable[Item]) -> tuple[list[float], list[bool]]:
    told = [(item["candidate"], item["answer"]) for item in items if "confidence" in item["candidate"]]
    return [row["confidence"] for row, _ in told], [row["predicted"] == answer for row, answer in told]


def _csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return content.getvalue()
