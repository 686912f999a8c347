"""Reads what git keeps of a training from folders and trees that a pull request's code may have written.

Only the files of `NAMES` are read, only where they are regular files, and never through a link. Runs on the
standard library alone, so that a workflow can call it from a checkout of the base, without an environment.
"""

import stat
import zipfile
from pathlib import Path

from pipeline.chain.commits import git
from pipeline.common.errors import GraftError

NAMES = (
    "dvc.lock",
    "reports/params.json",
    "reports/training.json",
    "reports/plots/loss.csv",
    "reports/plots/learning_rate.csv",
    "reports/metrics.json",
    "reports/plots/calibration.csv",
    "reports/plots/forgetting.csv",
    "reports/plots/slices.csv",
    "reports/verdict.json",
    "reports/changes.json",
    "reports/decision.json",
    "reports/reasons.json",
    "reports/report.md",
    "reports/manifest.json",
)  # dvc.lock and the outputs of dvc.yaml that DVC does not cache
LIMIT = 32 << 20  # bytes of one file; GitHub refuses a file of 100 MB
_FILE, _FOLDER = "100644", "040000"


def read(folder: Path) -> dict[str, bytes]:
    """Content of each file of `NAMES` in a folder; a missing file is left out, other files are not read.

    Raises:
        GraftError: a name, or a folder above it, is a link or something else than a file, or is larger than `LIMIT`.
    """
    contents, problems = {}, []
    for name in NAMES:
        path = folder / name
        if problem := _problem(folder, name):
            problems.append(f"{name}: {problem}")
        elif path.exists():
            contents[name] = path.read_bytes()
    if problems:
        raise GraftError(f"{folder}: not the files of a training", problems, help="nothing was taken from it")
    return contents


def packed(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Content of each file of `NAMES` in a zip file, which is not unpacked; a missing file is left out.

    Raises:
        GraftError: a file is larger than `LIMIT`.
    """
    entries = {entry.filename: entry for entry in archive.infolist() if entry.filename in NAMES}
    large = [f"{name}: {entry.file_size:,} bytes" for name, entry in entries.items() if entry.file_size > LIMIT]
    if large:
        raise GraftError(f"an artifact holds files of more than {LIMIT:,} bytes", large)
    return {name: archive.read(entry) for name, entry in entries.items()}


def write(folder: Path, contents: dict[str, bytes]) -> None:
    """Make the files of `NAMES` in a folder these ones, and no others.

    Raises:
        GraftError: a name, or a folder above it, is a link or something else than a file; nothing is written then.
    """
    read(folder)
    for name in NAMES:
        path = folder / name
        if name in contents:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[name])
        else:
            path.unlink(missing_ok=True)


def at(revision: str) -> dict[str, bytes]:
    """Content of each file of `NAMES` at a revision; a missing file is left out."""
    contents = zip(NAMES, git.contents(f"{revision}:{name}" for name in NAMES), strict=True)
    return {name: content for name, content in contents if content is not None}


def refuse_links(commit: str, repository: Path = Path()) -> None:
    """Refuse a commit in which a name of `NAMES`, or a folder above it, is a link, a submodule or an executable file.

    Args:
        commit: is read from the object database and not checked out.
        repository: holds its objects.

    Raises:
        GraftError: names each of them, with its mode.
    """
    expected = dict.fromkeys(NAMES, _FILE) | {above: _FOLDER for name in NAMES for above in _above(name)}
    tops = {name.split("/")[0] for name in NAMES}
    lines = git.run("-C", str(repository), "ls-tree", "-z", "-r", "-t", commit, "--", *tops).split("\0")
    modes = {path: line.split(" ", 1)[0] for line, _, path in (line.partition("\t") for line in lines)}
    wrong = [f"{path}: mode {modes[path]}" for path in expected if modes.get(path, expected[path]) != expected[path]]
    if wrong:
        raise GraftError(
            f"{commit}: the results of a training are written to plain files alone",
            wrong,
            help="git rm the named paths; a link is never followed",
        )


def _problem(folder: Path, name: str) -> str | None:
    for above in [*_above(name), name]:
        try:
            info = (folder / above).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if above != name and not stat.S_ISDIR(info.st_mode):
            return f"{above} is not a folder"
        if above == name and not stat.S_ISREG(info.st_mode):
            return "not a regular file"
        if above == name and info.st_size > LIMIT:
            return f"{info.st_size:,} bytes, at most {LIMIT:,} are taken"
    return None


def _above(name: str) -> list[str]:
    """Folders above a name, outermost first."""
    return [parent.as_posix() for parent in reversed(Path(name).parents) if parent != Path()]
