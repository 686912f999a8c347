"""Train a pull request's candidate on a runner: `python -m pipeline.ci.retrain`.

Finished stages lie in the quarantine as soon as the training is done, run cache and all, so a runner that is
taken away costs what came after. A refusal is a result: it is pushed, reported and exits 0.
"""

import subprocess
from pathlib import Path

from pipeline import errors, files
from pipeline.chain import candidate, dvc, lockfile
from pipeline.chain.store import Store
from pipeline.ci import quarantine, summary
from pipeline.errors import GraftError

SUMMARY = Path("summary.md")


def bring_data() -> None:
    """Have the increment's files here, from the remote or from where the pull request's author pushed them.

    Raises:
        GraftError: they are in neither.
    """
    folder = Path(lockfile.load().increment)
    try:
        candidate.check_out_data(folder, Store())
    except GraftError:
        candidate.check_out_data(folder, Store(remote=summary.QUARANTINE))


def repro(*stages: str) -> None:
    """Run `dvc repro` with its output shown.

    Raises:
        GraftError: a stage failed.
    """
    if subprocess.run(dvc.command("repro", *stages), env=dvc.environment(), check=False).returncode != 0:
        raise GraftError("dvc repro failed; what it said stands above")


def resume() -> None:
    """Bring what an earlier runner finished; an empty quarantine is no fault."""
    try:
        dvc.run("fetch", "--run-cache", "--remote", summary.QUARANTINE)
    except GraftError:
        print("retrain: nothing to resume from the quarantine")


def keep() -> None:
    """Lay every finished stage into the quarantine, with the run cache."""
    dvc.run("push", "--run-cache", "--remote", summary.QUARANTINE)


def main() -> None:
    """Resume, train, push to the quarantine, write summary.md."""
    bring_data()
    resume()
    repro("train")
    keep()
    repro()
    quarantine.push()
    files.write_text(SUMMARY, "\n\n".join([summary.MARK, *summary.blocks()]) + "\n")


if __name__ == "__main__":
    errors.run(main)
