"""The facts of a report, read from the files that the stages before wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.common import files
from pipeline.report import changed_examples, item_texts
from pipeline.report.facts import Facts

REPORTS = Path("reports")
DATA = Path("data")


def read(
    verdict: Mapping[str, Any],
    gate: Mapping[str, Any],
    predictions: Mapping[str, Any],
    increment: str,
    changes: Mapping[str, Any],
) -> Facts:
    """Everything that the report shows.

    Args:
        verdict: content of verdict.json.
        gate: section `gate` of params.yaml.
        predictions: content of reports/predictions.json; its `releases` name parent and anchor.
        increment: its name, without folders.
        changes: content of changes.json.
    """
    releases = predictions.get("releases") or {}
    return Facts(
        verdict=verdict,
        metrics=files.read_json(REPORTS / "metrics.json"),
        release=releases.get("parent"),
        anchor=releases.get("anchor"),
        increment=increment,
        prepared=files.read_json(DATA / "prepared/report.json"),
        assembled=files.read_json(DATA / "assembled/report.json"),
        training=files.read_json(REPORTS / "training.json"),
        gate=gate,
        predictions=predictions,
        changes=changes,
        details=files.read_json(REPORTS / "details.json"),
        matrix=files.read_json(REPORTS / "matrix.json"),
        texts=item_texts.read(DATA / "assembled/slices", changed_examples.shown(predictions, verdict)),
        curve=(REPORTS / "plots/loss.csv").read_text(encoding="utf-8"),
        rates=(REPORTS / "plots/learning_rate.csv").read_text(encoding="utf-8"),
    )
