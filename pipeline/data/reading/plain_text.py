"""Plain text: each line is a text, or each block of lines up to a blank one."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.data.reading import lines
from pipeline.data.reading.chunk import Chunk, shown
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

TEXT = "text"  # the one column


def chunks(path: Path, spec: FileSpec, limits: Limits) -> Iterator[Chunk]:
    """Texts of a file; blank lines are none.

    Raises:
        GraftError: as `lines.text`.
    """
    with lines.text(path, spec.encoding, spec.compression, limits) as file:
        numbered = lines.lines(file, limits)
        yield from _paragraphs(numbered, limits) if spec.blocks == "paragraphs" else _lines(numbered, limits)


def _lines(numbered: Iterator[lines.Lines], limits: Limits) -> Iterator[Chunk]:
    for number, texts in numbered:
        found = Chunk()
        for place, text in enumerate(texts, number):
            if not text.isspace():
                _add(found, place, text.rstrip("\r\n"), limits)
        yield found


def _paragraphs(numbered: Iterator[lines.Lines], limits: Limits) -> Iterator[Chunk]:
    first, parts, size = 0, list[str](), 0
    for number, texts in numbered:
        found = Chunk()
        for place, text in enumerate(texts, number):
            if not text.isspace():
                first = place if not parts else first
                if size <= limits.max_line:
                    parts.append(text)
                size += len(text)
            elif parts:
                _add(found, first, "".join(parts).rstrip("\r\n"), limits)
                parts, size = [], 0
        yield found
    if parts:
        found = Chunk()
        _add(found, first, "".join(parts).rstrip("\r\n"), limits)
        yield found


def _add(found: Chunk, line: int, text: str, limits: Limits) -> None:
    if len(text) > limits.max_line:
        found.add(line, shown(text), None, "line too long")
    else:
        found.add(line, shown(text), {TEXT: text}, None)
