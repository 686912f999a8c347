"""Processes killed: at each visible step of `graft add` here, at random moments with `make soak`."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, Chain, Clone, samples, some

ADD = ("add", "2026-04-more", *samples("2026-03-shuffled"))
FOLDER = Path("data/increments/2026-04-more")
VISIBLE: dict[str, Callable[[Path], bool]] = {
    "draft": lambda root: (root / FOLDER.with_name(".2026-04-more.draft")).exists(),
    "in-place": lambda root: (root / FOLDER / "increment.yaml").exists(),
    "ignore-file": lambda root: "2026-04-more" in (root / ".dvcignore").read_text(),
    "tracked": lambda root: (root / FOLDER / "raw.dvc").exists(),
    "locked": lambda root: "2026-04-more" in (root / "models.lock").read_text(),
}


def start(clone: Clone, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=clone.path, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def opened(clone: Clone) -> tuple[str, ...]:
    """What an undisturbed `graft add` leaves, as bytes that must not depend on kills."""
    return tuple(
        clone.read(name) for name in ("models.lock", ".dvcignore", f"{FOLDER}/increment.yaml", f"{FOLDER}/raw.dvc")
    )


@pytest.fixture(scope="module")
def undisturbed(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    clone = chain.pulled(tmp_path_factory.mktemp("undisturbed") / "clone")
    clone.graft(*ADD)
    return opened(clone)


@pytest.mark.parametrize("step", some(VISIBLE, quick=("in-place", "locked")))
def test_add_killed_at_a_step_completes_when_run_again(
    chain: Chain, tmp_path: Path, undisturbed: tuple[str, ...], step: str
) -> None:
    clone = chain.pulled(tmp_path / "clone")
    process = start(clone, *ADD)
    while not VISIBLE[step](clone.path) and process.poll() is None:
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    json.loads(clone.read("models.lock"))  # whole, old or new
    clone.dvc("status")
    clone.graft(*ADD)
    assert opened(clone) == undisturbed
    assert not list((clone.path / "data/increments").glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "kills"),
    [(ADD, 25), (("rollback", "v1.0.0"), 25), (("lock",), 25), (("release", "v9.0.0"), 100)],
    ids=["add", "rollback", "lock", "release"],
)
def test_soak_a_command_killed_at_random_moments_then_completes(
    chain: Chain, tmp_path: Path, arguments: tuple[str, ...], kills: int
) -> None:
    draw = random.Random(20260101)  # noqa: S311
    clone = chain.pulled(tmp_path / "clone")
    if arguments[0] == "release":
        clone.git("tag", "-d", "v1.1.0")
        clone.git("remote", "remove", "origin")
    for _ in range(kills):
        process = start(clone, *arguments)
        time.sleep(draw.uniform(0, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        json.loads(clone.read("models.lock"))
        (clone.path / ".git/index.lock").unlink(missing_ok=True)  # git's own message says to
    if arguments[0] == "release":
        tagged = "v9.0.0" in clone.git("tag")
        said = clone.graft(*arguments, code=1 if tagged else 0)
        assert "v9.0.0" in said
        assert "every SHA-256 as released" in clone.graft("verify", "v9.0.0", "--remote")
    elif arguments[0] == "rollback":
        if clone.git("log", "-1", "--format=%s") != "Roll back to v1.0.0":
            clone.graft(*arguments)
        assert "every SHA-256 as released" in clone.graft("verify", "v1.0.0")
    else:
        clone.graft(*arguments)


@pytest.mark.slow
def test_soak_training_killed_at_random_moments_ends_with_the_same_bytes(chain: Chain, fresh: Clone) -> None:
    draw = random.Random(20260101)  # noqa: S311
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=fresh.path, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(draw.uniform(1, 30))
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(2)  # the stage notices within a second
    fresh.dvc("repro")
    made = json.loads(fresh.read("reports/manifest.json"))["outputs"]
    assert made == json.loads(chain.work.git("show", "v1.0.0:reports/manifest.json"))["outputs"]
