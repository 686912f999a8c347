"""Text files as lists of numbered lines; memory stays bounded, however long a line is."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipeline.common.errors import GraftError
from pipeline.data.reading import chunk, source
from pipeline.data.reading.limits import Limits

Lines = tuple[int, list[str]]  # the first one's number from 1, texts with their line ends
_SAFE = ("utf", "gb")  # decoders that never give lone surrogates; utf-7 is the exception
_SURROGATE = re.compile("[\ud800-\udfff]")


@contextmanager
def text(path: Path, encoding: str, compression: str | None, limits: Limits) -> Iterator[TextIO]:
    """A file's text, line ends as they are; what cannot be decoded becomes U+FFFD.

    Raises:
        GraftError: as `source.opened`; or the encoding is none, or not the file's at all.
    """
    with source.opened(path, compression, limits) as stream:
        try:
            with io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="") as file:
                yield file
        except (UnicodeError, LookupError) as error:
            raise GraftError(f"{path}: cannot be read as {encoding}: {error}", help="name its encoding") from None


def blocks(file: TextIO) -> Iterator[str]:
    """Pieces of a text of some size, without a byte order mark and without lone surrogates."""
    safe = file.encoding.casefold().startswith(_SAFE) and "7" not in file.encoding
    first = True
    while block := file.read(chunk.TEXT):
        if first:
            block, first = block.removeprefix("\ufeff"), False
        yield block if safe or block.isascii() else _SURROGATE.sub("\ufffd", block)


def lines(file: TextIO, limits: Limits) -> Iterator[Lines]:
    """Every line of a text, many at a time; of one over `limits.max_line` no more than shows it."""
    number, rest = 1, ""
    for block in blocks(file):
        *found, rest = io.StringIO(rest + block, newline="").readlines() or [""]
        if rest.endswith("\n"):
            found, rest = [*found, rest], ""
        if found:
            yield number, found
            number += len(found)
        if len(rest) > limits.max_line + 1:
            rest = rest[: limits.max_line + 1] + ("\r" if rest.endswith("\r") else "")  # \n may follow
    if rest:
        yield number, [rest]


def after(numbered: Iterator[Lines], skip: int) -> Iterator[Lines]:
    """Lines without the first few."""
    for number, texts in numbered:
        left = texts[max(0, skip + 1 - number) :]
        if left:
            yield max(number, skip + 1), left
