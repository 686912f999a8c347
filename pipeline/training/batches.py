"""Examples -> batches, in an order that follows from ids, seed and epoch alone."""

import hashlib
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.training.examples.example import Example
from pipeline.training.settings import TrainSettings

POOL = 50  # batches that are grouped by length together: the larger, the less padding and the less mixing


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What the batches of a training follow from, beside the examples."""

    seed: int
    epochs: int
    size: int  # examples of a batch
    tokens: int | None = None  # or of its tokens, padding included: so many at most, in place of `size`

    @classmethod
    def of(cls, asked: TrainSettings) -> "Order":
        """As section `train` asks."""
        return cls(seed=asked.seed, epochs=asked.epochs, size=asked.batch_size, tokens=asked.batch_tokens)


def epochs(examples: Sequence[Example], order: Order) -> Iterator[list[Example]]:
    """Every batch of a training, in order."""
    for epoch in range(order.epochs):
        yield from batches(examples, order, epoch)


def batches(examples: Sequence[Example], order: Order, epoch: int) -> list[list[Example]]:
    """One epoch: shuffled by hash, grouped by length within pools, the groups shuffled again.

    The order follows from ids, seed and epoch alone, never from the order that the examples came in.
    """
    seed, room = order.seed, POOL * order.size
    shuffled = sorted(drawn(examples, seed, epoch), key=lambda example: _draw(seed, epoch, example.id))
    pools = [shuffled[start : start + room] for start in range(0, len(shuffled), room)]
    grouped = [sorted(pool, key=lambda example: len(example.tokens)) for pool in pools]
    cut = [batch for pool in grouped for batch in _cut(pool, order)]
    return sorted(cut, key=lambda batch: _draw(seed, epoch, batch[0].id))


def _cut(pool: Sequence[Example], order: Order) -> Iterator[list[Example]]:
    """Batches of examples sorted by length; one that is longer than a whole batch's tokens is a batch of its own."""
    batch: list[Example] = []
    for example in pool:
        rows = len(batch) + 1
        full = rows > order.size if order.tokens is None else rows * example.size > order.tokens
        if batch and full:
            yield batch
            batch = []
        batch.append(example)
    if batch:
        yield batch


def drawn(examples: Sequence[Example], seed: int, epoch: int) -> list[Example]:
    """Each example as often as its weight says: 2.3 is twice, a third time in 3 of 10 epochs; 0.25 is once in four."""
    return [example for example in examples for _ in range(_times(example, seed, epoch))]


def count_steps(examples: Sequence[Example], order: Order, limit: int | None = None) -> int:
    """Optimiser steps of a whole training, `limit` at most."""
    most = limit or sys.maxsize
    if _repeats(examples, order):
        return min(most, order.epochs * len(batches(examples, order, 0)))
    steps = 0
    for epoch in range(order.epochs):
        steps += len(batches(examples, order, epoch))
        if steps >= most:
            return most
    return steps


def _repeats(examples: Sequence[Example], order: Order) -> bool:
    """Whether every epoch has as many batches: the same examples, and no budget of tokens over several pools."""
    if any(example.weight != 1 for example in examples):
        return False
    return order.tokens is None or len(examples) <= POOL * order.size


def micro(batch: Sequence[Example], size: int | None) -> list[Sequence[Example]]:
    """Parts of a batch that are computed at a time; None: all at once."""
    return [batch[start : start + (size or len(batch))] for start in range(0, len(batch), size or len(batch))]


def _times(example: Example, seed: int, epoch: int) -> int:
    """Times in one epoch; over any number of epochs it is drawn as often as its weight says, but for less than one."""
    if example.weight == 1:
        return 1
    begin = int.from_bytes(_draw(seed, 0, f"weight {example.id}")[:8], "big") / 2**64
    return math.floor(begin + (epoch + 1) * example.weight) - math.floor(begin + epoch * example.weight)


def _draw(seed: int, epoch: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{epoch}/{name}".encode()).digest()
