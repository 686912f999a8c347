"""Edge cases: titles of a rare label, cut in two and put together anew."""

import itertools
from collections.abc import Iterator, Sequence

from pipeline.common.draws import Draws
from pipeline.data.augment import pieces

_TRIES = 4  # for each title wanted: many pairs come to a title that there is


def titles(texts: Sequence[str], wanted: int, *name: object) -> Iterator[tuple[int, str]]:
    """New titles, each with the place of the text that its beginning is from; fewer where the texts allow no more.

    Args:
        texts: different titles of one label.
        wanted: how many.
        name: seeds the choices.
    """
    made = set(texts)
    for number in range(wanted * _TRIES):
        if len(texts) < 2 or len(made) - len(texts) == wanted:
            return
        draws = Draws(*name, number)
        first, other = draws.below(len(texts)), draws.below(len(texts) - 1)
        text = _joined(texts[first], texts[other + (other >= first)], draws)
        if text not in made:
            made.add(text)
            yield first, text


def _joined(first: str, second: str, draws: Draws) -> str:
    head, tail = _halves(first, draws)[0], _halves(second, draws)[1]
    between = "" if not head or not tail or (head[-1].han and tail[0].han) else " "
    return " ".join((pieces.join(head) + between + pieces.join(tail)).split())


def _halves(text: str, draws: Draws) -> tuple[list[pieces.Piece], list[pieces.Piece]]:
    """A text cut between two words, never inside what names a model ("iphone | 8 plus" stays whole)."""
    cut = pieces.cut(text)
    words = [place for place, piece in enumerate(cut) if piece.word]
    places = [after for before, after in itertools.pairwise(words) if cut[before].free or cut[after].free]
    place = draws.one(places) if places else len(cut)
    return cut[:place], cut[place:] if places else cut
