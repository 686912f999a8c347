"""Train a pull request's candidate on a runner: `python -m pipeline.ci.retrain`.

The trained adapter lies in the quarantine as soon as it is there, so a runner that is taken away afterwards costs
what came after. (DVC's run cache does not do it: it leaves out stages with outputs that git keeps, as `train`.)
A refusal is a result: it is pushed, reported and exits 0.
"""

import json
import subprocess
from pathlib import Path

from pipeline import errors, files, terminal
from pipeline.chain import candidate, dvc, lockfile, verify
from pipeline.chain.store import Store
from pipeline.ci import quarantine, summary
from pipeline.errors import GraftError

SUMMARY = Path("summary.md")
LOCK = Path("dvc.lock")
TRAINED = ("dvc.lock", "reports/training.json", "reports/plots/loss.csv")  # what git keeps of the stages up to train


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


def is_done() -> bool:
    """Whether dvc.lock is current and the quarantine has all that it names, as after this workflow's own commit."""
    objects = verify.read(None).objects()
    return dvc.stale_stage() is None and not Store(remote=summary.QUARANTINE).missing(objects, "remote")


def keep() -> None:
    """Lay the finished stages into the quarantine: the objects, and last a note that says what they are."""
    dvc.run("push", "--remote", summary.QUARANTINE, "--with-deps", "train")
    texts = {name: Path(name).read_text(encoding="utf-8") for name in TRAINED}
    Store(remote=summary.QUARANTINE).write_note(_candidate(), files.dumps(texts).encode())


def resume() -> None:
    """Bring what an earlier runner kept. DVC then decides what of it still fits this commit."""
    note = Store(remote=summary.QUARANTINE).note(_candidate())
    if note is None:
        terminal.echo("retrain: the quarantine holds nothing of this candidate yet")
        return
    before = LOCK.read_text(encoding="utf-8")
    kept = json.loads(note)
    try:
        for name in TRAINED:  # and no other name that a note may hold
            files.write_text(Path(name), kept[name])
        dvc.run("fetch", "--remote", summary.QUARANTINE, "--with-deps", "train")
        dvc.run("checkout", "--with-deps", "train")
        terminal.echo("retrain: an earlier runner's stages are here")
    except GraftError as error:
        files.write_text(LOCK, before)
        terminal.echo(f"retrain: from the beginning, for {error.message}")


def _candidate() -> str:
    return f"{Path(lockfile.load().increment).name}.json"


def main() -> None:
    """Resume, train, push to the quarantine, write summary.md."""
    if is_done():
        terminal.echo("retrain: dvc.lock is current, and the quarantine has all of it")
    else:
        bring_data()
        resume()
        repro("train")
        keep()
        repro()
        quarantine.push()
    files.write_text(SUMMARY, "\n\n".join([summary.MARK, *summary.blocks()]) + "\n")


if __name__ == "__main__":
    errors.run(main)
