"""JSON documents: an array of objects, one object, objects that follow each other, or an array inside of an object."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.reading import json_lines, lines
from pipeline.data.reading.chunk import Chunk, shown
from pipeline.data.reading.elements import Scanner
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

_MARK = re.compile(r'"(?P<name>(?:[^"\\]|\\.)*+)"(?P<opens>\s*+:\s*+[\[{])?|[\[\]{}]', re.DOTALL)
_HEAD = 1 << 26  # characters in which the array of rows must begin


def chunks(path: Path, spec: FileSpec, limits: Limits) -> Iterator[Chunk]:
    """Elements of a file, numbered from 1; one that is no JSON costs no other one where its end can be seen.

    Raises:
        GraftError: as `lines.text`; or the file has no array under the key that `spec.rows` names.
    """
    scanner = Scanner(limits.max_line)
    number = 1
    with lines.text(path, spec.encoding, spec.compression, limits) as file:
        blocks = lines.blocks(file)
        for block in _inside(path, blocks, spec.rows) if spec.rows else blocks:
            found = scanner.feed(block)
            yield _chunk(number, found, limits)
            number += len(found)
            if spec.rows and scanner.closed:
                return
        yield _chunk(number, scanner.finish(), limits)


def arrays(text: str) -> Iterator[tuple[str, int]]:
    """Keys of a document's outermost object that hold arrays, and where each array begins.

    A key of an inner object has the keys of those around it before it: response.docs.
    """
    around: list[str | None] = []  # of each open object its key; None for what is inside of an array
    for mark in _MARK.finditer(text):
        opens = mark["opens"] if mark["name"] is not None else mark[0]
        if mark["name"] is not None and opens is None:
            continue
        if opens[-1] in "]}":
            around.pop()
            if not around:
                return
        elif mark["name"] is None:
            around.append(None if around or opens == "[" else "")
        else:
            known = None not in around
            if known and opens[-1] == "[":
                yield ".".join((*filter(None, around), mark["name"])), mark.end() - 1
            around.append(mark["name"] if known and opens[-1] == "{" else None)


def end(text: str) -> int | None:
    """Where a text's outermost object ends; None where it does not."""
    depth = 0
    for mark in _MARK.finditer(text):
        if mark["name"] is None or mark["opens"]:
            depth += -1 if mark[0] in ("]", "}") else 1
            if not depth:
                return mark.end()
    return None


def _inside(path: Path, blocks: Iterator[str], key: str) -> Iterator[str]:
    """The text from the array of a key on."""
    head = ""
    for block in blocks:
        head += block
        place = next((place for name, place in arrays(head) if name == key), None)
        if place is not None:
            yield head[place:]
            yield from blocks
            return
        if len(head) > _HEAD:
            break
    raise GraftError(
        f"{path}: no array under the key {key!r}", help="name another with --set rows=KEY, rows in increment.yaml"
    )


def _chunk(number: int, elements: Iterable[str], limits: Limits) -> Chunk:
    found = Chunk()
    for place, element in enumerate(elements, number):
        found.add(place, shown(element), *json_lines.parsed(element, limits))
    return found
