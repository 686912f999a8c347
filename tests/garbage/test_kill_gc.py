"""graft gc --thin killed: at each visible step here, at random moments with `make soak`. No kept object is lost."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.test_thin import THIN, Team, team_of
from tests.conftest import CODE, ENVIRONMENT, GRAFT, Chain, some

MARK = "refs/tags/thin/v1.0.0"
VISIBLE: dict[str, Callable[[Team, tuple[set[str], set[str]]], bool]] = {
    "marked-here": lambda team, _: (team.owner.path / ".git" / MARK).exists(),
    "marked-at-origin": lambda team, _: (team.origin / MARK).exists(),
    "cache-thinner": lambda team, before: names(team.owner.path / ".dvc/cache") < before[0],
    "remote-thinner": lambda team, before: names(team.storage) < before[1],
}


def names(folder: Path) -> set[str]:
    """Objects of a cache or remote, while somebody deletes some."""
    return {path.parent.name + path.name for path in (folder / "files/md5").glob("*/*")}


def start(team: Team) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *GRAFT, *THIN],
        cwd=team.owner.path, env=ENVIRONMENT | CODE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def left(team: Team) -> tuple[set[str], set[str], str]:
    """What is in cache and remote, and the tags."""
    return names(team.owner.path / ".dvc/cache"), names(team.storage), team.owner.git("tag")


@pytest.fixture(scope="module")
def whole(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Team:
    return team_of(chain, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def undisturbed(whole: Team, tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str], str]:
    team = whole.copy(tmp_path_factory.mktemp("undisturbed"))
    team.owner.graft(*THIN)
    return left(team)


def check_nothing_lost(team: Team, undisturbed: tuple[set[str], set[str], str]) -> None:
    """Whatever moment it was: all that stays is there, and nothing went of a release that is not marked."""
    assert undisturbed[0] <= names(team.owner.path / ".dvc/cache")
    assert undisturbed[1] <= names(team.storage)


@pytest.mark.parametrize("step", some(VISIBLE, quick=("marked-here", "remote-thinner")))
def test_gc_killed_at_a_step_completes_when_run_again(
    whole: Team, tmp_path: Path, undisturbed: tuple[set[str], set[str], str], step: str
) -> None:
    team = whole.copy(tmp_path / "team")
    before = names(team.owner.path / ".dvc/cache"), names(team.storage)
    process = start(team)
    while process.poll() is None and not VISIBLE[step](team, before):
        time.sleep(0.0005)
    kill(process)
    check_nothing_lost(team, undisturbed)
    if names(team.storage) != before[1]:
        assert (team.origin / MARK).exists()
    assert "on-demand" not in team.owner.graft("verify", "v1.1.0", "--remote")
    team.owner.graft(*THIN)
    assert left(team) == undisturbed
    assert (team.origin / MARK).exists()


@pytest.mark.slow
def test_soak_gc_killed_at_random_moments_loses_nothing(
    whole: Team, tmp_path: Path, undisturbed: tuple[set[str], set[str], str]
) -> None:
    draw = random.Random(20260101)  # noqa: S311
    for number in range(100):
        team = whole.copy(tmp_path / str(number))
        for _ in range(2):
            process = start(team)
            time.sleep(draw.uniform(0.2, 1.0))
            kill(process)
            check_nothing_lost(team, undisturbed)
        (team.owner.path / ".git" / f"{MARK}.lock").unlink(missing_ok=True)  # git's own message says to
        team.owner.graft(*THIN)
        assert left(team) == undisturbed
        assert (team.origin / MARK).exists()
