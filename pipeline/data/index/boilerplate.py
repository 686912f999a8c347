"""Long passages that some texts of a drop share, word for word, beside texts of their own: disclaimers, quotes, forms.

Texts that are near each other share long passages, too. What tells them apart: of boilerplate many texts have the same
passage whole, and next to it each has a phrase of its own; near texts differ in words here and there.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.data.index import sketch

LONG = 32  # characters: what is shorter makes no two texts near-duplicates
LEAST, SHARE = 10, 0.02  # texts that have a passage, at least, and their share of all
DROP = 0.5  # of those texts: where so many leave off, a passage ends; what so many have at most is a text's own
OWN = 20  # bytes of a phrase, not of a word: of text beside a passage, in the middle of the texts that have it
MOST = 1 << 23  # characters that are looked at

# Shape legend: C = characters of a text, W = windows of LONG characters of it.
Hashes = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


def passages(forms: Sequence[str]) -> frozenset[str]:
    """Boilerplate of some normal forms, which are all different.

    Args:
        forms: in an order that no file's order changes; the first ones are looked at.
    """
    looked_at = _first(forms)
    least = max(LEAST, SHARE * len(looked_at))
    windows = [_windows(form) for form in looked_at]
    found: dict[str, list[int]] = defaultdict(list)
    for number, shared_C in _shared(windows, least):
        for passage in _whole(looked_at[number], shared_C, least):
            found[passage].append(number)
    return frozenset(
        passage
        for passage, having in found.items()
        if len(having) >= least and _is_beside_own([looked_at[n] for n in having], [windows[n] for n in having])
    )


def _first(forms: Sequence[str]) -> list[str]:
    sizes = np.cumsum([len(form) for form in forms])
    return list(forms[: max(1, int(np.searchsorted(sizes, MOST)))])


def _windows(form: str) -> Hashes:
    """A hash of each LONG characters in a row."""
    codes_C = np.frombuffer(form.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    hashes_W = np.zeros(max(0, len(codes_C) - LONG + 1), np.uint64)
    for place in range(LONG if len(hashes_W) else 0):
        hashes_W = hashes_W * np.uint64(0x100000001B3) + codes_C[place : place + len(hashes_W)]
    return sketch.mix(hashes_W)


def _shared(windows: Sequence[Hashes], least: float = 0) -> Iterator[tuple[int, Counts]]:
    """How many texts share the passage around each character, of texts where `least` do somewhere."""
    known_W, counts_W = np.unique(
        np.concatenate([np.zeros(0, np.uint64), *map(np.unique, windows)]), return_counts=True
    )
    if not (counts_W >= least).any():
        return
    for number, windows_W in enumerate(windows):
        shared_W = counts_W[np.searchsorted(known_W, windows_W)]
        if (shared_W >= least).any():
            yield number, _by_character(shared_W)


def _by_character(shared_W: Counts) -> Counts:
    """How many texts share the passage around each character: the most of any window that covers it."""
    shared_C = np.zeros(len(shared_W) + LONG - 1, np.int64)
    for place in range(LONG):
        part = shared_C[place : place + len(shared_W)]
        np.maximum(part, shared_W, out=part)
    return shared_C


def _whole(form: str, shared_C: Counts, least: float) -> set[str]:
    """The passages of a text, each from where many texts join in to where many leave off, in whole words."""
    ratio_C = shared_C[1:] / shared_C[:-1]
    ends = np.flatnonzero((ratio_C <= DROP) | (ratio_C >= 1 / DROP)) + 1
    bounds = [0, *ends.tolist(), len(form)]
    found = set()
    for begin, end in pairwise(bounds):
        if end - begin >= LONG and shared_C[begin:end].min() >= least:
            found.add(form[begin:end].strip())
    return found


def _is_beside_own(forms: Sequence[str], windows: Sequence[Hashes]) -> bool:
    """Whether most of the texts that have a passage have a phrase of their own, that few of the others have."""
    longest = [_longest(forms[number], shared_C <= DROP * len(forms)) for number, shared_C in _shared(windows)]
    return float(np.median(longest)) >= OWN


def _longest(form: str, own_C: npt.NDArray[np.bool_]) -> int:
    """Bytes of the longest stretch that is a text's own: a Chinese character says more than a letter."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], own_C, [False])).astype(np.int8)))
    return max((len(form[begin:end].encode()) for begin, end in edges.reshape(-1, 2).tolist()), default=0)
