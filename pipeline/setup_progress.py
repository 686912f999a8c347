"""What `make setup` shows while pip installs: pip's own lines on standard input -> how far it is.

Runs before anything is installed, so it needs Python alone:
    python -m pip install --requirement FILE | python setup_progress.py FILE
"""

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

EVERY = 5.0  # seconds between two lines


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
            begun, now = begun + 1, rest.split(" (")[0]
        elif word == "Downloading":
            now = f"{now.split(' ')[0]} {rest[rest.find('('):]}" if "(" in rest else now
        elif line.startswith("Installing collected packages"):
            yield f"  {begun} of {packages} packages are here; installing them"
            continue
        else:
            continue
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            yield f"  {begun} of {packages}: {now}"


if __name__ == "__main__":
    wanted = sum("==" in line for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    for told in lines(sys.stdin, wanted):
        print(told, flush=True)
