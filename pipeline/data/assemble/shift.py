"""How far an increment has moved from what the chain was trained on: labels that do not come again, balance, texts.

Each measure is 0 where an increment is drawn like the chain before it: what a sample of this size would show by
chance alone is taken off.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipeline.data.records import message_columns

PIECE = 3  # characters of the pieces that texts are compared by: any script, no tokenizer
TEXTS, CHARACTERS = 1000, 500  # of either side that are read, and of each text: the cost is bounded
EXPECTED = 3.0  # records of a label that should have come; with fewer, none is chance (e**-3 = 5%)
DIGITS = 4

Counts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """What was measured, each rounded to DIGITS."""

    new_labels: int  # that the chain did not know
    absent_labels: int  # that the chain knows, and of which the increment should have brought some
    present_labels: int  # in the increment
    balance: float  # 0..1: total variation between the two distributions of the labels that are neither new nor absent
    drift: float  # 0..1: Jensen-Shannon divergence (base 2) between the two distributions of pieces of text


def measure(learned: pa.Table, old: pa.Table, before: Counts) -> Shift:
    """Compare an increment with the chain.

    Args:
        learned: the increment's records to train on.
        old: the reservoir, which stands for the chain's texts.
        before: label -> records of the whole chain.
    """
    fresh, kept = message_columns.view(learned), message_columns.view(old)
    now = message_columns.counted(fresh.labels)
    return Shift(
        new_labels=len(set(now) - set(before)),
        absent_labels=len(absent(now, before)),
        present_labels=len(now),
        balance=round(_balance(now, before), DIGITS),
        drift=round(_drift(_sample(fresh.bodies), _sample(kept.bodies)), DIGITS),
    )


def absent(now: Counts, before: Counts) -> list[str]:
    """Labels of the chain that did not come again, although an increment of this size should have brought some."""
    came, total = sum(now.values()), sum(before.values())
    return sorted(name for name, count in before.items() if name not in now and count * came >= EXPECTED * total)


def _balance(now: Counts, before: Counts) -> float:
    gone = set(absent(now, before))
    now = {name: count for name, count in now.items() if name in before}
    before = {name: count for name, count in before.items() if name not in gone}
    came, total = sum(now.values()), sum(before.values())
    if not came or not total:
        return 0.0
    shares = [(now.get(name, 0) / came, before.get(name, 0) / total) for name in {*now, *before}]
    rare = (1 / came + 1 / total) * 2 / math.pi  # the mean distance of two samples, as of normal variables
    spread = sum(math.sqrt(rare * old * (1 - old)) for _, old in shares) / 2
    return _beyond(sum(abs(new - old) for new, old in shares) / 2, spread)


def _drift(new: Sequence[str], old: Sequence[str]) -> float:
    """The divergence, less that between two halves of the mixture, dealt by hash in the same proportion."""
    if not new or not old:
        return 0.0
    dealt = sorted([*new, *old], key=_hash)
    chance = _divergence(_pieces(dealt[: len(new)]), _pieces(dealt[len(new) :]))
    return _beyond(_divergence(_pieces(new), _pieces(old)), chance)


def _divergence(one: Counts, other: Counts) -> float:
    """Jensen-Shannon divergence of two counts, base 2, so that it lies in 0..1 (Lin 1991, doi:10.1109/18.61115)."""
    totals = sum(one.values()) or 1, sum(other.values()) or 1
    found = 0.0
    for piece in sorted({*one, *other}):  # in order: sums of floats repeat
        p, q = one.get(piece, 0) / totals[0], other.get(piece, 0) / totals[1]
        found += sum(part * math.log2(2 * part / (p + q)) for part in (p, q) if part) / 2
    return found


def _beyond(found: float, chance: float) -> float:
    return max(0.0, (found - chance) / (1 - chance)) if chance < 1 else 0.0


def _pieces(texts: Sequence[str]) -> Counts:
    return Counter(text[at : at + PIECE] for text in texts for at in range(max(1, len(text) - PIECE + 1)))


def _sample(bodies: pa.Array) -> list[str]:
    """The texts of the lowest hashes, without case."""
    texts = {str(body)[:CHARACTERS].casefold() for body in bodies.drop_null().to_pylist()}
    return sorted(texts, key=_hash)[:TEXTS]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
