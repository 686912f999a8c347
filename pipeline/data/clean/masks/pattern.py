"""A kind of thing to find in text: how a batch is searched for it, and how one text is."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pipeline.data.clean import folding

MASKED = re.compile(r"(\[(?:EMAIL|PHONE|ID|CARD|IBAN|IP|CREDENTIALS|SECRET)\])")  # what stands for masked text

MANY_DIGITS = 7
# Letters of Chinese, Thai and their likes, which set no blanks between words: for a character class.
JOINED = "\u0e00-\u0eff\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"


def _always(_: re.Match[str]) -> bool:
    return True


def _whole(match: re.Match[str]) -> re.Match[str]:
    return match


@cache
def compiled(expression: str) -> re.Pattern[str]:
    """The expression, compiled once: many processes import these modules and search for nothing."""
    return re.compile(expression)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """What counts is the regular expression and the check; the gate finds every text that they can hit, and more."""

    mark: str  # stands in place of what is found
    gate: str  # RE2: no look-around, no back-reference
    regex: str  # compiled when it is first searched for; linear: bounded repeats behind a look-behind
    many_digits: bool = False  # whether every match has at least MANY_DIGITS
    needs: str = ""  # stands in every match: its absence is quickly seen
    check: Callable[[re.Match[str]], bool] = _always  # checksums and what else no regular expression says
    cut: Callable[[re.Match[str]], re.Match[str]] = _whole  # a match without what is not its own

    def replace(self, text: str, mark: str | None = None) -> str:
        """The text with the mark in place of everything found; digits and signs of full width count as ASCII."""
        plain = folding.same_length(text)
        if self.needs not in plain:
            return text
        new = self.mark if mark is None else mark
        parts, kept, start = [], 0, 0
        regex = compiled(self.regex)
        while match := regex.search(plain, start):
            if self.check(match := self.cut(match)):
                parts += [text[kept : match.start()], match.expand(new)]
                kept = start = match.end()
            else:
                start = match.start() + 1  # what else begins in it may be one
        return "".join((*parts, text[kept:])) if parts else text


_GLUED = re.compile(r"(?:[A-Za-z0-9]|[A-Za-z][-./+]|[0-9][-./+,])\Z")
_ANOTHER = re.compile(rf"(?:[0-9][ ().-]{{0,2}}){{{MANY_DIGITS}}}[/,]\Z")  # a list
_WORDS = 24  # characters in which a word ends


def is_a_part(match: re.Match[str], words: str) -> bool:
    """Whether letters or digits right before a number belong to it, and are none of the words that a number follows."""
    text, start = match.string, match.start()
    glued = _GLUED.search(text, max(0, start - 2), start)
    before = max(0, start - _WORDS), start
    if not glued or (glued[0][-1] in "/," and _ANOTHER.search(text, *before)):
        return False
    return not compiled(words).search(text, *before)


_LOOK_AROUND = re.compile(r"\(\?<?[!=](?:[^()]|\([^()]*\))*\)")


def without_look_around(expression: str) -> str:
    """The expression as RE2 reads it: it matches more."""
    return _LOOK_AROUND.sub("", expression)


def together(words: str, body: str) -> str:
    """RE2's gate of matches that need one of some words before or after them."""
    return f"(?is:(?:{words}).*?(?:{body})|(?:{body}).*?(?:{words}))"
