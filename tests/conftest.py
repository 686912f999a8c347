"""One release chain, built once per session and shared: real git, real DVC, a real tiny model."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

from examples import demo
from tests.forked import ROOT, Server, runs_this_code

# The same examples every time, none kept: what a test finds it finds for everybody. HYPOTHESIS=random draws others.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.register_profile("random", database=None, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS", "same"))

SAMPLE = Path(__file__).parent / "sample"  # what is specific to the sample, frozen
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",  # where a test's repository has no .dvc/config of ours: a process and a request for each
    "OMP_WAIT_POLICY": "PASSIVE",  # two spinning threads on one busy core are many times slower
    "GIT_AUTHOR_NAME": "A. Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.com",
    "GIT_COMMITTER_NAME": "A. Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}

# A kept chain's clones hold the code of the day that it was made: there, commands run from this tree.
KEPT = os.environ.get("GRAFT_TEST_CHAIN")
_HERE = "import os; os.execv = lambda *_: None; from pipeline.cli import main; main()"  # not the clone's own code
GRAFT = ("-P", "-c", _HERE) if KEPT else ("-m", "pipeline")
CODE = {"PYTHONPATH": str(ROOT)} if KEPT else {}


_LONG = ("tests/workflows/test_story.py", "tests/commands/test_adopt.py")  # a minute or more for one test or fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the chain first: while one worker builds it, the other has those that need none, from the far end.

    Of the chain's the long ones first: a worker without work takes the other's last tests, so no long one ends the run.
    """

    def place(item: pytest.Item) -> tuple[bool, bool]:
        of_chain = "chain" in getattr(item, "fixturenames", ())
        return not of_chain, not (of_chain and item.nodeid.startswith(_LONG))

    items.sort(key=place)


def some(values: Iterable[object], quick: Collection[object]) -> list[Any]:
    """Values of a parameter, of which `make test` runs the quick ones and `make soak` the others."""
    return [pytest.param(value, marks=() if value in quick else pytest.mark.slow) for value in values]


@cache
def server(program: str) -> Server:
    """The process that runs this worker's graft or dvc; it ends with the worker, whose pipe it reads."""
    return Server(program, Path(tempfile.mkdtemp(prefix="graft-tests-")), ENVIRONMENT)


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
        return self._forked("dvc", *arguments, code=code)

    def graft(self, *arguments: str, code: int = 0, **environment: str) -> str:
        if KEPT or runs_this_code(self.path):
            return self._forked("graft", *arguments, code=code, **environment)
        return self.run(sys.executable, "-m", "pipeline", *arguments, code=code, **environment)

    def answer(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of graft, whatever the clone's own code and files look like; two minutes at most."""
        environment = ENVIRONMENT | CODE
        return server("graft").run(self.path, *arguments, environment=environment, seconds=120)

    def _forked(self, program: str, *arguments: str, code: int, **environment: str) -> str:
        """As `run`, without the second in which Python and DVC load."""
        found, said = server(program).run(self.path, *arguments, environment=ENVIRONMENT | CODE | environment)
        assert found == code, f"{program} {arguments} exited {found}, expected {code}:\n{said}"
        assert "Traceback" not in said, said
        return said

    def python(self, code: str) -> str:
        """Run a few lines of Python with the pipeline's modules, in the clone."""
        return self.run(sys.executable, "-c", code, **CODE)

    def killed_at(self, step: str, *arguments: str) -> None:
        """Run graft and kill it (SIGKILL) as soon as it says that a step is done."""
        command = [sys.executable, *GRAFT, *arguments]
        environment = ENVIRONMENT | CODE | {"PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, cwd=self.path, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(step):
                    process.kill()
                    break
        time.sleep(0.5)  # a git that it started may live on, and end what it began

    def stored_at(self, remote: Path) -> None:
        """What `dvc remote modify --local storage url` writes, at once."""
        (self.path / ".dvc/config.local").write_text(f"['remote \"storage\"']\n    url = {remote}\n")

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
    work: Clone  # a clone at main with everything pulled; tests only read it

    def clone(self, path: Path, branch: str = "main") -> Clone:
        """A colleague's fresh clone, with nothing pulled yet."""
        subprocess.run(["git", "clone", "-q", "--branch", branch, self.origin, path], check=True, env=ENVIRONMENT)
        clone = Clone(path)
        clone.stored_at(self.storage)
        return clone

    def pulled(self, path: Path, revision: str = "main") -> Clone:
        """A fresh clone at a revision, with its outputs pulled: a copy of one, made once for all workers."""
        kept = self.origin.parent / f"pulled-{revision}"
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                draft = kept.with_suffix(".draft")
                shutil.rmtree(draft, ignore_errors=True)
                self.pull(draft, revision)
                draft.rename(kept)
        subprocess.run(["cp", "-a", kept, path], check=True)  # links between cache and outputs included
        return Clone(path)

    def pull(self, path: Path, revision: str = "main") -> Clone:
        """What `pulled` gives, without any copy."""
        clone = self.clone(path)
        clone.git("checkout", "-q", revision)
        clone.dvc("pull", "-q")
        return clone


def snapshot(target: Path) -> Clone:
    """The working tree as a repository of one commit, with the sample as its only increment.

    In a repository that holds a team's own data, too: their tests then run on the sample of tests/sample.
    """
    demo.lay_out(target)
    return Clone(target)


def is_as_shipped() -> bool:
    """Whether the working tree still is about the sample and nothing was released."""
    lock = json.loads((ROOT / "models.lock").read_text())
    return lock["parent"] is None and (ROOT / lock["increment"]) == ROOT / "data/increments/2026-01-winter"


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
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Two releases and a refused candidate, made by playing the tutorial to its end; once for all workers."""
    run = tmp_path_factory.getbasetemp()
    shared = run.parent if "PYTEST_XDIST_WORKER" in os.environ else run
    folder = Path(KEPT) if KEPT else shared / "chain"
    made = Chain(folder / "origin.git", folder / "storage", Clone(folder / "work"))
    with FileLock(f"{folder}.lock"):
        if not (folder / "ready").exists():
            _play(folder, made)
            (folder / "ready").touch()
    return made


def _play(folder: Path, made: Chain) -> None:
    said = Clone(ROOT).run(sys.executable, "-m", "examples.demo", str(folder))
    (folder / "demo.txt").write_text(said)
    shop = Clone(folder / "shop")
    shop.git("checkout", "-q", "-b", "refused", "main^")  # the commit before the tutorial's rollback
    shop.dvc("checkout", "-q")
    shop.dvc("push", "-q")
    shop.git("branch", "-q", "--force", "main", "v1.1.0^{commit}")
    shop.git("clone", "-q", "--bare", ".", str(made.origin))
    subprocess.run(["git", "symbolic-ref", "HEAD", "refs/heads/main"], cwd=made.origin, check=True)
    shop.stored_at(made.storage)
    made.pull(folder / "work")


def samples(name: str) -> list[str]:
    """Files of a shipped sample drop, relative to a clone's root."""
    return sorted(f"examples/increments/{name}/{path.name}" for path in (ROOT / "examples/increments" / name).iterdir())
