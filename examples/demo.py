"""The tutorial, typed for you: runs the commands of docs/tutorial.md in a throw-away clone.

`python -m examples.demo [FOLDER]` leaves the clone in FOLDER; without it, it is removed at the end.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "docs/tutorial.md"
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


def _environment(folder: Path) -> dict[str, str]:
    person = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _PERSON.items()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return person | os.environ | {"PATH": path, "OLDPWD": str(folder.parent / "shop")}


_PERSON = {"NAME": "A. Shopkeeper", "EMAIL": "shop@example.com"}


def main() -> None:
    """Clone the repository's last commit and play the tutorial in the clone."""
    with tempfile.TemporaryDirectory(prefix="graft-demo-") as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch).resolve()
        subprocess.run(["git", "clone", "--quiet", ROOT, folder / "shop"], check=True)
        play(folder / "shop")
    print("\nThe demo is over: every command did what docs/tutorial.md says.")


if __name__ == "__main__":
    main()
