"""Trains a candidate on a runner: `python -m pipeline.ci.retrain train|finish CANDIDATE FOLDER`.

Run from a checkout of the base, after `pipeline.ci.start` and `make setup` in the candidate. It only calls the
candidate's DVC and Graft, so it needs no environment of its own.

train: bring the increment's files, run the stages up to `train`, push their objects to the quarantine and keep in
FOLDER what git keeps of them. Where FOLDER already holds that, from an earlier attempt of the same workflow run, the
objects are fetched instead. Nothing else is resumed from: no run cache, no mirror of checkpoints, no note in a remote.
finish: run the other stages, push everything, and write results and summary.md to FOLDER. A refusal by the gate is
a result: exit code 0.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pipeline.ci import results
from pipeline.common import errors, files
from pipeline.common.errors import GraftError

QUARANTINE = "quarantine"
BASE = "GRAFT_BASE"  # by which `pipeline.ci.summary` finds the base, whose gate judges too
CLEAN = {"GRAFT_CHECKPOINT_MIRROR": "off"}  # a mirror holds what anybody wrote there
UP_TO_TRAIN = (
    "dvc.lock", "reports/params.json", "reports/training.json", "reports/plots/loss.csv",
    "reports/plots/learning_rate.csv",
)  # fmt: skip
_INCREMENT = re.compile(r"data/increments/\w[^/]*")


def call(candidate: Path, *command: str, output: int | IO[bytes] | None = None) -> bytes:
    """Run `python -m COMMAND` in the candidate's environment.

    Args:
        candidate: the checkout to run it in.
        command: module and arguments.
        output: where its standard output goes, as for `subprocess.run`; it is shown for None.

    Returns:
        The output, where it is captured.

    Raises:
        GraftError: it failed.
    """
    path = f"{candidate / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | CLEAN | {BASE: str(Path.cwd()), "PATH": path, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(["python", "-m", *command], cwd=candidate, env=environment, stdout=output, check=False)
    if done.returncode != 0:
        raise GraftError(f"{' '.join(command)}: exit code {done.returncode}", help="see the output above")
    return bytes(done.stdout or b"")


def bring_data(candidate: Path) -> None:
    """Bring the increment's files from the default remote, or from the quarantine, where their author pushed them.

    Raises:
        GraftError: neither has them, or a file is not what its hash says.
    """
    increment = json.loads((candidate / "models.lock").read_text(encoding="utf-8"))["increment"]
    if not _INCREMENT.fullmatch(increment):
        raise GraftError(f"models.lock: increment: {increment!r} is not a folder of data/increments")
    raw = f"{increment}/raw.dvc"
    if "deps:" in (candidate / raw).read_text(encoding="utf-8").splitlines():  # imported from a folder of the commit
        call(candidate, "dvc", "repro", "--no-run-cache", raw)
    else:
        try:
            call(candidate, "dvc", "pull", raw)
        except GraftError:
            call(candidate, "dvc", "pull", "--remote", QUARANTINE, raw)
    require_intact(candidate)


def require_intact(candidate: Path) -> None:
    """Hash every object of the candidate's cache, for DVC does not, and delete the corrupt ones.

    Raises:
        GraftError: names each object that is not what its name says.
    """
    cache = candidate / call(candidate, "dvc", "cache", "dir", output=subprocess.PIPE).decode().strip()
    objects = [path for path in cache.glob("files/md5/??/*") if path.is_file()]
    corrupt = [path for path in objects if files.md5(path) != path.parent.name + path.name.removesuffix(".dir")]
    for path in corrupt:
        path.unlink()  # DVC would take it for the right one
    if corrupt:
        names = [path.parent.name + path.name for path in corrupt]
        raise GraftError("the remote returned other bytes than git names", names, help="push the data again")


def resume(candidate: Path, kept: Path) -> bool:
    """Take up what an earlier attempt of this workflow run kept; says whether it could."""
    contents = {name: content for name, content in results.read(kept).items() if name in UP_TO_TRAIN}
    if "dvc.lock" not in contents:
        print("retrain: no earlier attempt of this run reached the end of `train`")
        return False
    before = results.read(candidate)
    results.write(candidate, before | contents)
    try:
        call(candidate, "dvc", "fetch", "--remote", QUARANTINE, "--with-deps", "train")
        require_intact(candidate)
        call(candidate, "dvc", "checkout", "--with-deps", "train")
    except GraftError as error:
        results.write(candidate, before)
        print(f"retrain: starting from the beginning: {error}")
        return False
    print("retrain: took up the stages of an earlier attempt")
    return True


def train(candidate: Path, kept: Path) -> None:
    """Run the stages up to `train`, and keep them for a later attempt."""
    bring_data(candidate)
    resume(candidate, kept)
    call(candidate, "dvc", "repro", "--no-run-cache", "train")
    call(candidate, "dvc", "push", "--remote", QUARANTINE, "--with-deps", "train")
    trained = results.read(candidate)
    results.write(kept, {name: trained[name] for name in UP_TO_TRAIN})


def finish(candidate: Path, folder: Path) -> None:
    """Run the other stages, push what they made, and collect results and summary."""
    call(candidate, "dvc", "repro", "--no-run-cache")
    call(candidate, "pipeline.ci.quarantine", "push")
    results.write(folder, results.read(candidate))
    with (folder / "summary.md").open("wb") as file:
        call(candidate, "pipeline.ci.summary", output=file)


def main(arguments: Sequence[str]) -> None:
    """Do what the first argument says."""
    tasks = {"train": train, "finish": finish}
    if len(arguments) != 3 or arguments[0] not in tasks:
        raise GraftError("usage: python -m pipeline.ci.retrain train|finish CANDIDATE FOLDER")
    tasks[arguments[0]](*(Path(argument).resolve() for argument in arguments[1:]))


if __name__ == "__main__":
    errors.run(lambda: main(sys.argv[1:]))
