"""The newest drop as a candidate: `python -m pipeline.ci.refresh SOURCE`.

SOURCE is a URL that fsspec reads (https://…, s3://bucket/prefix/), a file, a folder, or an executable
script, which is called with one argument: the folder to write files into. The increment is named after
its content, so a drop that came before opens nothing.

With --typed, SOURCE was typed by somebody who may start a workflow and may not read its secrets: it is a URL of
another machine or a file that git tracks here, and no other path of this machine, such as /proc/self/environ.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline import terminal
from pipeline.chain.commits import git
from pipeline.common import errors, files
from pipeline.common.errors import GraftError

INCREMENTS = Path("data/increments")
TYPED = "--typed"
_URL = re.compile(r"(https|s3|gs|gcs|az|abfs|abfss|sftp|ssh|webdav|webdavs)://(?!.*::)\S+")  # `::` chains file systems


def fetch(source: str, folder: Path) -> list[Path]:
    """Bring a source's files into a folder.

    Raises:
        GraftError: it cannot be read, or holds no file.
    """
    if Path(source).is_file() and os.access(source, os.X_OK):
        done = subprocess.run([Path(source).resolve(), folder], check=False)
        if done.returncode != 0:
            raise GraftError(f"{source}: exit code {done.returncode}")
    else:
        _copy(source, folder)
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    if not found:
        raise GraftError(f"{source}: no file there")
    return found


def require_harmless(source: str) -> None:
    """Refuse a typed source that reads this machine.

    Raises:
        GraftError: it is neither a URL of another machine nor a path that git tracks.
    """
    tracked = git.run("ls-files", "-z", "--stage", "--", f":(literal){source}").split("\0")
    is_plain = [line.startswith("100") for line in tracked if line]
    if not _URL.fullmatch(source) and not (is_plain and all(is_plain)):
        raise GraftError(
            f"{source}: not a source to type",
            help="a URL, such as https:// or s3://, or a script or folder of the repository that holds no links",
        )


def name_of(drop: list[Path], folder: Path) -> str:
    """An increment's name that says what it holds: drop-<12 hex digits of its files' names and SHA-256>."""
    lines = [f"{path.relative_to(folder).as_posix()} {files.sha256(path)}\n" for path in drop]
    return f"drop-{hashlib.sha256(''.join(lines).encode()).hexdigest()[:12]}"


def _copy(source: str, folder: Path) -> None:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(source)
        paths = filesystem.find(path) or [path]
        for place in paths:
            name = Path(place).name  # of data: it never leaves the folder
            filesystem.get_file(place, str(folder / name))
    except (OSError, ValueError, ImportError) as error:
        raise GraftError(f"{source}: {error}", help="a URL, a file, a folder or an executable script") from None


def main() -> None:
    """Fetch, and open a candidate when the drop is new; prints its name, or nothing."""
    arguments = sys.argv[1:]
    typed = arguments[:1] == [TYPED]
    if len(arguments) != 1 + typed:
        raise GraftError("usage: python -m pipeline.ci.refresh [--typed] SOURCE")
    source = arguments[-1]
    if typed:
        require_harmless(source)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        drop = fetch(source, folder)
        name = name_of(drop, folder)
        if (INCREMENTS / name).exists():
            terminal.echo(f"nothing new: {name} is here already", err=True)
            return
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "add", name, *map(str, drop)], stdout=sys.stderr, check=False
        )
        if done.returncode != 0:
            raise SystemExit(done.returncode)
        terminal.echo(name)


if __name__ == "__main__":
    errors.run(main)
