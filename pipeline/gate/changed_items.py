"""Golden items and must-pass marks of two releases -> which were added, removed, relabelled or marked otherwise."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

Item = Mapping[str, Any]  # of pipeline.gate.basis: with `golden`, its golden slices, and `question`
Items = Mapping[str, Item]  # by id


def relabelled(before: Items, after: Items) -> dict[str, str]:
    """Id now -> id before of every question that has another answer."""
    old = {item["question"]: id_ for id_, item in before.items() if id_ not in after and item["question"]}
    return {
        id_: old[item["question"]]
        for id_, item in sorted(after.items())
        if id_ not in before and item["question"] in old
    }


def slices(before: Items, after: Items) -> list[dict[str, Any]]:
    """Each golden slice that differs, by name: ids added, removed, relabelled and changed (kind or cluster)."""
    renamed = relabelled(before, after)
    old, new = _by_slice(before), _by_slice(after)
    entries = []
    for name in sorted(old.keys() | new.keys()):
        pairs = [(renamed[id_], id_) for id_ in sorted(new[name]) if id_ in renamed and renamed[id_] in old[name]]
        entry = {
            "slice": name,
            "added": sorted(new[name] - old[name] - {now for _, now in pairs}),
            "removed": sorted(old[name] - new[name] - {was for was, _ in pairs}),
            "relabelled": [_relabelling(before[was], after[now]) for was, now in pairs],
            "changed": sorted(id_ for id_ in old[name] & new[name] if _kept(before[id_]) != _kept(after[id_])),
        }
        if any(entry[key] for key in ("added", "removed", "relabelled", "changed")):
            entries.append(entry)
    return entries


def must_pass(before: Items, after: Items) -> dict[str, list[str]]:
    """Ids of items that gained and lost the mark; a relabelled item that keeps it did neither."""
    renamed = relabelled(before, after)
    old = _marked(before)
    new = {renamed.get(id_, id_): id_ for id_ in _marked(after)}
    gained, lost = (new[id_] for id_ in new.keys() - old), old - new.keys()
    return {"gained": sorted(gained), "lost": sorted(lost)}


def as_before(items: Iterable[Item], before: Items, after: Items) -> list[Item]:
    """Items of predictions.json with the answers, marks and clusters that the parent's golden items have.

    A label that was chosen is right or wrong by any answer. An answer that was generated was scored against its own,
    so a relabelled one keeps it.
    """
    renamed = relabelled(before, after)
    kept = []
    for item in items:
        id_ = str(item["id"])
        was = before.get(renamed.get(id_, id_))
        if was is None:
            kept.append(item)
            continue
        former = {key: value for key, value in item.items() if key not in ("must_pass", "cluster")}
        former |= {key: was[key] for key in ("must_pass", "cluster") if key in was}
        if item["kind"] == was["kind"] == "classification":
            former["answer"] = was["answer"]
        kept.append(former)
    return kept


def _relabelling(before: Item, after: Item) -> dict[str, Any]:
    """Both ids, and both answers."""
    return {
        "before": before["id"],
        "after": after["id"],
        "answer_before": before.get("answer"),
        "answer_after": after.get("answer"),
    }


def _by_slice(items: Items) -> defaultdict[str, set[str]]:
    ids = defaultdict[str, set[str]](set)
    for id_, item in items.items():
        for name in item["golden"]:
            ids[name].add(id_)
    return ids


def _kept(item: Item) -> tuple[Any, Any]:
    return item["kind"], item.get("cluster")


def _marked(items: Items) -> set[str]:
    return {id_ for id_, item in items.items() if item.get("must_pass")}
