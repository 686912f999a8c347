"""Two models on the same items: the difference of a metric, its bounds, and how sure it is that one is worse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.gate import bootstrap, scores, statistics
from pipeline.gate.values import BINARY, Book, Item, Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """Candidate against a reference, in the metric's unit; the difference is candidate - reference."""

    candidate: float
    reference: float
    difference: float
    low: float | None  # one-sided bounds; None: of one cluster nothing can be said
    high: float | None
    worse: float  # p-value that the candidate's value is the lower one
    better: float  # ... the higher one
    items: int
    clusters: int  # the independent ones: items, where none share a source
    discordant: int  # items of which the models say otherwise
    spread: float  # variance of one cluster's difference; of right and wrong the share of discordant pairs, psi
    method: str  # identical | tango | bootstrap
    top: float  # the largest difference that there can be; 0: nobody knows


def measure(metric: str, items: Sequence[Item], side: str, book: Book) -> float | None:
    """One model's metric of items that it applies to, at least one; None without a value, or weight."""
    values = book.values(metric, items, side)
    if None in values or not scores.weighed(metric, [found for found in values if found]):
        return None
    return scores.score(metric, [found for found in values if found])


def compare(
    metric: str, items: Sequence[Item], side: str, *, confidence: float, same: bool, book: Book
) -> Compared | None:
    """The comparison on items of the metric, at least one.

    Args:
        metric: a name of gate.rules.
        items: those that the metric applies to.
        side: the reference, parent or anchor.
        confidence: of one-sided bounds.
        same: candidate and reference are one model; where they say the same, there is nothing to estimate.
        book: of the values.

    Returns:
        None where an item has no value for either model.
    """
    both = zip(book.values(metric, items, "candidate"), book.values(metric, items, side), strict=True)
    pairs = [(ours, theirs) for ours, theirs in both if ours is not None and theirs is not None]
    if len(pairs) < len(items):
        return None
    clusters: dict[str, list[tuple[Value, Value]]] = {}
    for item, pair in zip(items, pairs, strict=True):
        clusters.setdefault(item.get("cluster", item["id"]), []).append(pair)
    discordant = sum(ours != theirs for ours, theirs in pairs)
    top = book.top(metric)
    drawn, method = _judge(metric, pairs, clusters, confidence, top, same and not discordant)
    return Compared(
        candidate=scores.score(metric, [ours for ours, _ in pairs]),
        reference=scores.score(metric, [theirs for _, theirs in pairs]),
        difference=drawn.difference,
        low=drawn.low,
        high=drawn.high,
        worse=drawn.worse,
        better=drawn.better,
        items=len(items),
        clusters=len(clusters),
        discordant=discordant,
        spread=drawn.spread,
        method=method,
        top=top,
    )


def _judge(
    metric: str,
    pairs: Sequence[tuple[Value, Value]],
    clusters: dict[str, list[tuple[Value, Value]]],
    confidence: float,
    top: float,
    identical: bool,
) -> tuple[bootstrap.Drawn, str]:
    if identical:
        return bootstrap.Drawn(difference=0, low=0, high=0, worse=1, better=1, spread=0), "identical"
    if metric in BINARY and len(clusters) == len(pairs):
        return _binary(pairs, confidence), "tango"
    kinds: dict[scores.Kind, int] = {}
    kind_of = [kinds.setdefault(tuple(sorted(clusters[name])), len(kinds)) for name in sorted(clusters)]
    changed = sum(any(ours != theirs for ours, theirs in cluster) for cluster in clusters.values())
    found = bootstrap.resample(
        kind_of, scores.difference(metric, list(kinds)), changed, bootstrap.seed(clusters), confidence
    )
    if not found.spread and top and found.difference is not None and found.low is not None:
        # Draws that are all alike, changed or not, say as little of so few items as no change of right and wrong does.
        low, high = (bound * top for bound in statistics.tango(0, 0, len(clusters), confidence))
        shown = found.difference
        found = replace(found, low=max(-top, shown + low), high=min(top, shown + high))
    return found, "bootstrap"


def _binary(pairs: Sequence[tuple[Value, Value]], confidence: float) -> bootstrap.Drawn:
    fixed = sum(ours[0] > theirs[0] for ours, theirs in pairs)
    broken = sum(ours[0] < theirs[0] for ours, theirs in pairs)
    low, high = statistics.tango(fixed, broken, len(pairs), confidence)
    return bootstrap.Drawn(
        difference=(fixed - broken) / len(pairs),
        low=low,
        high=high,
        worse=statistics.mcnemar_worse(fixed, broken),
        better=statistics.mcnemar_worse(broken, fixed),
        spread=(fixed + broken) / len(pairs),
    )
