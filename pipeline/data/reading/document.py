"""JSON documents: an array of objects, one object, or objects that follow each other."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.data.reading import json_lines, lines
from pipeline.data.reading.chunk import Chunk, shown
from pipeline.data.reading.elements import Scanner
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits


def chunks(path: Path, spec: FileSpec, limits: Limits) -> Iterator[Chunk]:
    """Elements of a file, numbered from 1; one that is no JSON costs no other one where its end can be seen.

    Raises:
        GraftError: as `lines.text`.
    """
    scanner = Scanner(limits.max_line)
    number = 1
    with lines.text(path, spec.encoding, spec.compression, limits) as file:
        for block in lines.blocks(file):
            found = scanner.feed(block)
            yield _chunk(number, found, limits)
            number += len(found)
        yield _chunk(number, scanner.finish(), limits)


def _chunk(number: int, elements: Iterable[str], limits: Limits) -> Chunk:
    found = Chunk()
    for place, element in enumerate(elements, number):
        found.add(place, shown(element), *json_lines.parsed(element, limits))
    return found
