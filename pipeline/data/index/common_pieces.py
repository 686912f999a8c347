"""Pieces that most texts of a drop share: a disclaimer, a signature, the words of a form. They tell no texts apart.

Counted as similar, they would make near-duplicates of tickets that have nothing but a disclaimer in common.
"""

from collections import Counter
from collections.abc import Collection, Sequence

import pyarrow as pa

from pipeline.data.index.sketch import SHINGLE

SAMPLE = 2_000  # texts that are looked at
FEWEST = 20  # texts: of fewer, most is not many
SHARE = 0.5  # of the texts: a shingle of more than these is common
RUN = 16  # characters of common shingles in a row, at least: words that many texts share by chance are shorter


def common_shingles(forms: Sequence[str]) -> frozenset[str]:
    """Shingles in runs that more than half of some normal forms share; of equal forms, one counts.

    Args:
        forms: in an order that no file's order changes; the first ones are looked at.
    """
    looked_at = list(dict.fromkeys(forms))[:SAMPLE]
    if len(looked_at) < FEWEST:
        return frozenset()
    counts = Counter(shingle for form in looked_at for shingle in set(_shingles(form)))
    common = {shingle for shingle, count in counts.items() if count > SHARE * len(looked_at)}
    runs = Counter(shingle for form in looked_at for shingle in set(_in_runs(form, common)))
    return frozenset(shingle for shingle, count in runs.items() if count > SHARE * len(looked_at))


def without(forms: pa.Array, common: Collection[str]) -> pa.Array:
    """The forms without runs of common shingles; one of nothing else stays whole."""
    if not common:
        return forms
    return pa.array([_without(form, common) for form in forms.to_pylist()], forms.type)


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
