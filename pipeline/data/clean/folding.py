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
# RE2: letters and digits of full width, digits of other scripts, signs of full width beside a digit.
_ZEROS = (
    0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040, 0x17E0,
    0xFF10,
)  # fmt: skip
_SIGNS = r"\x{a0}\x{2002}-\x{2015}\x{202f}\x{2212}\x{3000}\x{ff08}\x{ff09}\x{ff0b}\x{ff0c}-\x{ff0f}\x{ff1a}"
WIDE = (
    "[" + "".join(rf"\x{{{zero:x}}}-\x{{{zero + 9:x}}}" for zero in _ZEROS) + r"\x{ff20}-\x{ff3a}\x{ff41}-\x{ff5a}]"
    rf"|[0-9][{_SIGNS}]|[{_SIGNS}][0-9]"
)
_WIDE = re.compile(re.sub(r"\\x{([0-9a-f]+)}", lambda match: chr(int(match[1], 16)), WIDE))
_SAME_LENGTH = (
    {0xFF01 + place: 0x21 + place for place in range(94)}
    | {zero + digit: 0x30 + digit for zero in _ZEROS for digit in range(10)}
    | dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-")
    | dict.fromkeys((0xA0, *range(0x2002, 0x200B), 0x202F, 0x3000), " ")
)


def same_length(text: str) -> str:
    """The text with ASCII digits, letters and signs in place of those of full width, character for character."""
    return text if text.isascii() or not _WIDE.search(text) else text.translate(_SAME_LENGTH)


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
