"""While bytes go to or come from a remote: a bar on a terminal, and an end at once by Ctrl-C."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from fsspec.callbacks import Callback


class Bytes(Callback):  # type: ignore[misc]  # fsspec has no types
    """What DVC's transfers report to: the bytes of each file, counted together.

    Args:
        count: is told how many bytes came on top; DVC calls from several threads.
    """

    def __init__(self, count: Callable[[int], object]) -> None:
        super().__init__()
        self.count = count

    def branched(self, path_1: str, path_2: str, **kwargs: Any) -> "_File":  # noqa: ARG002  (fsspec's signature)
        """The part of one file."""
        return _File(self.count)


class _File(Callback):  # type: ignore[misc]
    def __init__(self, count: Callable[[int], object]) -> None:
        super().__init__()
        self.count, self.done = count, 0

    def absolute_update(self, value: int) -> None:
        self.relative_update(value - self.done)

    def relative_update(self, inc: int = 1) -> None:
        self.count(inc)
        self.done += inc


@contextlib.contextmanager
def shown(what: str, size: int) -> Iterator[Callable[[int], object]]:
    """A bar of `size` bytes, headed by what is going on; yields what counts bytes."""
    from tqdm import tqdm

    with (
        _ended_by_interrupt(),
        tqdm(total=size, desc=what, unit="B", unit_scale=True, disable=None, leave=False) as bar,
    ):
        yield bar.update


@contextlib.contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """Ctrl-C ends the process: Python itself would first wait for every thread that moves bytes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(*_: object) -> NoReturn:
    print("\nAborted! What arrived stays; run the same command again to go on.", file=sys.stderr, flush=True)
    os._exit(1)
