"""A chain of four releases, made of small files, with a bare origin and a remote of its own."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from benchmarks.chain_1000 import Objects, build
from tests.conftest import ENVIRONMENT, Clone

RELEASES = 4  # v1.0.0 to v1.3.0


@dataclass(frozen=True)
class Team:
    """A clone, its origin and its remote."""

    folder: Path

    @property
    def clone(self) -> Clone:
        return Clone(self.folder / "clone")

    @property
    def cache(self) -> Path:
        return self.folder / "clone/.dvc/cache"

    @property
    def remote(self) -> Path:
        return self.folder / "remote"

    def colleague(self, name: str, *options: str) -> Clone:
        """Another clone of origin, on the same remote."""
        command = ["git", "clone", "-q", *options, f"file://{self.folder / 'origin.git'}", self.folder / name]
        subprocess.run(command, check=True, env=ENVIRONMENT)
        clone = Clone(self.folder / name)
        clone.git("config", "core.excludesFile", "/dev/null")
        (clone.path / ".dvc/config.local").write_bytes((self.clone.path / ".dvc/config.local").read_bytes())
        return clone

    def opened(self, clone: Clone, name: str, *, at: Path | None = None) -> set[str]:
        """Open a candidate by hand, as `graft add` would; returns its objects, which cache and remote then hold."""
        objects = Objects(at or clone.path / ".dvc/cache", self.remote)
        file = objects.put(f"title,category\n{name},Toys\n".encode())
        raw = objects.put_folder({"new.csv": file})
        folder = clone.path / "data/increments" / name
        folder.mkdir(parents=True)
        (folder / "raw.dvc").write_text(f"outs:\n- md5: {raw}\n  size: 1\n  nfiles: 1\n  hash: md5\n  path: raw\n")
        lock = json.loads(clone.read("models.lock")) | {"increment": f"data/increments/{name}"}
        (clone.path / "models.lock").write_text(json.dumps(lock))
        return {file, raw}

    def md5(self, tag: str, path: str) -> str:
        """MD5 of a release's output."""
        return self.clone.git("show", f"{tag}:dvc.lock").split(f"path: {path}\n")[-1].split()[3]


def names(place: Path) -> set[str]:
    """Objects of a cache or remote."""
    return {path.parent.name + path.name for path in (place / "files/md5").rglob("*") if path.is_file()}


def path_of(place: Path, md5: str) -> Path:
    return place / "files/md5" / md5[:2] / md5[2:]


@pytest.fixture(scope="session")
def whole(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Team:
    folder = tmp_path_factory.getbasetemp() / "four-releases"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            draft = tmp_path_factory.mktemp("draft")
            clone = Clone(build(shipped, draft, RELEASES))
            clone.git("clone", "-q", "--bare", ".", str(draft / "origin.git"))
            draft.rename(folder)
    return Team(folder)


@pytest.fixture
def team(whole: Team, tmp_path: Path) -> Team:
    made = Team(tmp_path / "team")
    subprocess.run(["cp", "-a", whole.folder, made.folder], check=True)
    made.clone.git("remote", "add", "origin", f"file://{made.folder / 'origin.git'}")
    made.clone.git("fetch", "-q", "origin")
    (made.clone.path / ".dvc/config.local").write_text(
        f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {made.remote}\n"
    )
    return made


def spoiled(path: Path, content: bytes) -> None:
    """Replace an object's bytes, and those of no link to it."""
    path.unlink()
    path.write_bytes(content)


def moved(path: Path) -> None:
    """Take a folder away, as an unmounted disk does."""
    shutil.move(path, path.with_name(f"{path.name}-elsewhere"))
