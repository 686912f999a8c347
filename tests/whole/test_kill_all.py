"""Every command that changes something, killed at random moments, also with a full disk under the cache (`make soak`).

Whatever the moment: no needed object is lost, none is half of one under its full name, and the command completes when
it is run again.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.test_thin import Team, team_of
from tests.conftest import CODE, ENVIRONMENT, GRAFT, Chain, Clone, samples
from tests.garbage.conftest import names

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("GRAFT_TEST_KILLS", "100"))
NEXT = ("add", "2026-04-more", *samples("2026-03-shuffled"))


@dataclass(frozen=True)
class Case:
    """A command, the state that it begins in, and what it may delete: nothing, or what no kept release needs."""

    begins: str  # released | candidate | unreleased
    arguments: tuple[str, ...]
    cleans: bool = False


CASES = (
    Case("released", NEXT),
    Case("released", ("rollback", "v1.0.0")),
    Case("released", ("rollback", "v1.0.0", "--tag", "--push")),
    Case("released", ("gc", "--keep", "1", "--remote", "--apply"), cleans=True),
    Case("released", ("gc", "--thin", "--remote", "--apply"), cleans=True),
    Case("released", ("lock",)),
    Case("candidate", ("lock", "--parent", "latest")),
    Case("candidate", ("gc", "--keep", "1", "--apply"), cleans=True),
    Case("unreleased", ("release", "v9.0.0", "--push")),
)


@pytest.fixture(scope="module")
def bases(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Team]:
    """A team at each of the states; its origin has one branch and no refused candidate."""
    made = {"released": team_of(chain, tmp_path_factory.mktemp("released"))}
    made["candidate"] = made["released"].copy(tmp_path_factory.mktemp("candidate"))
    owner = made["candidate"].owner  # on v1.0.0, while v1.1.0 is released
    owner.git("checkout", "-q", "-B", "main", "v1.0.0^{commit}")
    owner.git("branch", "-q", "--unset-upstream")
    owner.dvc("checkout", "-q")
    owner.graft(*NEXT)
    owner.commit("Opened")
    made["unreleased"] = made["released"].copy(tmp_path_factory.mktemp("unreleased"))
    for repository in (made["unreleased"].owner, Clone(made["unreleased"].origin)):
        repository.git("tag", "-d", "v1.1.0")
    return made


def start(clone: Clone, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *GRAFT, *arguments],
        cwd=clone.path, env=ENVIRONMENT | CODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def spoiled(place: Path) -> list[str]:
    """Objects whose bytes are not those of their name."""
    paths = [path for path in (place / "files/md5").glob("??/*") if len(path.name) >= 30 and "." not in path.stem]
    hashes = {p: hashlib.md5(p.read_bytes(), usedforsecurity=False).hexdigest() for p in paths}
    return [str(path) for path, md5 in hashes.items() if (path.parent.name + path.stem) != md5]


def unlocked(clone: Clone, origin: Path) -> None:
    """Do what git's own message says after a kill."""
    for folder in (clone.path / ".git", origin):
        for lock in folder.rglob("*.lock"):
            lock.unlink()


def is_done(clone: Clone, arguments: tuple[str, ...]) -> bool:
    """Whether a command that refuses to run twice has already come to its end."""
    if arguments[0] == "rollback":
        wanted = "Roll back to v1.0.0" in clone.git("log", "-1", "--format=%s")
        return wanted and ("--tag" not in arguments or "v1.1.1" in clone.git("ls-remote", "--tags", "origin"))
    if arguments[0] == "release":
        return "v9.0.0" in clone.git("ls-remote", "--tags", "origin")
    return False


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case.arguments[:3]))
def test_soak_killed_at_random_moments(bases: dict[str, Team], tmp_path: Path, case: Case) -> None:
    draw, base = random.Random(f"2026 {case}"), bases[case.begins]  # noqa: S311
    undisturbed = base.copy(tmp_path / "undisturbed")
    began = time.monotonic()
    undisturbed.owner.graft(*case.arguments)
    seconds = time.monotonic() - began
    stay = names(undisturbed.owner.path / ".dvc/cache"), names(undisturbed.storage)
    for number in range(max(1, KILLS // len(CASES))):
        team = base.copy(tmp_path / str(number))
        process = start(team.owner, case.arguments)
        time.sleep(draw.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.3)  # a git or a stage that it started may live on
        check(team, stay if case.cleans else (names(base.owner.path / ".dvc/cache"), names(base.storage)))
        unlocked(team.owner, team.origin)
        if not is_done(team.owner, case.arguments):
            team.owner.graft(*case.arguments)
        check(team, stay)
        team.owner.graft("verify", "v1.0.0" if case.begins == "unreleased" else "v1.1.0", "--remote")
        shutil.rmtree(tmp_path / str(number))


def check(team: Team, stay: tuple[set[str], set[str]]) -> None:
    """Nothing that must stay is gone, and nothing is half of an object."""
    json.loads(team.owner.read("models.lock"))
    cache = team.owner.path / ".dvc/cache"
    assert stay[0] - names(cache) == set()
    assert stay[1] - names(team.storage) == set()
    assert spoiled(cache) + spoiled(team.storage) == []


@contextmanager
def small_disk(team: Team, folder: Path, room: int) -> Iterator[Path]:
    """The team's cache on a file system of its own, with so many bytes left; yields a file whose removal makes room."""
    folder.mkdir()
    cache = team.owner.path / ".dvc/cache"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=False).returncode:
        pytest.skip("cannot mount a file system here")
    try:
        shutil.copytree(cache, folder / "cache")
        with (team.owner.path / ".dvc/config.local").open("a") as file:
            file.write(f"[cache]\n    dir = {folder / 'cache'}\n")
        filler = folder / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(folder).free - room))
        yield filler
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case.arguments[:3]))
def test_soak_on_a_full_disk(bases: dict[str, Team], tmp_path: Path, case: Case) -> None:
    draw, base = random.Random(f"2027 {case}"), bases[case.begins]  # noqa: S311
    stay = (set[str](), set[str]()) if case.cleans else (names(base.owner.path / ".dvc/cache"), names(base.storage))
    for number in range(3):
        team = base.copy(tmp_path / str(number))
        with small_disk(team, tmp_path / f"disk-{number}", draw.choice((0, 4096, 100_000, 1_000_000))) as filler:
            before = team.owner.git("status", "--porcelain"), team.owner.git("rev-parse", "HEAD")
            process = start(team.owner, case.arguments)
            if number:
                time.sleep(draw.uniform(0.5, 3))
                process.send_signal(signal.SIGKILL)
            said = process.communicate()[0]
            assert "Traceback" not in said, said
            if process.returncode == 1:
                assert (team.owner.git("status", "--porcelain"), team.owner.git("rev-parse", "HEAD")) == before, said
            cache = filler.parent / "cache"
            assert stay[0] - names(cache) == set()
            assert stay[1] - names(team.storage) == set()
            assert spoiled(cache) + spoiled(team.storage) == []
            filler.unlink()
            unlocked(team.owner, team.origin)
            if not is_done(team.owner, case.arguments):
                team.owner.graft(*case.arguments)
            team.owner.graft("verify", "v1.0.0" if case.begins == "unreleased" else "v1.1.0", "--remote")
            assert spoiled(cache) == []
