"""How much a long text repeats itself, and whether it is prose at all: the measures of MassiveText (Gopher).

Source: Rae et al. 2021, arXiv:2112.11446, appendix A1.1 and Table A1.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_SYMBOL = re.compile(r"#|\.\.\.|…")
DUPLICATE_LINES, REPEATED_WORDS = "repeats its lines", "repeats its words"


def problem(text: str, limits: Mapping[str, Any], *, web: bool) -> str | None:
    """The first reason against a text, or None.

    Args:
        text: of some length: shares of a short text say nothing.
        limits: names of `quality.Options` -> bound, None for none.
        web: also what holds for web pages and not for answers, which may be code or tables.
    """
    lines, chars = duplicate_lines(text)
    if _above(lines, limits["max_duplicate_lines"]) or _above(chars, limits["max_duplicate_line_chars"]):
        return DUPLICATE_LINES
    words = _WORD.findall(text)
    for size in (2, 3, 4):
        bound = limits[f"max_top_{size}gram"]
        if bound is not None and top_share(words, size) > bound:
            return REPEATED_WORDS
    return _no_prose(text, limits) if web else None


def duplicate_lines(text: str) -> tuple[float, float]:
    """Share of the lines that stand in the text before, and of their characters; empty lines do not count."""
    lines = [line for line in (each.strip() for each in text.split("\n")) if line]
    if len(lines) < 2:
        return 0.0, 0.0
    repeated = [line * (count - 1) for line, count in Counter(lines).items()]
    again = len(lines) - len(set(lines))
    return again / len(lines), sum(map(len, repeated)) / sum(map(len, lines))


def top_share(words: list[str], size: int) -> float:
    """Share of the words' characters that the most frequent sequence of `size` words takes, if it comes twice."""
    if len(words) <= size:
        return 0.0
    sequence, count = Counter(zip(*(words[start:] for start in range(size)), strict=False)).most_common(1)[0]
    return count * sum(map(len, sequence)) / sum(map(len, words)) if count > 1 else 0.0


def _no_prose(text: str, limits: Mapping[str, Any]) -> str | None:
    words = text.split()
    symbols, least = limits["max_symbols_per_word"], limits["min_words_with_letters"]
    if symbols is not None and len(_SYMBOL.findall(text)) / len(words) > symbols:
        return "too many symbols"
    if least is not None and sum(any(map(str.isalpha, word)) for word in words) / len(words) < least:
        return "too few words"
    return None


def _above(value: float, bound: float | None) -> bool:
    return bound is not None and value > bound
