"""A file's bytes, unpacked, and never more of them than allowed."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from pipeline.common.errors import GraftError
from pipeline.data.reading.limits import Limits

COPY = 1 << 20  # bytes moved at a time
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


def compression_of(path: Path) -> str | None:
    """What a file is packed with, by its first bytes: gzip, zstd or None.

    Raises:
        GraftError: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise GraftError(f"{path}: {error.strerror}", help="give a file that you may read") from None
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


@contextmanager
def opened(path: Path, compression: str | None, limits: Limits) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked as they are read.

    Raises:
        GraftError: it cannot be opened, is damaged, or holds more than `limits.max_bytes`; the last two
            may show only while it is read.
    """
    with faults(path):
        if path.stat().st_size > limits.max_bytes:
            raise too_large(path, limits)
        with path.open("rb") as file, _Unpacked(path, file, compression, limits) as stream:
            yield io.BufferedReader(stream, COPY)


def check_size(path: Path, limits: Limits) -> None:
    """See that a file is no larger than allowed, before much is done with it: a packed one is unpacked once.

    Raises:
        GraftError: as `opened`.
    """
    compression = compression_of(path)
    with opened(path, compression, limits) as stream:
        while compression and stream.read(COPY):
            pass


@contextmanager
def seekable(path: Path, compression: str | None, limits: Limits, *, mapped: bool) -> Iterator[Any]:
    """A file to read here and there; a packed one is unpacked to a temporary file.

    Args:
        path: the file.
        compression: what it is packed with.
        limits: of its size.
        mapped: whether to map it into memory, where a part that is read may be as large as the file.

    Raises:
        GraftError: as `opened`.
    """
    opener = pa.memory_map if mapped else pa.OSFile
    with opened(path, compression, limits) as stream:
        if compression is None:
            with opener(str(path)) as file:
                yield file
            return
        with tempfile.NamedTemporaryFile() as copy:
            while block := stream.read(COPY):
                copy.write(block)
            copy.flush()
            with opener(copy.name) as file:
                yield file


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """What the system, pyarrow and codecs raise for a file, in words.

    Raises:
        GraftError: in place of those.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error).split("\n")[0]
        raise GraftError(
            f"{path}: cannot be read: {said}", help="a damaged file is refused whole: bring it anew"
        ) from None


def too_large(path: Path, limits: Limits) -> GraftError:
    """The refusal of a file that holds too much."""
    return GraftError(
        f"{path}: more than {limits.max_bytes:,} bytes, unpacked",
        help="split it into several files, or raise prepare.max_bytes",
    )


class _Unpacked(io.RawIOBase):
    """The bytes of a stream, counted."""

    def __init__(self, path: Path, file: BinaryIO, compression: str | None, limits: Limits) -> None:
        self._path, self._limits, self._read = path, limits, 0
        self._stream: Any = file if compression is None else pa.CompressedInputStream(pa.PythonFile(file), compression)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with faults(self._path):
            block = self._stream.read(len(buffer))
        self._read += len(block)
        if self._read > self._limits.max_bytes:
            raise too_large(self._path, self._limits)
        buffer[: len(block)] = block
        return len(block)
