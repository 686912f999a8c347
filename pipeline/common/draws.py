"""Choices that repeat: drawn from a hash of what they are for, not from a generator that others use, too."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")
_MASK = 2**64 - 1


class Draws:
    """A stream of numbers that its name alone decides (splitmix64; Steele, Lea, Flood 2014)."""

    def __init__(self, *name: object) -> None:
        text = "\0".join(map(str, name)).encode()
        self._state = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())

    def number(self) -> int:
        """The next number below 2**64."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, count: int) -> int:
        """A number from 0 to count - 1."""
        return self.number() * count >> 64

    def chance(self, share: float) -> bool:
        """True in that share of the draws."""
        return self.number() < share * 2**64

    def one(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]
