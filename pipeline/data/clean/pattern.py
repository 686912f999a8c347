"""A kind of thing to find in text: how a batch is searched for it, and how one text is."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.data.clean import folding

MASKED = re.compile(r"(\[(?:EMAIL|PHONE|ID|CARD|IBAN|IP|CREDENTIALS|SECRET)\])")  # what stands for masked text

MANY_DIGITS = 7


def _always(_: re.Match[str]) -> bool:
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """What counts is the regular expression and the check; the gate finds every text that they can hit, and more."""

    mark: str  # stands in place of what is found
    gate: str  # RE2: no look-around, no back-reference
    regex: re.Pattern[str]  # linear: bounded repeats behind a look-behind
    many_digits: bool = False  # whether every match has at least MANY_DIGITS
    needs: str = ""  # stands in every match: its absence is quickly seen
    check: Callable[[re.Match[str]], bool] = _always  # checksums and what else no regular expression says

    def replace(self, text: str, mark: str | None = None) -> str:
        """The text with the mark in place of everything found; digits and signs of full width count as ASCII."""
        plain = folding.same_length(text)
        if self.needs not in plain:
            return text
        new = self.mark if mark is None else mark
        parts, kept, start = [], 0, 0
        while match := self.regex.search(plain, start):
            if self.check(match):
                parts += [text[kept : match.start()], match.expand(new)]
                kept = start = match.end()
            else:
                start = match.start() + 1  # what else begins in it may be one
        return "".join((*parts, text[kept:])) if parts else text


def apart(body: str) -> str:
    """RE2's gate of a pattern whose matches have no ASCII letter or digit beside them."""
    return f"(?:^|[^A-Za-z0-9])(?:{body})(?:$|[^A-Za-z0-9])"


def together(words: str, body: str) -> str:
    """RE2's gate of matches that need one of some words before or after them."""
    return f"(?is:(?:{words}).*?(?:{body})|(?:{body}).*?(?:{words}))"
