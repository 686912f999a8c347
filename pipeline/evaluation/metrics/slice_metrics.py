"""Metrics of a slice whose items may be of several kinds: each kind's own, of what a model said of its items."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.evaluation.metrics import calibration, classification, generation
from pipeline.evaluation.metrics.classification import DIGITS

Item = Mapping[str, Any]  # of predictions.json
Row = Mapping[str, Any]  # what one model said of an item
NAMES = (
    "items", "accuracy", "macro_f1", "ece", *generation.KINDS, "loss", "perplexity", "tokens", "preference_accuracy",
    "preference_margin", "judge", "judged", "unjudged",
)  # fmt: skip
_LARGEST = 700.0  # e to this is still a number


def measure(items: Sequence[Item], side: str, language: str | None = None) -> dict[str, Any]:
    """Metrics of some items; those of a kind that is not among them are absent. In any order the same figures.

    Args:
        items: of any kinds, each once.
        side: candidate, parent or anchor; items of which that model said nothing are left out.
        language: `evaluate.language`.

    Returns:
        items; of classifications accuracy, macro_f1 and ece (10 bins); of generated texts exact_match, bleu, chrf and
        rouge_l; of sft, kto and text loss (nats per learned token), perplexity and tokens, of what is desirable; of
        preference preference_accuracy (share of pairs whose chosen answer is likelier) and preference_margin (mean
        log p(chosen) - log p(rejected), nats); of answers that are judged, where any are to be, judge (mean score),
        judged (how many) and unjudged (how many others); of each metric of `evaluate.custom`
        sum(weight * value) / sum(weight), unless all weights are 0. Null: accuracy and macro_f1 without items, judge
        without scores, and what a model gave no number for.
    """
    told = [(item, item[side]) for item in items if item[side] is not None]
    rows = [row for _, row in told]
    found = _classification([(item, row) for item, row in told if item["kind"] == "classification"], bool(told))
    desirable = [(item, row) for item, row in told if row.get("desirable") is not False]
    found |= _generation([(item, row) for item, row in desirable if "text" in row and "answer" in item], language)
    found |= _likelihood([row for _, row in desirable if "nats" in row])
    found |= _preference([row for row in rows if "chosen" in row])
    found |= _judge([row["judge"]["score"] for row in rows if "judge" in row])
    return found | _custom(rows) | {"items": len(told)}


def _classification(told: Sequence[tuple[Item, Row]], others: bool) -> dict[str, Any]:
    if not told and others:
        return {}
    answers, predicted = [item["answer"] for item, _ in told], [row["predicted"] for _, row in told]
    certain = [(row["confidence"], row["predicted"] == item["answer"]) for item, row in told if "confidence" in row]
    error = calibration.error([confidence for confidence, _ in certain], [hit for _, hit in certain])
    return classification.measure(answers, predicted) | ({} if error is None else {"ece": error})


def _generation(told: Sequence[tuple[Item, Row]], language: str | None) -> dict[str, Any]:
    return generation.measure([row["text"] for _, row in told], [item["answer"] for item, _ in told], language)


def _likelihood(rows: Sequence[Row]) -> dict[str, Any]:
    tokens = sum(row["tokens"] for row in rows)
    if not tokens:
        return {}
    nats = [row["nats"] for row in rows]
    if not _numbers(nats):
        return {"loss": None, "perplexity": None, "tokens": tokens}
    loss = math.fsum(nats) / tokens
    perplexity = math.exp(min(loss, _LARGEST))
    return {"loss": round(loss, DIGITS), "perplexity": round(perplexity, DIGITS), "tokens": tokens}


def _preference(rows: Sequence[Row]) -> dict[str, Any]:
    if not rows:
        return {}
    if not _numbers([row[name] for row in rows for name in ("chosen", "rejected")]):
        return {"preference_accuracy": None, "preference_margin": None}
    margins = [row["chosen"] - row["rejected"] for row in rows]
    return {
        "preference_accuracy": round(sum(margin > 0 for margin in margins) / len(margins), DIGITS),
        "preference_margin": round(math.fsum(margins) / len(margins), DIGITS),
    }


def _judge(scores: Sequence[float | None]) -> dict[str, Any]:
    """Of the scores that there are: an answer that nobody judged counts neither well nor badly."""
    if not scores:
        return {}
    given = [score for score in scores if score is not None]
    mean = round(math.fsum(given) / len(given), DIGITS) if given else None
    return {"judge": mean, "judged": len(given), "unjudged": len(scores) - len(given)}


def _numbers(values: Sequence[float | None]) -> bool:
    """Whether a model gave numbers: weights that diverged give none, and the gate must see that."""
    return all(value is not None and math.isfinite(value) for value in values)


def _custom(rows: Sequence[Row]) -> dict[str, float]:
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, (value, weight) in row.get("custom", {}).items():
            found.setdefault(name, []).append((value, weight))
    weights = {name: math.fsum(weight for _, weight in pairs) for name, pairs in found.items()}
    return {
        name: round(math.fsum(value * weight for value, weight in pairs) / weights[name], DIGITS)
        for name, pairs in sorted(found.items())
        if weights[name]
    }
