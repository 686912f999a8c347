"""One release chain, built once per session and shared: real git, real DVC, a real tiny model."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "OMP_WAIT_POLICY": "PASSIVE",  # two spinning threads on one busy core are many times slower
    "GIT_AUTHOR_NAME": "A. Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.com",
    "GIT_COMMITTER_NAME": "A. Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class Clone:
    """A clone of the repository, and the commands that a user types in it."""

    path: Path

    def run(self, *command: str, code: int = 0, **environment: str) -> str:
        """Output (both streams) of a command that must exit with `code`."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=ENVIRONMENT | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command} exited {done.returncode}, expected {code}:\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).strip()

    def dvc(self, *arguments: str, code: int = 0) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments, code=code)

    def graft(self, *arguments: str, code: int = 0) -> str:
        return self.run(sys.executable, "-m", "pipeline", *arguments, code=code)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def read(self, path: str) -> str:
        return (self.path / path).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Chain:
    """v1.0.0 (winter), v1.1.0 (spring) on main, and a refused candidate on the branch `refused`."""

    origin: Path  # bare git repository
    storage: Path  # DVC remote
    work: Clone  # the clone that made it all; on main

    def clone(self, path: Path, branch: str = "main") -> Clone:
        """A colleague's fresh clone, with nothing pulled yet."""
        subprocess.run(["git", "clone", "-q", "--branch", branch, self.origin, path], check=True, env=ENVIRONMENT)
        return Clone(path)

    def pulled(self, path: Path, revision: str = "main") -> Clone:
        """A fresh clone at a revision, with its outputs pulled."""
        clone = self.clone(path)
        clone.git("checkout", "-q", revision)
        clone.dvc("pull", "-q")
        return clone

    def copy(self, path: Path) -> "Chain":
        """Origin and remote of its own, for a test that changes them."""
        path.mkdir(parents=True)
        shutil.copytree(self.origin, path / "origin.git")
        shutil.copytree(self.storage, path / "storage")
        return Chain(path / "origin.git", path / "storage", self.work)


def snapshot(target: Path) -> Clone:
    """The working tree as a repository of one commit: what a user would clone after this change lands."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    clone = Clone(target)
    clone.git("init", "-q", "--initial-branch", "main")
    clone.commit("Graft, as shipped")
    return clone


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository of the tree as shipped: no release, no remote."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "work").mkdir()
    clone = snapshot(folder / "work")
    clone.git("clone", "-q", "--bare", ".", str(folder / "origin.git"))
    return folder / "origin.git"


@pytest.fixture
def fresh(shipped: Path, tmp_path: Path) -> Clone:
    """A fresh clone of the tree as shipped: nothing has run."""
    subprocess.run(["git", "clone", "-q", shipped, tmp_path / "fresh"], check=True, env=ENVIRONMENT)
    return Clone(tmp_path / "fresh")


@pytest.fixture(scope="session")
def chain(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Two releases and a refused candidate, made by the commands of the tutorial."""
    folder = Path(os.environ.get("GRAFT_TEST_CHAIN") or tmp_path_factory.mktemp("chain"))
    if (folder / "done").exists():  # GRAFT_TEST_CHAIN: kept between runs while you work on tests alone
        return Chain(folder / "origin.git", folder / "storage", Clone(folder / "work"))
    shutil.copytree(shipped, folder / "origin.git")
    made = Chain(folder / "origin.git", folder / "storage", Clone(folder / "work"))
    work = made.clone(folder / "work")
    work.dvc("remote", "add", "--default", "storage", str(made.storage))
    work.commit("Add the remote")
    (folder / "first-run.txt").write_text(work.dvc("repro"))
    work.commit("What this machine class makes of it")
    work.graft("release", "--push")
    work.graft("add", "2026-02-spring", *samples("2026-02-spring"))
    work.dvc("repro")
    work.commit("Spring titles")
    work.graft("release", "--push")
    work.git("checkout", "-q", "-b", "refused")
    work.graft("add", "2026-03-shuffled", *samples("2026-03-shuffled"))
    work.dvc("repro")
    work.commit("Labels that somebody shuffled")
    work.dvc("push", "-q")
    work.git("push", "-q", "origin", "refused")
    work.git("checkout", "-q", "main")
    work.dvc("checkout", "-q")
    (folder / "done").touch()
    return made


def samples(name: str) -> list[str]:
    """Files of a shipped sample drop, relative to a clone's root."""
    return sorted(f"examples/increments/{name}/{path.name}" for path in (ROOT / "examples/increments" / name).iterdir())
