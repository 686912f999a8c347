"""Leaves known passages out of texts, also where a word of a passage is another one."""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.index import sketch

WINDOW = 12  # characters by which a place in a passage is known
GAP = 24  # characters: so many others inside a passage belong to it
MOST = 0.5  # of its windows: a text with fewer has not the passage
CHUNK = 16  # characters that most texts with a passage have: a quick look for the others


Span = tuple[int, int]  # where something begins and ends, in characters


class Passages:
    """Passages, ready to be looked for."""

    def __init__(self, passages: Sequence[str]) -> None:
        self._passages = passages
        self._windows: dict[str, list[int]] = defaultdict(list)
        self._sizes: list[int] = []
        for number, passage in enumerate(passages):
            windows = {passage[at : at + WINDOW] for at in range(len(passage) - WINDOW + 1)}
            self._sizes.append(len(windows))
            for window in windows:
                self._windows[window].append(number)
        self._overlapping = any(len(numbers) > 1 for numbers in self._windows.values())
        chunks = {passage[at : at + CHUNK] for passage in passages for at in range(0, len(passage) - CHUNK + 1, CHUNK)}
        self._any = "|".join(map(re.escape, sorted(chunks)))
        self._numbers = sketch.mix(sketch.sketches(pa.array(passages, pa.string())).bands_N8[:, 0])

    def left_out(self, forms: pa.Array) -> tuple[pa.Array, sketch.Words]:
        """The forms without the passages, and a number for those that each had; one of nothing else stays whole."""
        marks_N = np.zeros(len(forms), np.uint64)
        if not self._passages or not len(forms):
            return forms, marks_N
        texts = forms.to_pylist()
        for place in np.flatnonzero(pc.match_substring_regex(forms, self._any)).tolist():
            spans = self._spans(texts[place])
            texts[place] = _cut(texts[place], [span for found in spans.values() for span in found])
            marks_N[place] = self._numbers[list(spans)].sum(dtype=np.uint64)
        return pa.array(texts, forms.type), marks_N

    def _spans(self, form: str) -> dict[int, list[Span]]:
        """Where a text has each passage that it has: mostly as it is."""
        if self._overlapping:
            return self._changed(form)
        whole = {n: found for n, passage in enumerate(self._passages) if (found := _occurrences(form, passage))}
        rest = form
        for begin, end in (span for found in whole.values() for span in found):
            rest = rest[:begin] + "\0" * (end - begin) + rest[end:]
        return self._changed(form) if re.search(self._any, rest) else whole

    def _changed(self, form: str) -> dict[int, list[Span]]:
        """Where a text has most of a passage."""
        places: dict[int, list[int]] = defaultdict(list)
        for at in range(len(form) - WINDOW + 1):
            for number in self._windows.get(form[at : at + WINDOW], ()):
                places[number].append(at)
        return {
            number: _joined(found)
            for number, found in places.items()
            if len({form[at : at + WINDOW] for at in found}) >= MOST * self._sizes[number]
        }


def _occurrences(form: str, passage: str) -> list[Span]:
    found, at = [], form.find(passage)
    while at >= 0:
        found.append((at, at + len(passage)))
        at = form.find(passage, at + len(passage))
    return found


def _joined(places: Sequence[int]) -> list[Span]:
    """Begins and ends of what windows cover, with the gaps between them."""
    spans: list[Span] = []
    for at in places:
        if spans and at - spans[-1][1] <= GAP:
            spans[-1] = (spans[-1][0], at + WINDOW)
        else:
            spans.append((at, at + WINDOW))
    return spans


def _cut(form: str, spans: Sequence[Span]) -> str:
    kept, end = [], 0
    for begin, until in sorted(spans):
        kept.append(form[end:begin])
        end = max(end, until)
    return " ".join(" ".join([*kept, form[end:]]).split()) or form
