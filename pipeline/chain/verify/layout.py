"""Some files of a commit in a scratch folder: those in git as copies, DVC's as links to its cache, each hashed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pipeline.chain.commits import git, outputs
from pipeline.chain.store.objects import Store
from pipeline.chain.verify.manifest_check import Commit
from pipeline.common import files
from pipeline.common.errors import GraftError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where files go, and where they come from."""

    commit: Commit
    revision: str | None  # a commit; None: the working tree
    stores: Sequence[Store]  # whose remotes may have what the cache lacks; none: the cache has it all
    folder: Path  # the scratch folder, absolute
    cache: Store = field(default_factory=Store)  # opened once

    def add(self, path: str, without: Sequence[str] = ()) -> None:
        """Lay out a file, or a folder with all that is in it; nothing where the commit has no such path.

        Args:
            path: relative to the root; an output, a part of one, or a path in git.
            without: paths below it that are left out.

        Raises:
            GraftError: an object is nowhere, or not what the manifest says.
        """
        output = next((o for o in self.commit.outputs if o.cached and outputs.below(path, [o.path])), None)
        if output is None:
            self._copy(path)
            return
        for name, md5 in self._members(output):
            if outputs.below(name, [path]) and not outputs.below(name, without):
                self._link(name, md5)

    def _copy(self, path: str) -> None:
        if self.revision is None:
            names = [file.as_posix() for file in files.files_below(Path(path))]
            contents = [Path(name).read_bytes() for name in names]
        else:
            names = git.files(self.revision, path)
            contents = [text or b"" for text in git.contents(f"{self.revision}:{name}" for name in names)]
        for name, content in zip(names, contents, strict=True):
            files.write_bytes(self._inside(name), content)

    def _members(self, output: outputs.Output) -> Iterator[tuple[str, str]]:
        """(path, md5) of an output, or of each file of one that is a folder."""
        if not output.md5.endswith(".dir"):
            yield output.path, output.md5
            return
        try:
            listed = self.cache.listing(output.md5, "cache")
        except FileNotFoundError:
            listed = self._first(lambda store: store.listing(output.md5, "remote"), output.path)
        yield from ((f"{output.path}/{name}", child) for name, child in listed.items())

    def _link(self, name: str, md5: str) -> None:
        """A link to the cache: whoever writes in the scratch folder replaces files, and never writes below one."""
        source, target = self.cache.path(md5).resolve(), self._inside(name)
        if not source.is_file():
            self._first(lambda store: store.fetch([md5]), name)
        digest = self.commit.manifest.get(name)
        if digest is None or files.sha256(source) != digest["sha256"]:
            raise GraftError(
                "DVC's cache holds other bytes than it recorded",
                [f"{md5}: found md5 {files.md5(source)}: {name}"],
                help=f"delete object {md5} from .dvc/cache/files/md5; dvc fetch brings what was pushed before, "
                "dvc repro makes the rest again",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)

    def _first(self, get: Callable[[Store], T], name: str) -> T:
        """What the first of the remotes that has it gives."""
        error = GraftError(f"{name} is not in the cache", help="dvc pull brings it; --remote reads it from there")
        for store in self.stores:
            try:
                return get(store)
            except FileNotFoundError:
                continue
            except GraftError as problem:
                error = problem
        raise error

    def _inside(self, name: str) -> Path:
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise GraftError(f"{name}: leaves the repository")
        return self.folder / name
