"""SIGTERM and Ctrl-C ask a training to end after its step; a second one ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(kw_only=True, slots=True)
class Request:
    """Which signal came, if one did."""

    name: str | None = None


@contextmanager
def listening() -> Iterator[Request]:
    """Signals that come inside are noted; afterwards they do again what they did before."""
    request = Request()
    if threading.current_thread() is not threading.main_thread():  # only it is told of signals
        yield request
        return

    def note(number: int, _: FrameType | None) -> None:
        request.name = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
