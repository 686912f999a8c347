"""The newest drop as a candidate: `python -m pipeline.ci.refresh SOURCE`.

SOURCE is a URL that fsspec reads (https://…, s3://bucket/prefix/), a file, a folder, or an executable
script, which is called with one argument: the folder to write files into. The increment is named after
its content, so a drop that came before opens nothing.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline import errors, files, terminal
from pipeline.errors import GraftError

INCREMENTS = Path("data/increments")


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
    if len(sys.argv) != 2:
        raise GraftError("usage: python -m pipeline.ci.refresh SOURCE")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        drop = fetch(sys.argv[1], folder)
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
