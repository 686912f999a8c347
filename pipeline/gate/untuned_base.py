"""A first release against the untuned base: what is no better than the model that it was made of is no release."""

from collections.abc import Iterator, Sequence

from pipeline.gate import paired, wording
from pipeline.gate.check import FAIL, UNCHECKED, Check
from pipeline.gate.settings import GateSettings
from pipeline.gate.statistics import effort, needed
from pipeline.gate.values import Book, Item, applies

SIDE = "base"
ASKED = ("accuracy", "preference_accuracy", "loss")  # of each kind of records what tells most
LEAST = 0.001  # nats per token: weights that hardly moved are better by less, and on every item alike


def checks(items: Sequence[Item], params: GateSettings, book: Book) -> Iterator[Check]:
    """A check for each kind of records: pass where the lower bound of the improvement is above 0.

    Args:
        items: of which the base was asked some.
        params: section gate; its `confidence` is that of the bound.
        book: of the values.
    """
    for metric in ASKED:
        asked = [item for item in items if item.get(SIDE) and applies(metric, item)]
        if not asked:
            continue
        compared = paired.compare(metric, asked, SIDE, confidence=params.confidence, same=False, book=book)
        if compared is None:
            missing = Check(slice="all", metric=metric, against=SIDE, items=len(asked))
            yield missing.but(FAIL, f"all {metric}: not measured on every item that the untuned base was asked")
        else:
            yield _check(metric, compared, params)


def _check(metric: str, compared: paired.Compared, params: GateSettings) -> Check:
    lower = metric == "loss"
    gain, sure, chance = compared.difference, compared.low, compared.better
    if lower:
        gain, sure, chance = -gain, None if compared.high is None else -compared.high, compared.worse
    least = LEAST if lower else 0.0
    check = Check(
        slice="all",
        metric=metric,
        against=SIDE,
        candidate=compared.candidate,
        reference=compared.reference,
        difference=compared.difference,
        low=compared.low,
        high=compared.high,
        p_value=compared.better if lower else compared.worse,
        items=compared.items,
        sources=compared.clusters,
        discordant=compared.discordant,
        needed=needed(effort(params.confidence), compared.spread, gain) if gain > least else None,
        method=compared.method,
    )
    if sure is not None and sure > least and chance <= 1 - params.confidence:
        return check
    return check.but(UNCHECKED if params.accepts else FAIL, wording.no_better(check, gain, sure))
