"""Measures in words and digits, the same on every page: names, which way is better, values and differences."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "ece": "calibration error",
    "exact_match": "exact match",
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge_l": "ROUGE-L",
    "loss": "loss",
    "perplexity": "perplexity",
    "preference_accuracy": "preferred",
    "preference_margin": "margin",
    "judge": "judge's score",
    "must_pass": "must-pass items",
    "accuracy_broken": "right before, wrong now",
    "exact_match_broken": "matched before, not now",
    "preference_accuracy_broken": "preferred before, not now",
}
COUNTS = ("items", "tokens", "judged", "unjudged")  # of a block of metrics.json: no measures
NONE = "–"  # where there is no value
# The lower, the better.
_LOWER = {"loss", "perplexity", "ece", "accuracy_broken", "exact_match_broken", "preference_accuracy_broken"}


def title(metric: str) -> str:
    """A metric's name as a reader says it; one unknown here by its own name."""
    return TITLES.get(metric, metric)


def lower_is_better(rules: Mapping[str, Any]) -> set[str]:
    """Metrics that are better the lower they are: losses, and whatever gate.rules bounds from above."""
    asked = [rules.get("all", {}), rules.get("each_slice", {}), *rules.get("slices", {}).values()]
    return _LOWER | {metric for section in asked for metric, rule in section.items() if "at_most" in rule}


def number(value: float | None) -> str:
    """Four digits after the point."""
    return NONE if value is None else f"{value:.4f}"


def signed(value: float | None) -> str:
    """A difference, with its sign; a minus that reads as one."""
    if value is None:
        return NONE
    shown = f"{value:+.4f}"
    return f"{0:.4f}" if isfinite(value) and not float(shown) else shown.replace("-", "−")


def share(value: float | None) -> str:
    """A share of 1 in percent."""
    return NONE if value is None else f"{value:.1%}"


def measured(block: Mapping[str, Any]) -> list[str]:
    """The measures that a block of metrics.json holds, those of Graft first."""
    own = [name for name in TITLES if name in block]
    return own + sorted(set(block) - {*own, *COUNTS})
