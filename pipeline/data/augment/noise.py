"""Noise as people make it: slips of the finger, words left out, words in another order."""

import itertools

from pipeline.common.draws import Draws
from pipeline.data.augment import pieces
from pipeline.data.augment.pieces import Piece

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # a finger slips along its row
_SHARE = 0.15  # of the words that may change; one at least (EDA: Wei, Zou 2019, arXiv:1901.11196, 0.05 to 0.2)
_LEAST = 4  # letters of a word that is still known with one of them wrong
_KEPT = 2  # words that a title must still have


def typos(text: str, draws: Draws) -> str | None:
    """The text with a slip in some of its longer words; None where there is none to change."""
    cut = pieces.cut(text)
    places = [place for place in pieces.free(cut) if len(cut[place].text) >= _LEAST and cut[place].text.isascii()]
    if not places:
        return None
    for place in _some(places, draws):
        cut[place] = Piece(text=_slip(cut[place].text, draws), word=True, free=False)
    return pieces.join(cut)


def dropout(text: str, draws: Draws) -> str | None:
    """The text without some of its words, of Chinese without some of its characters."""
    cut = pieces.cut(text)
    places = pieces.free(cut)
    if not places or sum(piece.word for piece in cut) <= _KEPT:
        return None
    gone = set(_some(places, draws)[: sum(piece.word for piece in cut) - _KEPT])
    return pieces.join([piece for place, piece in enumerate(cut) if place not in gone])


def swap(text: str, draws: Draws) -> str | None:
    """The text with two words that stand side by side in each other's place; in Chinese, two characters."""
    cut = pieces.cut(text)
    places = pieces.free(cut)
    pairs = [pair for pair in itertools.pairwise(places) if _beside(cut, *pair)]
    if not pairs:
        return None
    first, second = draws.one(pairs)
    cut[first], cut[second] = cut[second], cut[first]
    return pieces.join(cut)


def _beside(cut: list[Piece], first: int, second: int) -> bool:
    return second == first + 1 or (second == first + 2 and cut[first + 1].text == " ")


def _some(places: list[int], draws: Draws) -> list[int]:
    chosen = [place for place in places if draws.chance(_SHARE)]
    return chosen or [draws.one(places)]


def _slip(word: str, draws: Draws) -> str:
    place = 1 + draws.below(len(word) - 2)  # the first letter carries most
    before, letter, after = word[:place], word[place], word[place + 1 :]
    kind = draws.below(4)
    if kind == 0:
        return before + after
    if kind == 1:
        return before + letter + letter + after
    if kind == 2:
        return before + after[0] + letter + after[1:]
    return before + _neighbour(letter, draws) + after


def _neighbour(letter: str, draws: Draws) -> str:
    row = next(row for row in _ROWS if letter.lower() in row)
    place = row.index(letter.lower())
    near = draws.one([row[other] for other in (place - 1, place + 1) if 0 <= other < len(row)])
    return near.upper() if letter.isupper() else near
