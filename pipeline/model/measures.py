"""Metrics of a slice whose items may be of several kinds: each kind's own, of what was said of its items."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.data.records import Record
from pipeline.model import metrics
from pipeline.model.metrics import DIGITS

Row = Mapping[str, Any]  # of predictions.json
_LARGEST = 700.0  # e to this is still a number


def measure(items: Sequence[Record], told: Mapping[str, Row]) -> dict[str, Any]:
    """Metrics of some items; those of a kind that is not among them are absent.

    Args:
        items: of any kinds.
        told: what a model said of each, by id.

    Returns:
        items, and of classifications accuracy and macro_f1; of sft, kto and text loss (nats per learned token),
        perplexity and tokens, of what is desirable; of preference preference_accuracy (share of pairs whose chosen
        answer is likelier) and preference_margin (mean log p(chosen) - log p(rejected), nats).
    """
    labelled = [item for item in items if item.kind == "classification"]
    rows = [told[item.id] for item in items]
    found: dict[str, Any] = {}
    if labelled or not items:
        found |= metrics.measure([item.answer for item in labelled], [told[item.id]["predicted"] for item in labelled])
    found |= _likelihood([row for row in rows if "nats" in row and row.get("desirable") is not False])
    found |= _preference([row for row in rows if "chosen" in row])
    return found | {"items": len(items)}


def _likelihood(rows: Sequence[Row]) -> dict[str, Any]:
    tokens = sum(row["tokens"] for row in rows)
    if not tokens:
        return {}
    loss = math.fsum(row["nats"] for row in rows) / tokens
    perplexity = math.exp(min(loss, _LARGEST))
    return {"loss": round(loss, DIGITS), "perplexity": round(perplexity, DIGITS), "tokens": tokens}


def _preference(rows: Sequence[Row]) -> dict[str, Any]:
    if not rows:
        return {}
    margins = [row["chosen"] - row["rejected"] for row in rows]
    return {
        "preference_accuracy": round(sum(margin > 0 for margin in margins) / len(margins), DIGITS),
        "preference_margin": round(math.fsum(margins) / len(margins), DIGITS),
    }
