"""What two releases say of the same items, from their predictions alone; no model is loaded.

An item is right or wrong by its kind: a classification by its label, a generated answer by its text (exact match, white
space aside), a preference by which of its two answers is the likelier one. Where a model only says
how likely it finds an answer or a text, the slice has a loss, and no item of it is fixed or broken.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ALL = "all"
DIGITS = 6
Item = Mapping[str, Any]  # of predictions.json; its row `candidate` is the release's own
Items = Mapping[str, Item]  # by id


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """One metric of one slice, on the items that both releases predicted; `all` pools them, each once."""

    name: str
    metric: str  # accuracy | exact_match | preference_accuracy (shares) | loss (nats per learned token)
    items: int  # that both said something of
    before: float | None  # over all of the slice's items then
    after: float | None  # over all of them now
    change: float | None  # of the items in common, after less before
    fixed: int | None  # wrong before, right after; None for a loss
    broken: int | None  # right before, wrong after
    p_value: float | None  # two-sided exact McNemar on fixed and broken; None without common items


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedItem:
    """One item whose answer turned right or wrong."""

    slices: list[str]
    id: str
    text: str
    answer: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemAnswer:
    """What a model said of an item, and whether that is right."""

    metric: str
    words: str
    right: bool


def items(own: Mapping[str, Any], other: Mapping[str, Any]) -> Items:
    """What a release said of every item, by id; and what its model said when the other release was compared with it.

    Args:
        own: the release's predictions.json.
        other: of the other release, whose parent or anchor the first one may be.
    """
    found = {item["id"]: item for item in own["items"]}
    model = own.get("models", {}).get("candidate")
    for side in ("parent", "anchor"):
        if model and other.get("models", {}).get(side) == model:
            later = (item | {"candidate": item[side]} for item in other["items"] if item.get(side))
            found = {item["id"]: item for item in later} | found
    return found


def slices(before: Items, after: Items) -> list[Slice]:
    """Each metric of each slice of either release: the pooled ones, then by slice."""
    old, new = _by_slice(before), _by_slice(after)
    names = sorted(old.keys() | new.keys(), key=lambda name: (name != ALL, name))
    return [found for name in names for found in _slice(name, old.get(name, {}), new.get(name, {}))]


def turned(before: Items, after: Items, texts: Mapping[str, str]) -> tuple[list[PairedItem], list[PairedItem]]:
    """The very items that were fixed, and those that broke, by slice and id.

    Args:
        before: what the one release said.
        after: what the other one said.
        texts: what the models were given, by id.
    """
    fixed: list[PairedItem] = []
    broken: list[PairedItem] = []
    for key in sorted(before.keys() & after.keys(), key=lambda key: (list(after[key]["slices"]), key)):
        old, new = said(before[key]), said(after[key])
        if old is None or new is None or old.metric != new.metric or old.right == new.right:
            continue
        example = PairedItem(
            slices=list(after[key]["slices"]),
            id=key,
            text=texts.get(key, ""),
            answer=after[key].get("answer", "the chosen one"),
            before=old.words,
            after=new.words,
        )
        (fixed if new.right else broken).append(example)
    return fixed, broken


def said(item: Item) -> ItemAnswer | None:
    """What the release's model answered; None where it only said how likely it finds what stands there."""
    row = item["candidate"]
    if "predicted" in row:
        return ItemAnswer(metric="accuracy", words=row["predicted"], right=row["predicted"] == item["answer"])
    if "chosen" in row:
        margin = row["chosen"] - row["rejected"]  # of the logarithms of their probabilities
        words = f"the {'chosen' if margin > 0 else 'rejected'} one, by {abs(margin):.2f} nats"
        return ItemAnswer(metric="preference_accuracy", words=words, right=margin > 0)
    if "text" in row and "answer" in item and row.get("desirable") is not False:
        return ItemAnswer(metric="exact_match", words=row["text"], right=row["text"].split() == item["answer"].split())
    return None


def mcnemar(fixed: int, broken: int) -> float:
    """Two-sided exact p-value of McNemar's test on paired right/wrong outcomes.

    Source: McNemar 1947, Psychometrika 12; the exact form is the binomial test on the discordant pairs.
    """
    pairs = fixed + broken
    term = tail = 1  # pairs choose 0
    for k in range(min(fixed, broken)):
        term = term * (pairs - k) // (k + 1)
        tail += term
    return float(min(1.0, 2 * tail / 2**pairs))


def _by_slice(told: Items) -> dict[str, dict[str, Item]]:
    found: dict[str, dict[str, Item]] = {ALL: dict(told)} if told else {}
    for key, item in told.items():
        for name in item["slices"]:
            found.setdefault(name, {})[key] = item
    return found


def _slice(name: str, before: Items, after: Items) -> Iterator[Slice]:
    old, new = _right(before), _right(after)
    for metric in sorted(old.keys() | new.keys()):
        yield _judged(name, metric, old.get(metric, {}), new.get(metric, {}))
    old_loss, new_loss = _likely(before), _likely(after)
    if old_loss or new_loss:
        common = old_loss.keys() & new_loss.keys()
        then, now = (_mean(side[key] for key in common) for side in (old_loss, new_loss))
        yield Slice(
            name=name,
            metric="loss",
            items=len(common),
            before=_mean(old_loss.values()),
            after=_mean(new_loss.values()),
            change=None if then is None or now is None else round(now - then, DIGITS),
            fixed=None,
            broken=None,
            p_value=None,
        )


def _judged(name: str, metric: str, before: Mapping[str, bool], after: Mapping[str, bool]) -> Slice:
    common = [(before[key], after[key]) for key in before.keys() & after.keys()]
    fixed, broken = common.count((False, True)), common.count((True, False))
    return Slice(
        name=name,
        metric=metric,
        items=len(common),
        before=_mean((right, 1) for right in before.values()),
        after=_mean((right, 1) for right in after.values()),
        change=round((fixed - broken) / len(common), DIGITS) if common else None,
        fixed=fixed,
        broken=broken,
        p_value=round(mcnemar(fixed, broken), DIGITS) if common else None,
    )


def _right(told: Items) -> dict[str, dict[str, bool]]:
    """Metric -> id -> whether the answer is right."""
    found: dict[str, dict[str, bool]] = {}
    for key, item in told.items():
        if answer := said(item):
            found.setdefault(answer.metric, {})[key] = answer.right
    return found


def _likely(told: Items) -> dict[str, tuple[float, int]]:
    """Id -> nats and learned tokens, of what is desirable."""
    rows = {key: item["candidate"] for key, item in told.items()}
    return {
        key: (row["nats"], row["tokens"])
        for key, row in rows.items()
        if "nats" in row and row.get("desirable") is not False
    }


def _mean(parts: Iterable[tuple[float, int]]) -> float | None:
    """Sum over sum of weights; None where nothing weighs."""
    parts = list(parts)
    weight = sum(count for _, count in parts)
    return round(math.fsum(value for value, _ in parts) / weight, DIGITS) if weight else None
