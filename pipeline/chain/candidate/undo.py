"""A command that fails leaves the working tree as it was, or says what it could not put back."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.chain.candidate import candidate
from pipeline.common import errors, files
from pipeline.common.errors import GraftError

WRITTEN = (candidate.DVCIGNORE, Path("models.lock"), Path("params.yaml"))  # by what opens a candidate
_CACHED = "what got into DVC's cache stays there, and nothing names it: graft gc drops it"


@contextlib.contextmanager
def on_failure(folder: Path | None = None) -> Iterator[None]:
    """Put back the files that opening a candidate writes, and the increment's folder, when the block fails.

    Args:
        folder: the increment's; `candidate.put_in_place` has kept what was there before.
    """
    before = {path: path.read_bytes() if path.is_file() else None for path in WRITTEN}
    is_new = folder is not None and not folder.exists()
    try:
        yield
    except BaseException as error:
        lost = list(_put_back(before))
        changed = folder is not None and candidate.take_back(folder, is_new=is_new)
        if isinstance(error, GraftError | OSError) and (changed or lost):
            raise _extended(error, [*lost, *([_CACHED] if changed else [])]) from error
        raise
    if folder is not None:
        candidate.settle(folder)


def _put_back(before: dict[Path, bytes | None]) -> Iterator[str]:
    """Restore every file that differs; says which could not be."""
    for path, content in before.items():
        if (path.read_bytes() if path.is_file() else None) == content:
            continue
        try:
            if content is None:
                path.unlink()
            else:
                _write(path, content)
        except OSError as error:
            yield f"{path} could not be put back: {error.strerror}: git diff {path}"


def _write(path: Path, content: bytes) -> None:
    try:
        files.write_bytes(path, content)
    except OSError:  # a full disk has no room for a second copy; what was there is overwritten
        path.write_bytes(content)


def _extended(error: GraftError | OSError, more: Iterable[str]) -> GraftError:
    known = error if isinstance(error, GraftError) else errors.of_system(error)
    return GraftError(known.message, [*known.problems, *more], help=known.help)
