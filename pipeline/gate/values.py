"""What one model's row of predictions.json contributes to a metric, and how contributions add up to its value."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Item = Mapping[str, Any]  # of predictions.json
Value = tuple[Any, ...]  # what `value` gives; two models that say the same give the same

SIDES = ("candidate", "parent", "anchor")
BINARY = ("accuracy", "preference_accuracy", "exact_match")
TEXTS = ("bleu", "chrf", "rouge_l")
JUDGE = "judge"  # not every answer has a score
BUILT_IN = (*BINARY, *TEXTS, "macro_f1", "loss")
TOP = {"bleu": 100.0, "chrf": 100.0} | dict.fromkeys((*BINARY, "macro_f1", "rouge_l"), 1.0)  # the best possible value


def applies(metric: str, item: Item) -> bool:
    """Whether the metric is one of this item's; of texts and of metrics of one's own, whether any model has them."""
    if metric in ("accuracy", "macro_f1"):
        return bool(item["kind"] == "classification")
    if metric == "preference_accuracy":
        return bool(item["kind"] == "preference")
    if metric in ("exact_match", *TEXTS):
        return any("text" in (item.get(side) or {}) for side in SIDES)
    if metric == "loss":
        row = item["candidate"] or {}
        return item["kind"] not in ("classification", "preference") and row.get("desirable") is not False
    if metric == JUDGE:
        return any(_judged(item, side) for side in SIDES)
    return any(metric in ((item.get(side) or {}).get("custom") or {}) for side in SIDES)


def counting(metric: str, items: Sequence[Item], *sides: str) -> list[Item]:
    """The items that a metric is measured on: all; of scores of answers those that each of the sides has."""
    return [item for item in items if metric != JUDGE or all(_judged(item, side) for side in sides)]


def _judged(item: Item, side: str) -> bool:
    return ((item.get(side) or {}).get("judge") or {}).get("score") is not None


class Book:
    """The values of items, each made once: an item stands in several slices, and the candidate meets two references."""

    def __init__(self, language: str | None, scale: Sequence[float] = (0.0, 0.0)) -> None:
        """What was asked for.

        Args:
            language: of generated texts; None: their answers' script tells.
            scale: the lowest and the highest score of `evaluate.judge`.
        """
        self._language = language
        self._tops = TOP | {JUDGE: scale[1] - scale[0]}
        self._known: dict[tuple[str, str, str, str], Value | None] = {}

    def top(self, metric: str) -> float:
        """The largest difference that there can be of a metric; 0: nobody knows."""
        return self._tops.get(metric, 0.0)

    def values(self, metric: str, items: Sequence[Item], side: str) -> list[Value | None]:
        """Each item's, as `value` has it. The language that BLEU tokenises by is that of all these items."""
        told = _language(items, self._language) if metric in TEXTS else ""
        found = []
        for item in items:
            key = (metric, side, told, item["id"])
            if key not in self._known:
                self._known[key] = value(metric, item, side, told)
            found.append(self._known[key])
        return found


def _language(items: Iterable[Item], asked: str | None) -> str:
    from pipeline.evaluation.metrics import generation

    return generation.language((item["answer"] for item in items), asked)


def value(metric: str, item: Item, side: str, language: str = "") -> Value | None:
    """One item's contribution; None where the model has no row, the row no value, or one that is no number."""
    row = item.get(side)
    if not row or not finite(row.values()) or ("predicted" in row and row.get("score", 0.0) is None):
        return None  # a classification without a score: the model's figures are no numbers
    try:
        return _value(metric, item, row, language)
    except (AttributeError, KeyError, TypeError):  # a field that is missing or null
        return None


def _value(metric: str, item: Item, row: Mapping[str, Any], language: str) -> Value:
    if metric == "macro_f1":
        return (str(item["answer"]), "" + row["predicted"])
    if metric == "loss":
        return (float(row["nats"]), float(row["tokens"]))
    if metric in BINARY:
        return (float(_right(metric, item, row)), 1.0)
    if metric in TEXTS:
        from pipeline.evaluation.metrics import generation

        return tuple(generation.statistics(metric, row["text"], item["answer"], language).tolist())
    if metric == JUDGE:
        return (float(row["judge"]["score"]), 1.0)
    number, weight = row["custom"][metric]
    return (float(number) * float(weight), float(weight))


def _right(metric: str, item: Item, row: Mapping[str, Any]) -> bool:
    if metric == "accuracy":
        return bool(item["answer"] == "" + row["predicted"])
    if metric == "preference_accuracy":
        return bool(row["chosen"] > row["rejected"])
    return bool(row["text"].split() == item["answer"].split())


def finite(values: Iterable[Any]) -> bool:
    """Whether no number in them, however deep, is NaN or infinite."""
    for found in values:
        if isinstance(found, float) and not math.isfinite(found):
            return False
        if isinstance(found, dict | list | tuple) and not finite(found.values() if isinstance(found, dict) else found):
            return False
    return True


def right(item: Item, side: str = "candidate") -> bool | None:
    """Whether a model answers an item rightly; None where its kind knows no right and wrong, or there is no row."""
    if item.get(side) is None and side != "candidate":
        return None
    for metric in BINARY:
        if applies(metric, item):
            found = value(metric, item, side)
            return found is not None and found[0] == 1.0
    return None
