"""A training that was killed and run again ends with the bytes of one that never was."""

import multiprocessing
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
from typing import Any

import fsspec
import pytest
import torch

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.stages import train
from pipeline.training.checkpoints import checkpoint, mirror
from pipeline.training.checkpoints.checkpoint import CheckpointStore, SavedRun
from tests.conftest import ENVIRONMENT, ROOT
from tests.remotes import servers
from tests.remotes.conftest import needs
from tests.stages.conftest import set_params, settle, write_records

HERE = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
CHECKPOINTS = train.SCRATCH / checkpoint.FOLDER
EVERY = {"steps": 2, "minutes": None, "keep": 2}
NEVER = {"steps": None, "minutes": None, "keep": 2}


def outputs() -> dict[str, bytes]:
    names = ("models/adapter", "reports/training.json", "reports/plots")
    return {file.as_posix(): file.read_bytes() for name in names for file in files.files_below(Path(name))}


@pytest.fixture(scope="module")
def settled(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A candidate with dropout and a validation part; and what it trains to, undisturbed."""
    folder = tmp_path_factory.mktemp("settled") / "work"
    shutil.copytree(blank, folder)
    validation = {"share": 0.2, "every": 3, "patience": 2}
    set_params(
        folder,
        train__dropout=0.1,
        train__checkpoint=EVERY,
        train__validation=validation,
        train__epochs=3,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train.main()
        made = outputs()
        for name in ("models/adapter", "reports"):
            shutil.rmtree(name)
    settle(folder)
    return folder, made


@pytest.fixture
def work(settled: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(settled[0], tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


# Forked from a process in which no thread computes: of torch's and OpenMP's, a fork keeps only the locks.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["pipeline.stages.train", "pipeline.training.engine"])


@dataclass
class Moment:
    """The moment before the nth file gets a name that ends so."""

    name: str
    nth: int = 1

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "os.rename" and str(arguments[1]).endswith(self.name):
            self.nth -= 1
            return self.nth == 0
        return False


def train_until(moment: Moment, number: int) -> None:
    """Train, and send oneself a signal at an audit event (PEP 578)."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if moment(event, arguments):
            os.kill(os.getpid(), number)

    sys.addaudithook(watch)
    try:
        train.main()
    except GraftError as error:
        Path("said").write_text(str(error))
        raise SystemExit(1) from None


def killed(moment: Moment, number: int = signal.SIGKILL) -> int | None:
    """Train in a process that is sent a signal; returns its exit code, below zero for a signal that ended it."""
    process = SERVER.Process(target=train_until, args=(moment, number))
    process.start()
    process.join()
    return process.exitcode


STEPS = {
    "before-the-first-step": Moment("train.csv"),
    "before-the-first-checkpoint-is-there": Moment("000000002.safetensors"),
    "between-tensors-and-json": Moment("000000004.json"),
    "while-a-checkpoint-is-written": Moment("000000008.safetensors"),
    "after-the-last-step": Moment("adapter_model.safetensors"),
    "while-publishing-the-curve": Moment("loss.csv"),
    "while-publishing-the-facts": Moment("training.json"),
    "before-the-adapter-is-there": Moment("models/adapter"),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_and_run_again_gives_the_same_bytes(step, work, settled, capfd):
    assert killed(STEPS[step]) == -signal.SIGKILL
    capfd.readouterr()
    train.main()
    assert outputs() == settled[1]
    assert not CHECKPOINTS.exists()
    resumed = "goes on after step" in capfd.readouterr().out
    assert resumed == (step not in {"before-the-first-step", "before-the-first-checkpoint-is-there"})


def trained_on(steps: int) -> list[int]:
    """Steps of the checkpoints that a training killed after so many leaves."""
    assert killed(Moment(f"{steps + 2:09d}.json")) == -signal.SIGKILL
    return [int(path.stem) for path in sorted(CHECKPOINTS.glob("*/*.json")) if path.stem.isdigit()]


@pytest.mark.parametrize("seconds", [0, 1.5])
def test_ctrl_c_while_torch_is_loaded_is_no_traceback(work, seconds):
    command = [sys.executable, "-u", "-m", "pipeline.stages.train"]
    with subprocess.Popen(
        command, env=HERE, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a suite in the background ignores it
    ) as process:  # fmt: skip
        assert "loading torch" in process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert (process.returncode, said.splitlines()[0]) == (130, "Error: interrupted")


def test_the_newest_two_checkpoints_are_kept(work):
    assert trained_on(8) == [6, 8]
    names = sorted(path.name for path in CHECKPOINTS.glob("*/[!.]*"))
    assert names == [
        "000000006.json", "000000006.safetensors", "000000008.json", "000000008.safetensors",
        "000000010.safetensors",
    ]  # fmt: skip


def test_sigterm_finishes_the_step_saves_and_says_so(work, settled, capfd):
    assert killed(Moment("train.csv", 7), signal.SIGTERM) == 1
    assert Path("said").read_text() == "train: ended by SIGTERM after step 7: saved; dvc repro goes on from here"
    assert not train.ADAPTER.exists()
    Path("said").unlink()
    capfd.readouterr()
    train.main()
    assert "goes on after step 7," in capfd.readouterr().out
    assert outputs() == settled[1]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda: write_records(train.RECORDS, range(47)), id="records"),
        pytest.param(lambda: set_params(Path(), train__weight_decay=0.1), id="params"),
        pytest.param(lambda: set_params(Path(), train__threads=2), id="machine-class"),
    ],
)
def test_a_changed_input_never_goes_on_from_a_stale_checkpoint(change, work, settled, capfd):
    assert trained_on(4) == [2, 4]
    change()
    stale = {path.parent.name for path in CHECKPOINTS.glob("*/*.json")}
    assert killed(Moment("000000004.json")) == -signal.SIGKILL
    assert {path.parent.name for path in CHECKPOINTS.glob("*/*.json")} > stale  # removed after success, not before
    capfd.readouterr()
    train.main()
    assert "goes on after step 2," in capfd.readouterr().out  # its own
    assert outputs() != settled[1]
    assert not CHECKPOINTS.exists()


def test_settings_that_change_no_byte_keep_the_checkpoint(work, settled, capfd):
    assert trained_on(4) == [2, 4]
    set_params(work, train__checkpoint={"steps": 3, "minutes": 5, "keep": 1})
    capfd.readouterr()
    train.main()
    assert "goes on after step 4," in capfd.readouterr().out
    assert outputs() == settled[1]


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [half, flip, Path.unlink])
@pytest.mark.parametrize("name", ["000000004.safetensors", "000000004.json"])
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(name, damage, tmp_path, capsys):
    store = CheckpointStore(folder=tmp_path / "run", keep=2)
    for step in (2, 4):
        store.save(
            SavedRun(step=step, tensors={"a": torch.full((9,), step)}, plain={"micro_batch": step, "x": "y" * 9})
        )
    damage(store.folder / name)
    found = store.newest()
    assert found is not None
    assert (found.step, found.plain["micro_batch"], found.tensors["a"].tolist()) == (2, 2, [2] * 9)
    assert ("checkpoint of step 4 is damaged" in capsys.readouterr().out) == (store.steps() == [2, 4])


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("only root mounts a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_stops_with_the_last_checkpoint_whole(tmp_path):
    with small_disk(tmp_path / "run", "256k"):
        store = CheckpointStore(folder=tmp_path / "run", keep=2)
        store.save(SavedRun(step=2, tensors={"a": torch.ones(25_000)}, plain={"micro_batch": None}))
        with pytest.raises(GraftError) as error:
            store.save(SavedRun(step=4, tensors={"a": torch.ones(50_000)}, plain={"micro_batch": None}))
        assert "checkpoint of step 4 could not be written" in error.value.message
        assert "No space left on device" in error.value.message
        assert error.value.problems == ("the one of step 2 is whole",)
        found = store.newest()
        assert found is not None
        assert found.step == 2
        assert sorted(path.name for path in store.folder.iterdir()) == ["000000002.json", "000000002.safetensors"]


def test_a_training_on_a_full_disk_stops_and_goes_on_when_there_is_room(work, settled, capfd):
    with small_disk(CHECKPOINTS, "100k"):
        with pytest.raises(GraftError, match="No space left on device"):
            train.main()
        kept = {path.relative_to(CHECKPOINTS): path.read_bytes() for path in CHECKPOINTS.glob("*/*")}
    assert not train.ADAPTER.exists()
    for path, content in kept.items():
        files.write_bytes(CHECKPOINTS / path, content)
    capfd.readouterr()
    train.main()
    assert "goes on after step " in capfd.readouterr().out
    assert outputs() == settled[1]


def test_another_machine_goes_on_from_the_mirror(work, settled, tmp_path, capfd):
    set_params(work, train__checkpoint_url=f"file://{tmp_path}/mirror")
    assert trained_on(6) == [4, 6]
    there = sorted(path.name for path in (tmp_path / "mirror").glob("*/*"))
    assert there == ["000000004.json", "000000004.safetensors", "000000006.json", "000000006.safetensors"]
    shutil.rmtree(train.SCRATCH)
    flip(next((tmp_path / "mirror").glob("*/000000006.safetensors")))
    capfd.readouterr()
    train.main()
    assert "goes on after step 4," in capfd.readouterr().out
    assert outputs() == settled[1]
    assert not list((tmp_path / "mirror").glob("*/*"))


def test_no_mirror_is_read_or_written_where_it_is_off(tmp_path, monkeypatch):
    assert mirror.mirror(f"file://{tmp_path}", "fingerprint") is not None
    monkeypatch.setenv(mirror.SWITCH, "off")
    assert mirror.mirror(f"file://{tmp_path}", "fingerprint") is None


def test_another_machine_goes_on_from_a_bucket(work, settled, tmp_path, capfd, monkeypatch):
    needs("s3")
    with servers.swift(tmp_path / "s3") as remote:
        told = remote.settings(remote.port)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", told["endpointurl"])
        monkeypatch.setenv("AWS_DEFAULT_REGION", told["region"])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", told["access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", told["secret_access_key"])
        set_params(work, train__checkpoint_url="s3://models/checkpoints")
        command = [sys.executable, "-u", "-m", "pipeline.stages.train"]
        with subprocess.Popen(command, env=HERE | os.environ, text=True, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            while not (process.stdout.readline() or "step 8/").startswith("train: step 8/"):
                pass
            process.kill()
        shutil.rmtree(train.SCRATCH)
        train.main()
        said = capfd.readouterr().out
        assert "brought the checkpoint of step 6 from s3://models/checkpoints" in said
        assert "goes on after step 6," in said
        assert "warning" not in said
        assert outputs() == settled[1]
        bucket = fsspec.filesystem("s3")
        assert not [name for name in bucket.find("models", refresh=True) if "checkpoints" in name]


def test_a_mirror_that_fails_warns_without_its_secrets_and_stops_nothing(work, settled, tmp_path, capfd):
    (tmp_path / "file").touch()
    set_params(work, train__checkpoint_url=f"file://{tmp_path}/file/below")
    train.main()
    said = capfd.readouterr().out
    assert f"warning: the checkpoint of step 2 was not copied to file://{tmp_path}/file/below (NotADirectory" in said
    assert outputs() == settled[1]
    set_params(work, train__checkpoint_url="nosuch://me:secret@host/folder?key=secret")
    with pytest.raises(GraftError, match=r"train\.checkpoint_url: nosuch://host/folder: cannot be reached") as error:
        train.main()
    assert "secret" not in str(error.value)


@pytest.mark.slow
def test_soak_fifty_kills_at_random_times_end_with_the_same_bytes(work):
    draw = random.Random(20260101)  # noqa: S311
    set_params(work, train__epochs=60, train__checkpoint=EVERY | {"steps": 1})
    train.main()
    undisturbed = outputs()
    steps = []
    while len(steps) < 50:
        command = [sys.executable, "-u", "-m", "pipeline.stages.train"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, env=HERE, text=True, **pipes) as process:
            assert process.stdout is not None
            if draw.random() < 0.8:  # the rest of the kills falls into the start
                while "step" not in (process.stdout.readline() or "step"):
                    pass
            time.sleep(draw.uniform(0, 1.5))
            process.send_signal(draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            said = process.stdout.read()
        if process.returncode == 0:  # it was done before the signal
            assert outputs() == undisturbed
        else:
            assert process.returncode in {-signal.SIGKILL, -signal.SIGTERM} or "Error: train: ended by SIGTERM" in said
            steps.append(max((int(path.stem) for path in CHECKPOINTS.glob("*/[0-9]*.json")), default=0))
    print(f"checkpoints at the kills: {steps}")
    train.main()
    assert outputs() == undisturbed
