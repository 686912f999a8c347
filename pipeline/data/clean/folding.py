"""Letters and signs as ASCII where they have one: accents off, full width to half width."""

import re
import unicodedata
from functools import cache

_BEYOND = re.compile(r"[^\x00-\x7f]")
# Letters that Unicode takes for letters of their own, and signs.
_NAMED = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D",
    "ł": "l", "Ł": "L", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D", "ħ": "h", "Ħ": "H", "ı": "i",
    "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-",
    "⁄": "/",
}  # fmt: skip


def to_ascii(text: str) -> str:
    """The text with ASCII in place of what has an ASCII form; other scripts stay as they are."""
    return text if text.isascii() else _BEYOND.sub(lambda match: _folded(match[0]), text)


@cache
def _folded(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if "\u0300" <= character <= "\u036f":
        return ""  # a mark that no letter takes up
    parts = (part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    plain = "".join(_NAMED.get(part, part) for part in parts)
    return plain if plain and plain.isascii() else character
