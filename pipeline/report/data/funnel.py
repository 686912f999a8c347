"""From rows read to records trained on, in words: every row of an increment is in exactly one line."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

# Fates of a record, by the keys of data/assembled/report.json, in the order in which they are decided.
DROPPED = {
    "withdrawn": "their key was withdrawn",
    "golden": "in a golden set, or near an item of one",
    "seen": "already seen by the chain",
    "superseded": "something newer took their place",
    "conflicts": "labelled otherwise than before",
    "near-duplicate": "nearly the same as one seen before",
    "bridges-split": "near to both training and evaluation",
    "near-evaluation": "near an item of the evaluation file",
}
HELD_OUT = {"eval": "held out for evaluation", "eval_over_cap": "held out, above the slice's cap"}
NEW = {"train_new": "new to train on"}
_NEAR = "near-duplicate"  # as prepare rejects it
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_MUCH, _SOME = 0.2, 20  # share of the rows, and number, above which so many near-duplicates are no accident
_NO_FATES = {"records", "replayed", "augmented"}  # counts of something else


def fates(assembled: Mapping[str, Any]) -> dict[str, int]:
    """How many records met each fate: known ones first; one that this module has no words for counts, too."""
    counts = {key: n for key, n in assembled.items() if isinstance(n, int) and key not in _NO_FATES}
    known = [*DROPPED, *HELD_OUT, *NEW]
    return {key: counts[key] for key in (*known, *sorted(counts.keys() - set(known))) if counts.get(key)}


def words(fate: str) -> str:
    """A fate as a reader says it; one unknown here by its own name."""
    return (DROPPED | HELD_OUT | NEW).get(fate) or fate.replace("_", " ").replace("-", " ")


def dropped(assembled: Mapping[str, Any]) -> dict[str, int]:
    """Records that are neither trained on nor held out, by fate."""
    return {fate: n for fate, n in fates(assembled).items() if fate not in HELD_OUT | NEW}


def held_out(assembled: Mapping[str, Any]) -> int:
    """Records kept from training to evaluate on, those above a slice's cap with them."""
    return sum(n for fate, n in fates(assembled).items() if fate in HELD_OUT)


def new(assembled: Mapping[str, Any]) -> int:
    """Records to train on that the chain has not met."""
    return sum(n for fate, n in fates(assembled).items() if fate in NEW)


def trained(assembled: Mapping[str, Any]) -> int:
    """Records in data/assembled/train.arrow: new ones, replayed ones, and what was made from them."""
    return int(new(assembled) + assembled.get("replayed", 0) + assembled.get("augmented", 0))


def alarms(prepared: Mapping[str, Any]) -> Iterator[str]:
    """What may be a loss that nobody meant."""
    near, read = prepared["rejects"].get(_NEAR, 0), prepared["read"]
    if near >= _SOME and near > _MUCH * read:
        yield (
            f"{near:,} of {read:,} rows ({near / read:.0%}) are near-duplicates of others and left out: "
            "reports/data.html shows some; prepare.near_duplicates says from where on"
        )
    for spelled in _spelled_differently(prepared):
        yield f"labels that differ in spelling alone are learned as different ones: {', '.join(spelled)}"


def _spelled_differently(prepared: Mapping[str, Any]) -> Iterator[list[str]]:
    """The commonest labels that are one but for case, width or the zeros of a number."""
    found: dict[str, set[str]] = {}
    for group in prepared.get("groups", ()):
        for label in group.get("commonest", ()):
            found.setdefault(_plain_label(label), set()).add(label)
    yield from (sorted(labels) for labels in found.values() if len(labels) > 1)


def _plain_label(label: str) -> str:
    plain = unicodedata.normalize("NFKC", label).casefold()
    return str(float(plain)) if _NUMBER.fullmatch(plain) else plain


def lines(prepared: Mapping[str, Any], assembled: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """(what, how many) from rows read to records trained on.

    Rejects and fates add up to the rows read; a difference, which would be a fault, gets a line of its own.
    """
    yield "rows read", prepared["read"]
    for reason, count in sorted(prepared["rejects"].items()):
        yield f"rejected: {reason}", count
    yield "**records**", assembled["records"]
    for fate, count in fates(assembled).items():
        yield words(fate), count
    if lost := unaccounted(prepared, assembled):
        yield "**not accounted for**", lost
    yield "replayed from the chain", assembled.get("replayed", 0)
    if augmented := assembled.get("augmented", 0):
        yield "made from these by augmentation", augmented
    yield "**trained on**", trained(assembled)


def replay(assembled: Mapping[str, Any]) -> Iterator[str]:
    """How much is replayed, and why; nothing is said where there is nothing to replay."""
    chosen = assembled.get("replay")
    if chosen and chosen["measured"]:
        few = f", {chosen['an_epoch']:,} of these records an epoch" if "an_epoch" in chosen else ""
        yield f"replay {chosen['share']:.0%} of the tokens{few}: {chosen['why']}"
    if chosen and chosen["warning"]:
        yield f"warning: {chosen['warning']}"


def unaccounted(prepared: Mapping[str, Any], assembled: Mapping[str, Any]) -> int:
    """Rows read that are neither rejected nor have a fate; 0 unless something is wrong."""
    return int(prepared["read"] - sum(prepared["rejects"].values()) - sum(fates(assembled).values()))
