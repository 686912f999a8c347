"""What a commit or an open working tree needs: outputs, data, and the state of parent and anchor."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pipeline.chain.commits import git, outputs
from pipeline.chain.lock import lockfile
from pipeline.chain.lock.lockfile import Lock
from pipeline.common.errors import GraftError

_FILE = rb"- path: '?(?:%s)'?\n\s+hash: md5\n\s+md5: '?([0-9a-f]{32}(?:\.dir)?)\b"

Key = TypeVar("Key")  # a commit or a folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """The files of one commit or working tree that name objects; a released one, too, was a candidate once."""

    name: str  # main, v1.0.0, stash@{0}, HEAD of /work/shop
    lock: Lock
    dvc_yaml: bytes
    dvc_lock: bytes
    raw: bytes  # the increment's raw.dvc

    def folders(self) -> set[str]:
        """The folder objects that it cannot do without; what is derived, the stages make again."""
        paths = set(outputs.cached_paths(self.dvc_yaml)) - set(outputs.DERIVED)
        md5s = [md5.decode() for md5 in entries(tuple(sorted(paths))).findall(self.dvc_lock)] if paths else []
        return {md5 for md5 in [*md5s, *data(self.raw), *state(self.lock)] if md5.endswith(".dir")}


def of_commits(commits: Mapping[str, str]) -> list[Candidate]:
    """The candidates of commits, by commit -> name; a commit without models.lock, of another branch say, has none.

    Raises:
        GraftError: a models.lock cannot be read: what its candidate stands on is unknown.
    """
    texts = git.contents(f"{commit}:{lockfile.PATH}" for commit in commits)
    locks = _parsed({commit: (commits[commit], text) for commit, text in zip(commits, texts, strict=True) if text})
    paths = [f"{commit}:{path}" for commit, lock in locks.items() for path in _paths(lock)]
    found = git.contents(paths) if paths else iter(())
    return [_candidate(commits[commit], lock, [next(found) for _ in range(3)]) for commit, lock in locks.items()]


def of_folders(folders: Iterable[Path]) -> list[Candidate]:
    """The candidates in working trees. Raises like `of_commits`."""
    files = {folder: folder / lockfile.PATH for folder in folders}
    locks = _parsed({k: (f"working tree {k}", path.read_bytes()) for k, path in files.items() if path.is_file()})
    return [
        _candidate(f"working tree {folder}", lock, [_read(folder / path) for path in _paths(lock)])
        for folder, lock in locks.items()
    ]


def state(lock: Lock) -> list[str]:
    """What a training of this lock begins with and is compared with: the states of parent and anchor."""
    return [output["md5"] for release in (lock.parent, lock.anchor) if release for output in release.state.values()]


def data(raw_dvc: bytes | None) -> list[str]:
    """The increment's files, from its raw.dvc."""
    return [md5.decode() for md5, _ in outputs.RAW.findall(raw_dvc or b"")]


@lru_cache
def entries(paths: tuple[str, ...]) -> re.Pattern[bytes]:
    """Matches what a dvc.lock says of these files and folders, with the MD5 as its group."""
    return re.compile(_FILE % b"|".join(re.escape(path.encode()) for path in paths))


def _paths(lock: Lock) -> tuple[str, str, str]:
    return "dvc.yaml", "dvc.lock", f"{lock.increment}/raw.dvc"


def _candidate(name: str, lock: Lock, texts: Iterable[bytes | None]) -> Candidate:
    dvc_yaml, dvc_lock, raw = (text or b"" for text in texts)
    return Candidate(name=name, lock=lock, dvc_yaml=dvc_yaml, dvc_lock=dvc_lock, raw=raw)


def _parsed(texts: Mapping[Key, tuple[str, bytes]]) -> dict[Key, Lock]:
    locks, problems = dict[Key, Lock](), list[str]()
    for key, (name, text) in texts.items():
        try:
            locks[key] = lockfile.parse(text, f"{name}: {lockfile.PATH}")
        except GraftError as error:
            problems.append(error.message)
    if problems:
        raise GraftError(
            "lock files that cannot be read: what they need cannot be told from garbage",
            problems,
            help="settle a conflict first; use the Graft that wrote them; git branch -D what nobody needs",
        )
    return locks


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
