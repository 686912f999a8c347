"""Writes what follows from predictions.json: metrics, details, the chain's matrix and the plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.chain.lock import lockfile
from pipeline.common import files
from pipeline.evaluation.metrics import figures

METRICS = Path("reports/metrics.json")
DETAILS = Path("reports/details.json")
MATRIX = Path("reports/matrix.json")
PLOTS = Path("reports/plots")
PARENTS_MATRIX = Path("models/parent/matrix.json")


def write(predictions: Mapping[str, Any], slices: Sequence[str], language: str | None) -> figures.Figures:
    """Compute all figures and write them; returns them.

    Args:
        predictions: content of predictions.json.
        slices: their names, those without items, too.
        language: evaluate.language.
    """
    computed = figures.figures(
        predictions,
        slices,
        language=language,
        increment=Path(lockfile.load().increment).name,
        before=files.read_json(PARENTS_MATRIX) if PARENTS_MATRIX.exists() else None,
    )
    files.write_json(METRICS, computed.metrics)
    files.write_json(DETAILS, computed.details)
    files.write_json(MATRIX, computed.matrix)
    for name, text in computed.plots.items():
        files.write_text(PLOTS / name, text)
    return computed
