"""A loopback server that speaks the hub's protocol, with switches for what can go wrong.

Large files live on a second port, as the hub keeps them with a content network: the token must not go there.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

LARGE = ".safetensors"  # kept under its SHA-256; every other file under git's blob id


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """Use as a context manager; set a switch at any time, it holds for the requests that follow."""

    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)  # repo -> commit -> file -> content
    refs: dict[str, dict[str, str]] = field(default_factory=dict)  # repo -> branch or tag -> commit
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)  # "hub GET", path, Authorization

    token: str | None = None  # required for everything
    gated: bool = False  # the listing is public, the files are not
    status: int | None = None  # of every answer
    replaced: dict[str, bytes] = field(default_factory=dict)  # file -> what is sent in place of its content
    short: set[str] = field(default_factory=set)  # files whose second half is lost, unnoticed by HTTP
    cut_once: set[str] = field(default_factory=set)  # files whose connection breaks half-way, one time

    def commit(self, repo: str, content: dict[str, bytes], ref: str = "main") -> str:
        """Add a commit to a repository and move a branch or tag to it; returns its id."""
        commit = hashlib.sha1(repr((repo, sorted(content.items()))).encode(), usedforsecurity=False).hexdigest()
        self.commits.setdefault(repo, {})[commit] = content
        self.refs.setdefault(repo, {})[ref] = commit
        return commit

    def __enter__(self) -> Self:
        self._servers = [self._start("hub"), self._start("cdn")]
        self.endpoint, self.cdn = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def tokens(self, part: str, repo: str) -> set[str | None]:
        """Every Authorization header that came for a repository; part is "hub" or "cdn"."""
        return {token for kind, path, token in self.requests if kind.startswith(part) and f"/{repo}" in path}

    def downloads(self) -> list[str]:
        """Names of the files whose content was asked for, in order."""
        return [
            path.rsplit("/", 1)[1] for kind, path, _ in self.requests if kind.endswith("GET") and "/api/" not in path
        ]

    def _start(self, part: str) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self, "part": part}))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    part: str

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        path, authorization = unquote(urlsplit(self.path).path), self.headers.get("Authorization")
        self.hub.requests.append((f"{self.part} {self.command}", path, authorization))
        if self.hub.status is not None:
            return self._send(self.hub.status)
        if self.part == "cdn":
            return self._content(path.rsplit("/", 1)[1], self._stored(*path.strip("/").rsplit("/", 2)), {})
        if self.hub.token and authorization != f"Bearer {self.hub.token}":
            return self._refuse(401, "RepoNotFound")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self._info(match[1], match[2] or "main")
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(match[1], match[2], match[3])
        return self._send(404)

    def _info(self, repo: str, revision: str) -> None:
        if repo not in self.hub.commits:
            return self._refuse(404, "RepoNotFound")
        commit = self.hub.refs[repo].get(revision, revision)
        if commit not in self.hub.commits[repo]:
            return self._refuse(404, "RevisionNotFound")
        siblings = [_sibling(name, content) for name, content in self.hub.commits[repo][commit].items()]
        return self._send(200, json.dumps({"id": repo, "sha": commit, "siblings": siblings}).encode())

    def _resolve(self, repo: str, commit: str, name: str) -> None:
        if self.hub.gated:
            return self._refuse(401, "GatedRepo")
        content = self._stored(repo, commit, name)
        headers = {"X-Repo-Commit": commit}
        if not name.endswith(LARGE):
            return self._content(name, content, headers | {"ETag": f'"{blob_id(content)}"'})
        headers |= {"X-Linked-Etag": f'"{sha256(content)}"', "X-Linked-Size": str(len(content))}
        return self._send(302, headers=headers | {"Location": f"{self.hub.cdn}/{repo}/{commit}/{name}"})

    def _content(self, name: str, content: bytes, headers: dict[str, str]) -> None:
        content = self.hub.replaced.get(name, content)
        start = int(match[1]) if (match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        total = len(content)
        if start:
            headers = headers | {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
        status, body = (206 if start else 200), content[start:]
        if self.command == "GET" and name in self.hub.short:
            body = body[: total // 2]
        if self.command == "GET" and name in self.hub.cut_once:
            self.hub.cut_once.remove(name)
            return self._send(status, body[: total // 2], headers, length=len(body))
        return self._send(status, body, headers)

    def _stored(self, repo: str, commit: str, name: str) -> bytes:
        return self.hub.commits[repo][commit][name]

    def _refuse(self, status: int, code: str) -> None:
        # a server may well repeat what it was sent: none of it may reach the user's screen
        said = f"{code}: {self.headers.get('Authorization')}"
        self._send(status, json.dumps({"error": said}).encode(), {"X-Error-Code": code, "X-Error-Message": said})

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, length: int = -1) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = length >= 0


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    large = {"lfs": {"sha256": sha256(content), "size": len(content), "pointerSize": 130}}
    return {"rfilename": name, "size": len(content), "blobId": blob_id(content)} | (
        large if name.endswith(LARGE) else {}
    )


def model(words: str = "one two") -> dict[str, bytes]:
    """Files of a model too small to be one: what counts here is their names and bytes."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}}).encode()
    weights = hashlib.shake_128(words.encode()).digest(256)
    return {
        "model.safetensors": len(header).to_bytes(8, "little") + header + weights,
        "config.json": b'{"model_type": "qwen2"}\n',
        "generation_config.json": b"{}\n",
        "tokenizer.json": json.dumps(words.split()).encode(),
        "tokenizer_config.json": b'{"model_max_length": 64}\n',
        "chat_template.jinja": b"{{ messages }}",
    }
