"""A loopback server that speaks chat completions, and breaks in the ways that such servers break."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What the server sends."""

    content: str | None = "4"  # of the message
    status: int = 200
    body: bytes | None = None  # in place of a chat completion
    finish: str = "stop"
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: float = 0.0  # seconds between two bytes

    def bytes(self) -> bytes:
        if self.body is not None:
            return self.body
        choice = {"index": 0, "message": {"role": "assistant", "content": self.content}, "finish_reason": self.finish}
        return json.dumps({"object": "chat.completion", "choices": [choice]}).encode()


@dataclass
class Server:
    """What the server was asked."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)  # path, key, body

    @property
    def prompts(self) -> list[str]:
        return [one["body"]["messages"][0]["content"] for one in self.asked]


@contextmanager
def serving(reply: Callable[[dict[str, Any], int], Reply]) -> Iterator[Server]:
    """A server on a port of its own; `reply` is given the request and how many came before it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            asked = {
                "path": self.path,
                "key": self.headers.get("authorization"),
                "body": json.loads(self.rfile.read(length)),
            }
            with lock:
                known.asked.append(asked)
                number = len(known.asked) - 1
            made = reply(asked, number)
            content = made.bytes()
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            try:
                if not made.drip:
                    self.wfile.write(content)
                for byte in content if made.drip else b"":
                    self.wfile.write(bytes([byte]))
                    time.sleep(made.drip)
            except OSError:  # nobody waits any more
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    known = Server(url=f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
