"""DVC's own commands, where a command and not an object is meant: `dvc repro`, `dvc pull`, `dvc config`."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pipeline.chain.store import dvc_errors
from pipeline.common.errors import GraftError

_STALE = re.compile(r"^(?:Running stage|ERROR: failed to reproduce) '(\w+)'", re.MULTILINE)


def environment() -> dict[str, str]:
    """What this process has, with this Python first on PATH, for stages run as `python -m pipeline.stages.NAME`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}


def command(*arguments: str) -> list[str]:
    """`dvc ARGUMENTS` by this Python, whatever PATH says."""
    return [sys.executable, "-m", "dvc", *arguments]


def run(*arguments: str, folder: Path = Path(), help: str | None = None) -> None:
    """Run a DVC command to its end.

    Raises:
        GraftError: it failed; its last lines are named.
    """
    done = _captured(folder, *arguments)
    if done.returncode != 0:
        where = "" if folder == Path() else f" in {folder}"
        said = (done.stdout + done.stderr).strip().splitlines()[-8:]
        way_out = help or dvc_errors.way_out("\n".join(said))
        raise GraftError(f"dvc {' '.join(arguments)} failed{where}", said, help=way_out)


def stale_stage() -> str | None:
    """The first stage that dvc.lock does not answer for; None: it is current.

    Asked of `dvc repro --dry --allow-missing`, which needs no data, and of its words: it exits 0 when
    stages are stale, and stops with an error where a stale stage's files are not here.
    """
    done = _captured(Path(), "repro", "--dry", "--allow-missing")
    match = _STALE.search(done.stdout + done.stderr)
    if match is None and done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise GraftError("dvc repro --dry failed", said.splitlines()[-5:], help=dvc_errors.way_out(said))
    return match[1] if match else None


def _captured(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
