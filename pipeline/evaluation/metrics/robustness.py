"""What a model loses when its questions are written badly: variants against the very items that they were made from.

An item stands for all of its variants: however many strengths there are, it counts once. Items that share a cluster
are told apart by their answers, but not counted as independent of each other.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

Row = Mapping[str, Any]  # an item or a variant of predictions.json
Block = dict[str, Any]

SIDES = ("candidate", "parent")
ALL = "all"  # every kind of variant
DIGITS = 6
LEAST = 10  # items from which on a slice can be the worst one
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, kw_only=True, slots=True)
class VariedItem:
    """An item and what became of its variants."""

    slices: Sequence[str]
    cluster: str
    right: bool  # unperturbed
    varied: Sequence[bool]  # whether each variant is right

    @property
    def share(self) -> float:
        """Of the variants, those that are right."""
        return sum(self.varied) / len(self.varied)


def summary(variants: Sequence[Row], items: Sequence[Row]) -> dict[str, Any] | None:
    """`robustness` of metrics.json: of each side, of each kind of variant and of all of them; None without variants.

    Args:
        variants: as in predictions.json.
        items: as there; each variant's source is among them.

    Returns:
        Of each kind items, accuracy and drop, as `block` has them, and the slice that loses most, of those with LEAST
        items: worst_slice, worst_drop.
    """
    found = {side: _of_side(variants, items, side) for side in SIDES}
    return found if found["candidate"] else None


def details(variants: Sequence[Row], items: Sequence[Row]) -> dict[str, dict[str, Block]]:
    """`robustness` of details.json: the candidate's figures, slice (or ALL of them) -> kind -> `block`."""
    found: dict[str, dict[str, Block]] = defaultdict(dict)
    for kind, sources in _kinds(variants, items, "candidate").items():
        for name, inside in {**_by_slice(sources), ALL: sources}.items():
            found[name][kind] = block(inside)
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def block(sources: Sequence[VariedItem]) -> Block:
    """Figures of some items, one at least.

    Returns:
        items; accuracy over their variants (each item counts once) and, as `unperturbed`, over themselves; drop, its
        difference, with low and high, the ends of its 95% interval; worst_case: share of items right in every variant.
    """
    count = len(sources)
    accuracy = math.fsum(source.share for source in sources) / count
    plain = sum(source.right for source in sources) / count
    low, high = interval(sources)
    figures = {
        "accuracy": accuracy,
        "unperturbed": plain,
        "drop": plain - accuracy,
        "low": low,
        "high": high,
        "worst_case": sum(all(source.varied) for source in sources) / count,
    }
    return {"items": count} | {name: round(value, DIGITS) + 0.0 for name, value in figures.items()}


def interval(sources: Sequence[VariedItem]) -> tuple[float, float]:
    """95% interval of the drop, from the paired differences; clusters, not items, are taken as independent.

    One cluster that got worse and one that got better are added, so that a few without a difference do not pass for
    certainty. Source: Bonett and Price 2012, doi:10.3102/1076998611411915; variance by clusters as of a ratio (Cochran
    1977, 9A.1).
    """
    sums: dict[str, list[float]] = defaultdict(list)
    for source in sources:
        sums[source.cluster].append(source.right - source.share)
    size = len(sources) / len(sums)
    clusters = [*((math.fsum(one), len(one)) for one in sums.values()), (size, size), (-size, size)]
    count = len(sources) + 2 * size
    mean = math.fsum(total for total, _ in clusters) / count
    error = math.sqrt(math.fsum((total - mean * many) ** 2 for total, many in clusters)) / count
    return max(-1.0, mean - _Z * error), min(1.0, mean + _Z * error)


def _of_side(variants: Sequence[Row], items: Sequence[Row], side: str) -> dict[str, Block] | None:
    found = {}
    for kind, sources in sorted(_kinds(variants, items, side).items()):
        whole = block(sources)
        found[kind] = {name: whole[name] for name in ("items", "accuracy", "drop")} | _worst(sources)
    return found or None


def _worst(sources: Sequence[VariedItem]) -> Block:
    """The slice that loses most, of those with LEAST items; the first by name of several."""
    drops = {name: block(inside)["drop"] for name, inside in _by_slice(sources).items() if len(inside) >= LEAST}
    if not drops:
        return {"worst_slice": None, "worst_drop": None}
    worst = min(drops, key=lambda name: (-drops[name], name))
    return {"worst_slice": worst, "worst_drop": drops[worst]}


def _kinds(variants: Sequence[Row], items: Sequence[Row], side: str) -> dict[str, list[VariedItem]]:
    """The items that have variants, by kind and as ALL; rows that the side does not have are left out."""
    known = {item["id"]: item for item in items if item.get(side)}
    grouped: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for variant in variants:
        if variant.get(side) and variant["source"] in known:
            right = variant[side]["predicted"] == variant["answer"]
            for kind in (variant["kind"], ALL):
                grouped[kind][variant["source"]].append(right)
    return {
        kind: [_source(known[name], side, varied) for name, varied in sorted(group.items())]
        for kind, group in grouped.items()
    }


def _source(item: Row, side: str, varied: Sequence[bool]) -> VariedItem:
    return VariedItem(
        slices=item["slices"],
        cluster=item.get("cluster", item["id"]),
        right=item[side]["predicted"] == item["answer"],
        varied=varied,
    )


def _by_slice(sources: Iterable[VariedItem]) -> dict[str, list[VariedItem]]:
    found: dict[str, list[VariedItem]] = defaultdict(list)
    for source in sources:
        for name in source.slices:
            found[name].append(source)
    return found
