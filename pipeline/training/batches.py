"""Examples -> batches, in an order that follows from ids, seed and epoch alone."""

import hashlib
import math
from collections.abc import Iterator, Sequence

from pipeline.training.examples import Example

POOL = 50  # batches that are grouped by length together: the larger, the less padding and the less mixing


def epochs(examples: Sequence[Example], *, size: int, seed: int, count: int) -> Iterator[list[Example]]:
    """Every batch of a training, in order."""
    for epoch in range(count):
        yield from batches(examples, size, seed, epoch)


def batches(examples: Sequence[Example], size: int, seed: int, epoch: int) -> list[list[Example]]:
    """One epoch: shuffled by hash, grouped by length within pools, the groups shuffled again.

    The order follows from ids, seed and epoch alone, never from the order that the examples came in.
    """
    shuffled = sorted(drawn(examples, seed, epoch), key=lambda example: _draw(seed, epoch, example.id))
    pools = [shuffled[start : start + POOL * size] for start in range(0, len(shuffled), POOL * size)]
    grouped = [sorted(pool, key=lambda example: len(example.tokens)) for pool in pools]
    cut = [pool[start : start + size] for pool in grouped for start in range(0, len(pool), size)]
    return sorted(cut, key=lambda batch: _draw(seed, epoch, batch[0].id))


def drawn(examples: Sequence[Example], seed: int, epoch: int) -> list[Example]:
    """Each example as often as its weight says: 2.3 is twice, and a third time in 3 of 10 epochs."""
    return [example for example in examples for _ in range(_times(example, seed, epoch))]


def count_steps(examples: Sequence[Example], *, size: int, seed: int, count: int) -> int:
    """Optimiser steps of a whole training of `count` epochs."""
    return sum(math.ceil(len(drawn(examples, seed, epoch)) / size) for epoch in range(count))


def micro(batch: Sequence[Example], size: int | None) -> list[Sequence[Example]]:
    """Parts of a batch that are computed at a time; None: all at once."""
    return [batch[start : start + (size or len(batch))] for start in range(0, len(batch), size or len(batch))]


def _times(example: Example, seed: int, epoch: int) -> int:
    whole = int(example.weight)
    chance = int.from_bytes(_draw(seed, epoch, f"weight {example.id}")[:8], "big") / 2**64
    return whole + (chance < example.weight - whole)


def _draw(seed: int, epoch: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{epoch}/{name}".encode()).digest()
