"""words.toml -> product titles, the same ones on every Python."""

import random
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

WORDS: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
KINDS = tuple(WORDS["kinds"])
CHINESE = 0.3  # share of Chinese titles
Item = TypeVar("Item")


class Dice:
    """Choices that repeat on every Python: all of them come from `Random.random`."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - sample data, no secret

    def below(self, end: int) -> int:
        """An integer in 0 <= n < end."""
        return int(self._random.random() * end)

    def chance(self, share: float) -> bool:
        """True in `share` of the calls."""
        return self._random.random() < share

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Iterable[Item]) -> list[Item]:
        """The items in another order."""
        return [item for _, item in sorted(((self._random.random(), item) for item in items), key=lambda pair: pair[0])]


def fill(pattern: str, kind: str, language: str, dice: Dice) -> str:
    """A pattern of words.toml with every <list> and {choice} of it settled."""

    def word(match: re.Match[str]) -> str:
        return fill(dice.pick(entries(kind, match[1], language)), kind, language, dice)

    return re.sub(r"<(\w+)>", word, choose(pattern, dice))


def choose(pattern: str, dice: Dice) -> str:
    """A pattern with every {a|b} and {1-9} settled, the innermost first."""

    def choice(match: re.Match[str]) -> str:
        span = re.fullmatch(r"(\d+)-(\d+)(?:/(\d+))?", match[1])
        if span is None:
            parts: list[str] = match[1].split("|")
            return dice.pick(parts)
        return str(dice.pick(range(int(span[1]), int(span[2]) + 1, int(span[3] or 1))))

    while "{" in pattern:
        pattern = re.sub(r"\{([^{}]*)\}", choice, pattern)
    return pattern


def entries(kind: str, name: str, language: str) -> Sequence[str]:
    """The list `name` of a kind, in the language, or else the list that all kinds share."""
    for table in (WORDS["kinds"][kind], WORDS["common"]):
        for key in (name + "_zh", name) if language == "zh" else (name,):
            if key in table:
                found: Sequence[str] = table[key]
                return found
    raise KeyError(f"words.toml: no list {name!r} for {kind!r}")


def title(kind: str, dice: Dice) -> str:
    """A product title as sellers type it: one of many forms, in any case, now and then with a typo."""
    language = "zh" if dice.chance(CHINESE) else "en"
    text = fill(dice.pick(entries(kind, "form", language)), kind, language, dice)
    if language == "zh":
        return text
    if dice.chance(0.15):
        text += " " + fill("<extra>", kind, language, dice)
    return typo(recased(text, dice), dice)


def recased(text: str, dice: Dice) -> str:
    """The text in the case of a careless seller, or as it was."""
    roll = dice.below(100)
    return text.lower() if roll < 30 else text.upper() if roll < 36 else text


def typo(text: str, dice: Dice) -> str:
    """The text, in 3 of 100 calls with two neighbouring letters swapped."""
    if not dice.chance(0.03) or len(text) < 8:
        return text
    at = 2 + dice.below(len(text) - 4)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
