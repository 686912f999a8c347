"""Pieces that many texts of a drop share: a disclaimer, a signature, the words of a form. They tell no texts apart.

Counted as similar, they would make near-duplicates of tickets that have nothing but a disclaimer in common. What most
texts share is known by its shingles, in whatever order; what some share, as passages: see boilerplate.py.
"""

from collections import Counter
from collections.abc import Collection, Sequence

import pyarrow as pa

from pipeline.data.index import boilerplate, sketch
from pipeline.data.index.passages import Passages
from pipeline.data.index.sketch import SHINGLE, Sketches

SAMPLE = 2_000  # texts that are looked at
FEWEST = 20  # texts: of fewer, most is not many
SHARE = 0.5  # of the texts: a shingle of more than these is common
RUN = 16  # characters of common shingles in a row, at least: words that many texts share by chance are shorter


def find(forms: Sequence[str], known: Collection[str] = ()) -> frozenset[str]:
    """Pieces that many of some normal forms share, and those that are known; of equal forms, one counts.

    Args:
        forms: in an order that no file's order changes; the first ones are looked at.
        known: pieces that were found before.

    Returns:
        shingles, and passages that are longer.
    """
    looked_at = list(dict.fromkeys(forms))[:SAMPLE]
    if len(looked_at) < FEWEST:
        return frozenset(known)
    common = _common_shingles(looked_at) | frozenset(known)
    left = without(pa.array(looked_at, pa.large_string()), common).to_pylist()
    return common | boilerplate.passages(list(dict.fromkeys(left)))


def without(forms: pa.Array, common: Collection[str]) -> pa.Array:
    """The forms without common pieces; one of nothing else stays whole."""
    return _stripped(forms, common)[0]


def sketched(forms: pa.Array, common: Collection[str]) -> Sketches:
    """Sketches of what is left of forms without common pieces.

    Texts that had different passages are not near, however alike the rest: two products in the same colour.
    """
    left, marks_N = _stripped(forms, common)
    found = sketch.sketches(left)
    return Sketches(found.bytes_NH, found.marks_N + marks_N)


def _stripped(forms: pa.Array, common: Collection[str]) -> tuple[pa.Array, sketch.Words]:
    """The forms without common pieces, and a number for the passages that each had."""
    shingles = frozenset(piece for piece in common if len(piece) == SHINGLE)
    passages = Passages(sorted(piece for piece in common if len(piece) > SHINGLE))
    if shingles:
        forms = pa.array([_without(form, shingles) for form in forms.to_pylist()], forms.type)
    return passages.left_out(forms)


def _common_shingles(looked_at: Sequence[str]) -> frozenset[str]:
    """Shingles in runs that more than half of some normal forms share."""
    counts = Counter(shingle for form in looked_at for shingle in set(_shingles(form)))
    common = {shingle for shingle, count in counts.items() if count > SHARE * len(looked_at)}
    runs = Counter(shingle for form in looked_at for shingle in set(_in_runs(form, common)))
    return frozenset(shingle for shingle, count in runs.items() if count > SHARE * len(looked_at))


def _without(form: str, common: Collection[str]) -> str:
    kept, at = [], 0
    for begin, end in _runs(form, common):
        kept.append(form[at:begin])
        at = end
    rest = " ".join(" ".join([*kept, form[at:]]).split()) if at else form
    return rest or form


def _in_runs(form: str, common: Collection[str]) -> list[str]:
    return [form[at : at + SHINGLE] for begin, end in _runs(form, common) for at in range(begin, end - SHINGLE + 1)]


def _runs(form: str, common: Collection[str]) -> list[tuple[int, int]]:
    """Where runs of common shingles begin and end, in characters."""
    found, begin = [], None
    for at in range(len(form) - SHINGLE + 2):
        if at <= len(form) - SHINGLE and form[at : at + SHINGLE] in common:
            begin = at if begin is None else begin
        elif begin is not None:
            end = at - 1 + SHINGLE
            if end - begin >= RUN:
                found.append((begin, end))
            begin = None
    return found


def _shingles(form: str) -> list[str]:
    return [form[at : at + SHINGLE] for at in range(len(form) - SHINGLE + 1)]
