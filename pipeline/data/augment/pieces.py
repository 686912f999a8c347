"""A title cut into words, and which of them may be changed: never what names the product.

A number, a size or a model's name that changes is another product. So a word that holds a digit stays as it is,
and so do its neighbours ("iphone 8 plus", "galaxy s9"), names in capitals and Chinese numerals.
"""

import re
from dataclasses import dataclass

# A word, one Chinese character, or what stands between them, such as [PHONE] in place of a number.
_CJK = "㐀-鿿豈-﫿"
_MARK = r"\[[A-Z]{2,11}\]"
_PIECE = re.compile(rf"{_MARK}|[^\W_{_CJK}]+(?:[-./+&'][^\W_{_CJK}]+)*|[{_CJK}]|(?:(?!{_MARK})[\W_])+")
_HAN = re.compile(f"[{_CJK}]")
_NUMERALS = frozenset("一二三四五六七八九十百千万亿零〇两双半")


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A word or a separator of a text."""

    text: str
    word: bool
    free: bool  # may be changed, moved or left out

    @property
    def han(self) -> bool:
        """Whether it is a Chinese character."""
        return _HAN.fullmatch(self.text) is not None


def cut(text: str) -> list[Piece]:
    """The pieces of a text: joined, they are the text again."""
    parts = _PIECE.findall(text)
    words = [place for place, part in enumerate(parts) if part[0].isalnum()]
    numbers = {order for order, place in enumerate(words) if _counts(parts[place])}
    some_lower = any(part.islower() for part in parts if part.isalpha() and part.isascii())
    free = {
        place
        for order, place in enumerate(words)
        if numbers.isdisjoint((order - 1, order, order + 1)) and not _is_name(parts[place], some_lower)
    }
    known = set(words)
    return [Piece(text=part, word=place in known, free=place in free) for place, part in enumerate(parts)]


def free(pieces: list[Piece]) -> list[int]:
    """Places of the words that may be changed."""
    return [place for place, piece in enumerate(pieces) if piece.free]


def join(pieces: list[Piece]) -> str:
    """The text of the pieces, with one blank for each run of them."""
    return " ".join("".join(piece.text for piece in pieces).split())


def _counts(part: str) -> bool:
    return part in _NUMERALS or any(map(str.isdigit, part))


def _is_name(part: str, some_lower: bool) -> bool:
    latin = not _HAN.fullmatch(part)
    return latin and (len(part) < 3 or not part.isalpha() or (some_lower and part.isupper()))
