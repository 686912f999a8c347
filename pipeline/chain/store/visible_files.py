"""The files that DVC sees, and so hashes: .dvcignore applied."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from pipeline.chain.store import dvc_errors
from pipeline.chain.store.objects import Store

NAME = ".dvcignore"


def below(store: Store, path: str) -> Iterator[str]:
    """Every file of the working tree at or below a path that DVC hashes, relative to the root.

    Links to folders below it are named, too: DVC does not follow them.
    """
    from dvc_objects.fs.local import localfs

    root = Path(store.repo.root_dir)
    with dvc_errors.translated(f"dvc: {path}", store.root):
        if (root / path).is_file():
            yield path
        elif (root / path).is_dir():
            for folder, folders, names in store.repo.dvcignore.walk(localfs, str(root / path)):
                links = [name for name in folders if Path(folder, name).is_symlink()]
                yield from (Path(folder, name).relative_to(root).as_posix() for name in (*names, *links))


def tracked(store: Store) -> list[str]:
    """Files and folders of the working tree that a .dvc file names, relative to the root."""
    root = Path(store.repo.root_dir)
    with dvc_errors.translated("dvc", store.root):
        outs = [out for out in store.repo.index.outs if out.stage.is_data_source and out.protocol == "local"]
        return [Path(out.fs_path).relative_to(root).as_posix() for out in outs]


def hidden_by(dvcignore: bytes) -> Callable[[str], bool]:
    """Whether DVC leaves a path out, by the lines of a .dvcignore at the root."""
    from dvc.ignore import DvcIgnorePatterns

    lines = [line.strip() for line in dvcignore.decode("utf-8", "replace").splitlines()]
    rules = DvcIgnorePatterns([line for line in lines if line and not line.startswith("#")], "/", "/")

    def is_hidden(path: str) -> bool:
        place = PurePosixPath("/") / path
        return bool(rules.matches(str(place.parent), place.name))

    return is_hidden
