"""What `make setup` shows while pip installs: pip's own lines on standard input -> how far it is.

Runs before anything is installed, so it needs Python alone:
    python -m pip install --requirement FILE 2>&1 && touch DONE | python setup_progress.py FILE DONE
"""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

EVERY = 5.0  # seconds between two lines
LAST = 20  # of pip's lines, shown where it failed


def lines(said: Iterable[str], packages: int) -> Iterator[str]:
    """A line now and then: packages so far, and what is being fetched or installed.

    Args:
        said: pip's lines, without --quiet.
        packages: that there are.
    """
    begun, told, now = 0, 0.0, ""
    for line in said:
        word, _, rest = line.strip().partition(" ")
        if word in ("Collecting", "Processing"):
            begun, now = min(begun + 1, packages), rest.split(" (")[0]
        elif word == "Downloading":
            now = f"{now.split(' ')[0]} {rest[rest.find('(') :]}" if "(" in rest else now
        elif line.startswith("Installing collected packages"):
            yield f"  {begun} of {packages} packages are here; installing them"
            continue
        else:
            continue
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            yield f"  {begun} of {packages}: {now}"


def main(requirements: Path, done: Path) -> int:
    """Follow pip; 1 and its last lines where `done` is not there at its end."""
    wanted = sum("==" in line for line in requirements.read_text(encoding="utf-8").splitlines())
    last = deque[str](maxlen=LAST)

    def kept() -> Iterator[str]:
        for line in sys.stdin:
            last.append(line)
            yield line

    for told in lines(kept(), wanted):
        print(told, flush=True)
    if done.exists():
        return 0
    sys.stderr.writelines(last)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
