"""A TCP proxy on the loopback that cuts, slows or freezes what passes."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Stands before a server; a test changes its fields while it runs."""

    port: int
    cut_after: int | None = None  # bytes of all connections and both ways; then everything is cut
    rate: float | None = None  # bytes a second of one connection and way
    freeze_after: int | None = None  # bytes, as above; then nothing moves and nothing ends
    passed: int = 0  # bytes
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def may_pass(self, count: int) -> bool:
        """Wait as long as the rate and a freeze ask; whether these bytes may pass at all."""
        while self.freeze_after is not None and self.passed > self.freeze_after:
            time.sleep(0.05)
        if self.rate:
            time.sleep(count / self.rate)
        with self._lock:
            self.passed += count
            return self.cut_after is None or self.passed <= self.cut_after


@contextlib.contextmanager
def before(server_port: int) -> Iterator[Proxy]:
    """A proxy before a local server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(port=listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, proxy, server_port), daemon=True).start()
        yield proxy


def _accept(listener: socket.socket, proxy: Proxy, server_port: int) -> None:
    with contextlib.suppress(OSError):  # closed at the end of the test
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", server_port))
            threading.Thread(target=_pump, args=(client, server, proxy), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client, proxy), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket, proxy: Proxy) -> None:
    """Copy bytes one way."""
    with contextlib.suppress(OSError):
        while (data := source.recv(1 << 14)) and proxy.may_pass(len(data)):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
