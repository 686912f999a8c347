"""A kind of thing to find in text: how a batch is searched for it, and how one text is."""

import re
from collections.abc import Callable
from dataclasses import dataclass

MASKED = re.compile(r"(\[(?:EMAIL|PHONE|ID|CARD|IBAN|IP|CREDENTIALS|SECRET)\])")  # what stands for masked text


def _always(_: re.Match[str]) -> bool:
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """What counts is the regular expression and the check; the gate finds every text that they can hit, and more."""

    mark: str  # stands in place of what is found
    gate: str  # RE2: no look-around, no back-reference
    regex: re.Pattern[str]  # linear: bounded repeats behind a look-behind
    needs: str = ""  # stands in every match: its absence is quickly seen
    check: Callable[[re.Match[str]], bool] = _always  # checksums and what else no regular expression says

    def replace(self, text: str, mark: str | None = None) -> str:
        """The text with the mark in place of everything found."""
        if self.needs not in text:
            return text
        new = self.mark if mark is None else mark
        return self.regex.sub(lambda match: match.expand(new) if self.check(match) else match[0], text)


def apart(body: str) -> str:
    """RE2's gate of a pattern whose matches have no ASCII letter or digit beside them."""
    return f"(?:^|[^A-Za-z0-9])(?:{body})(?:$|[^A-Za-z0-9])"
