"""Images that rows name by path: they lie below raw/, and no path leads out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.data.contents.row_content import UnusableError

FOLDER = "images"  # beside the file that names them


@dataclass(frozen=True, slots=True)
class Images:
    """Where the images of one file are looked for."""

    raw: Path  # the increment's raw/
    beside: Path  # the folder of the file that names them
    _known: dict[str, str] = field(default_factory=dict)

    def found(self, names: Any) -> list[str] | None:
        """Paths below raw/ of the images of a row; None for none.

        Raises:
            UnusableError: one is not there, or lies outside.
        """
        if isinstance(names, str):
            names = [names]
        if not names:
            return None
        if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
            raise UnusableError("images are not paths")
        return [self._path(name) for name in names]

    def _path(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = self._look(name)
        return self._known[name]

    def _look(self, name: str) -> str:
        pure = PurePosixPath(name)
        if "://" in name or name.startswith("data:"):
            raise UnusableError("an image is no file")
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name or name[1:2] == ":":
            raise UnusableError("image path leaves the folder")
        for path in (self.beside / pure, self.beside / FOLDER / pure, self.beside / FOLDER / Path(*pure.parts[1:])):
            if _is_file(path):
                if not path.resolve().is_relative_to(self.raw.resolve()):
                    raise UnusableError("image path leaves the folder")
                return path.relative_to(self.raw).as_posix()
        raise UnusableError("image not found")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that the file system cannot have
        return False
