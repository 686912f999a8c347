"""The tutorial, typed for you: runs the commands of docs/tutorial.md in a throw-away repository.

`python -m examples.demo [FOLDER]` leaves the repository in FOLDER; without it, it is removed at the end. It holds this
working tree's code and the sample of tests/sample: a team's own data, params, releases, signers and remotes stay out.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "docs/tutorial.md"
SAMPLE = ROOT / "tests/sample"  # what is specific to the sample, frozen
_TEAMS = ("data/", "reports/", "signers/", "dvc.lock", "models.lock", "params.yaml", "withdrawn.json", "deploy.yaml")
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
_REFUSED = " # exits 1"  # how the tutorial marks a command that is meant to be refused


def sections(tutorial: str) -> list[tuple[str, list[str]]]:
    """Heading and commands of each section of the tutorial."""
    parts = _HEADING.split(tutorial)[1:]
    return [
        (heading, [line for block in _BLOCK.findall(text) for line in block.splitlines()])
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    ]


def play(clone: Path) -> None:
    """Run every command in one shell, as a user who follows the tutorial would; stop at a surprise.

    Raises:
        SystemExit: a command exited otherwise than the tutorial says.
    """
    here = clone
    for heading, commands in sections(TUTORIAL.read_text(encoding="utf-8")):
        print(f"\n=== {heading}", flush=True)
        for command in commands:
            here = type_in(command, here)


def type_in(command: str, folder: Path) -> Path:
    """Print and run one line of the tutorial; returns the folder that the shell is in afterwards."""
    expected = 1 if command.endswith(_REFUSED) else 0
    print(f"\n$ {command}", flush=True)
    with tempfile.NamedTemporaryFile("r") as place:
        script = f"{command.removesuffix(_REFUSED)}\ncode=$?; pwd > {place.name}; exit $code"
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=_environment(folder), check=False)
        if done.returncode != expected:
            raise SystemExit(f"exit code {done.returncode}, the tutorial says {expected}")
        return Path(place.read().strip())


def lay_out(target: Path) -> None:
    """Make an empty folder a repository as shipped: this tree's code, the sample as its only increment, one commit."""
    listed = _captured(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    as_shipped = is_as_shipped()
    for name in filter(None, listed):
        if (ROOT / name).is_file() and (as_shipped or not name.startswith(_TEAMS)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    _run(target, "git", "init", "--quiet", "--initial-branch", "main")
    _forget_remotes(target)
    if not as_shipped:
        shutil.copytree(SAMPLE, target, dirs_exist_ok=True)
        _run(target, sys.executable, "-m", "pipeline", "lock")
    _run(target, "git", "add", "--all")
    _run(target, "git", "commit", "--quiet", "--no-verify", "--message", "Graft, as shipped")


def is_as_shipped() -> bool:
    """Whether the working tree still is about the sample, with nothing changed or added, and nothing was released."""
    sample = {path.relative_to(SAMPLE).as_posix(): path for path in SAMPLE.rglob("*") if path.is_file()}
    same = all((ROOT / name).is_file() and (ROOT / name).read_bytes() == sample[name].read_bytes() for name in sample)
    data = _captured(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "data").splitlines()
    withdrawn = ROOT / "withdrawn.json"
    none_withdrawn = not withdrawn.exists() or withdrawn.read_text(encoding="utf-8").split() == ["{}"]
    return same and none_withdrawn and {*data} <= {*sample}


def _forget_remotes(target: Path) -> None:
    """Take a team's remotes out of the copy's .dvc/config."""
    settings = _captured(target, sys.executable, "-m", "dvc", "config", "--list", "--project")
    for name in re.findall(r"^remote\.(.+)\.url=", settings, re.MULTILINE):  # `dvc remote list` wraps its lines
        _run(target, sys.executable, "-m", "dvc", "remote", "remove", "--quiet", name)
    (target / ".dvc/config.local").unlink(missing_ok=True)  # DVC writes an empty one


def _captured(folder: Path, *command: str) -> str:
    return subprocess.run(
        command, cwd=folder, env=_environment(folder), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, env=_environment(folder), check=True, stdout=subprocess.DEVNULL)


def _environment(folder: Path) -> dict[str, str]:
    """A shopkeeper's: what the user's own configuration of git says of hooks, signatures or ignored files stays out."""
    person = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _PERSON.items()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    here = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_DIR", "GIT_WORK_TREE"))}
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return person | here | own | {"PATH": path, "OLDPWD": str(folder.parent / "shop")}


_PERSON = {"NAME": "A. Shopkeeper", "EMAIL": "shop@example.com"}


def main() -> None:
    """Lay out a repository as shipped and play the tutorial in it."""
    with tempfile.TemporaryDirectory(prefix="graft-demo-") as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch).resolve()
        (folder / "shop").mkdir(parents=True)
        lay_out(folder / "shop")
        play(folder / "shop")
    print("\nThe demo is over: every command did what docs/tutorial.md says.")


if __name__ == "__main__":
    main()
