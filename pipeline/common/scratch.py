"""A scratch folder that one process works in, and that ends with the process that asked for the work.

Killing `dvc repro` leaves its stage alive; the next one would train beside it.
"""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.common import files
from pipeline.common.errors import GraftError

INTERVAL = 0.2  # seconds between two looks at the parent process
GRACE = 20.0  # seconds to save a checkpoint in: a container that is stopped has 10 to 30 before it is killed
PROC = Path("/proc")


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Hold a scratch folder; yields an empty folder in it.

    Raises:
        GraftError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise GraftError(
                f"{folder}: process {lock.read().strip() or '?'} is at work here",
                help="one training at a time in a checkout: wait for it, or end it",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield files.empty_dir(folder / "draft")


def end_with_parent() -> None:
    """From now on, end this process when the process that started it has ended.

    It gets SIGTERM first: a training finishes its step and saves. Without a handler, that ends it at once.
    """
    started_by = _ancestors()

    def watch() -> None:
        while _ancestors() == started_by:
            time.sleep(INTERVAL)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)  # no clean-up: whatever lies in the scratch folder is no output

    threading.Thread(target=watch, daemon=True).start()


def _ancestors() -> tuple[int, ...]:
    """The parent process; and its parent, when it is only the shell that DVC runs a stage's command in."""
    parent = os.getppid()
    try:
        if b"pipeline.stages." not in (PROC / str(parent) / "cmdline").read_bytes():
            return (parent,)
        status = (PROC / str(parent) / "stat").read_text()
    except OSError:  # no /proc (macOS), or the parent ended just now: the next look tells
        return (parent,)
    return (parent, int(status.rpartition(")")[2].split()[1]))
