"""Files that a checkout over an output would lose: neither DVC's cache nor the remote holds them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.chain.store.objects import Store
from pipeline.common import files


def below(paths: Iterable[str], linked: Iterable[str], store: Store) -> list[str]:
    """Files at or below these outputs whose bytes are nowhere else, links that lead out of the cache included.

    DVC's own checkout asks before it deletes such a file.

    Args:
        paths: outputs that are about to be replaced.
        linked: MD5s of objects that the files probably are hard links to; those are not hashed.
        store: the repository's objects.

    Raises:
        GraftError: some are not in the cache, and the remote cannot be reached.
    """
    cache, known = store.cache_dir().resolve(), _inodes(linked, store)
    there = [entry for entry in _entries(map(Path, paths)) if not _is_saved(entry, cache, known)]
    links = [entry for entry in there if entry.is_symlink()]
    md5s = {entry: files.md5(entry) for entry in there if not entry.is_symlink()}
    absent = set(store.missing(md5s.values(), "cache")) if md5s else set()
    if absent and store.remote_name() is not None:
        absent = set(store.missing(absent, "remote"))
    return sorted(entry.as_posix() for entry in [*links, *(entry for entry, md5 in md5s.items() if md5 in absent)])


def _entries(paths: Iterable[Path]) -> Iterator[Path]:
    """Every file and link at or below the paths; no link is followed."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            yield from _entries(path.iterdir())
        elif os.path.lexists(path):
            yield path


def _inodes(md5s: Iterable[str], store: Store) -> set[tuple[int, int]]:
    paths = [path for md5 in md5s if (path := store.path(md5)).is_file()]
    return {(found.st_dev, found.st_ino) for found in map(os.stat, paths)}


def _is_saved(entry: Path, cache: Path, inodes: set[tuple[int, int]]) -> bool:
    """Whether this is a hard link to one of the objects, or DVC's symbolic link into its cache."""
    if entry.is_symlink():
        return entry.resolve().is_relative_to(cache)
    found = entry.stat()
    return (found.st_dev, found.st_ino) in inodes
