"""A chain of 160 releases, made of small files: what a command does must not grow faster than the chain."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.chain_1000 import build, tag_of
from tests.conftest import ENVIRONMENT, Clone

SHORT, LONG = 40, 160
COMMANDS = (("log",), ("verify", "{tag}"), ("add", "next", "{drop}"), ("gc", "--keep", "10"), ("lock", "--check"))


@pytest.fixture(scope="module")
def chains(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Clone]:
    folders = {count: tmp_path_factory.mktemp(f"chain-{count}") for count in (SHORT, LONG)}
    return {count: Clone(build(shipped, folder, count)) for count, folder in folders.items()}


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    path = tmp_path / "drop.csv"
    path.write_text("title,category\n" + "".join(f"red lamp {n},Lamps\nblue kettle {n},Kettles\n" for n in range(20)))
    return path


def git_processes(clone: Clone, tmp_path: Path, *arguments: str) -> int:
    """How many git processes a graft command starts: a git that counts stands before the real one."""
    folder, count = tmp_path / "bin", tmp_path / "count"
    folder.mkdir(exist_ok=True)
    (folder / "git").write_text(f'#!/bin/sh\necho x >> "{count}"\nexec "{shutil.which("git")}" "$@"\n')
    (folder / "git").chmod(0o755)
    count.unlink(missing_ok=True)
    clone.run(*_graft(arguments), PATH=f"{folder}{os.pathsep}{ENVIRONMENT['PATH']}")
    return len(count.read_text().splitlines())


def python_calls(clone: Clone, tmp_path: Path, *arguments: str) -> int:
    """How many Python functions a graft command calls: its work, whatever else the machine does."""
    profile = tmp_path / "profile"
    script = (
        "import cProfile, sys\nfrom pipeline.cli import main\nsys.argv[0] = 'graft'\nprofile = cProfile.Profile()\n"
        f"try:\n    profile.runcall(main)\nfinally:\n    profile.dump_stats({str(profile)!r})"
    )
    clone.run(*_graft(arguments, script))
    total = "import pstats, sys; print(pstats.Stats(sys.argv[1]).total_calls)"
    return int(clone.run("python", "-c", total, str(profile)))


def _graft(arguments: tuple[str, ...], script: str | None = None) -> tuple[str, ...]:
    return ("python", "-c", script, *arguments) if script else ("python", "-m", "pipeline", *arguments)


def restored(clone: Clone) -> None:
    clone.git("reset", "-q", "--hard")
    clone.git("clean", "-dffqx", "data/increments")


def with_other_gate_code(clone: Clone) -> None:
    """The chain's verdicts are made up: with the code that would compute them again, verify says so."""
    code = clone.path / "pipeline/gate/decide.py"
    code.write_text(code.read_text() + "# moved on\n")


@pytest.mark.parametrize(
    "command",
    [pytest.param(one, id=one[0], marks=pytest.mark.slow if one[0] in ("add", "lock") else ()) for one in COMMANDS],
)
def test_work_grows_no_faster_than_the_chain(
    chains: dict[int, Clone], tmp_path: Path, drop: Path, command: tuple[str, ...]
) -> None:
    calls, processes = {}, {}
    for count, clone in chains.items():
        arguments = [word.format(tag=tag_of(count - 1), drop=drop) for word in command]
        if command[0] == "verify":
            with_other_gate_code(clone)
        calls[count] = python_calls(clone, tmp_path, *arguments)
        restored(clone)
        if command[0] == "verify":
            with_other_gate_code(clone)
        processes[count] = git_processes(clone, tmp_path, *arguments)
        restored(clone)
    assert processes[LONG] == processes[SHORT]
    assert calls[LONG] <= calls[SHORT] * LONG / SHORT


def test_made_chain_is_one_to_dvc_and_git(chains: dict[int, Clone]) -> None:
    clone = chains[SHORT]
    clone.dvc("checkout", "-q")
    assert "up to date" in clone.dvc("status")
    assert clone.git("status", "--porcelain") == ""
    assert "differs: reports/verdict.json" in clone.graft("verify", tag_of(SHORT - 1), "--remote", code=1)
    with_other_gate_code(clone)
    assert "every SHA-256 as released" in clone.graft("verify", tag_of(SHORT - 1), "--remote")
    restored(clone)
    assert len(clone.graft("log").splitlines()) == SHORT
    fetched = subprocess.run(["git", "fsck"], cwd=clone.path, capture_output=True, text=True, check=False)
    assert fetched.returncode == 0
