"""fastText's training files: labels with a prefix before, or behind, the text of a line.

Format: https://fasttext.cc/docs/en/supervised-tutorial.html
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.data.reading import lines
from pipeline.data.reading.chunk import Chunk, shown
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

TEXT, LABEL = "text", "label"  # the two columns
_LABEL = re.compile(r"(?<!\S)__label__(\S+)")


def is_labelled(text: str) -> bool:
    """Whether a line has a label in fastText's notation."""
    return _LABEL.search(text) is not None


def chunks(path: Path, spec: FileSpec, limits: Limits) -> Iterator[Chunk]:
    """Texts and labels of a file; blank lines are none. A record has one label: a line with several is none.

    Raises:
        GraftError: as `lines.text`.
    """
    with lines.text(path, spec.encoding, spec.compression, limits) as file:
        for number, texts in lines.lines(file, limits):
            found = Chunk()
            for place, text in enumerate(texts, number):
                if not text.isspace():
                    _add(found, place, text, limits)
            yield found


def _add(found: Chunk, line: int, text: str, limits: Limits) -> None:
    labels = list(dict.fromkeys(_LABEL.findall(text)))
    if len(text) > limits.max_line:
        found.add(line, shown(text), None, "line too long")
    elif len(labels) != 1:
        found.add(line, shown(text), None, "several labels" if labels else "no label")
    else:
        found.add(line, shown(text), {TEXT: " ".join(_LABEL.sub(" ", text).split()), LABEL: labels[0]}, None)
