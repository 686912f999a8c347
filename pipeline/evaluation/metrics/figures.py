"""predictions.json -> metrics, details, the chain's matrix and plots: all that follows from what was said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.evaluation import predictions
from pipeline.evaluation.metrics import details, matrix, robustness, slice_metrics


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Contents of what `evaluate` writes beside predictions.json."""

    metrics: dict[str, Any]
    details: dict[str, Any]
    matrix: dict[str, Any]
    plots: Mapping[str, str]  # file of reports/plots -> CSV


def figures(
    found: Mapping[str, Any],
    slices: Sequence[str],
    *,
    language: str | None,
    increment: str,
    before: Mapping[str, Any] | None,
) -> Figures:
    """All figures of some predictions.

    Args:
        found: content of predictions.json.
        slices: their names, those without items, too.
        language: evaluate.language.
        increment: the candidate's.
        before: the parent's matrix.json.
    """
    items = found["items"]
    sides = {
        side: measure(items, slices, side, language) if found["models"][side] is not None else None
        for side in predictions.SIDES
    }
    ours, parent = sides["candidate"] or {}, sides["parent"]
    grown = matrix.extend(
        before, found["releases"]["parent"], increment, ours["slices"], None if parent is None else parent["slices"]
    )
    metrics = {
        **{side: block if block is None else block | _standard(found, side) for side, block in sides.items()},
        "truncated": sum(item["candidate"]["truncated"] for item in items),
        "robustness": robustness.summary(found["robustness"], items),
        "chain": matrix.chain(grown, len(found["labels"])),
    }
    behind = details.details(items, robustness.details(found["robustness"], items))
    plots = details.plots(items, behind, metrics, grown)
    return Figures(metrics=metrics, details=behind, matrix=grown, plots=plots)


def _standard(found: Mapping[str, Any], side: str) -> dict[str, Any]:
    """Standard benchmarks, where any were asked for: of a release null if it was not asked."""
    return {"lm_eval": found["lm_eval"][side]} if "lm_eval" in found else {}


def measure(
    items: Sequence[Mapping[str, Any]], slices: Sequence[str], side: str, language: str | None = None
) -> dict[str, Any]:
    """Metrics of each slice, and of every item once, on one side."""
    inside: dict[str, list[Mapping[str, Any]]] = {name: [] for name in slices}
    for item in items:
        for name in item["slices"]:
            inside[name].append(item)
    return {
        "all": slice_metrics.measure(items, side, language),
        "slices": {name: slice_metrics.measure(held, side, language) for name, held in inside.items()},
    }
