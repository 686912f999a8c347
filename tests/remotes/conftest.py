"""A candidate that is ready to be released to a real server."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, Chain, Clone
from tests.remotes import proxy, servers
from tests.remotes.servers import Remote

GET = {
    "ssh": "apt-get install openssh-server, make setup EXTRAS=ssh",
    "webdav": "apt-get install nginx-light libnginx-mod-http-dav-ext, make setup EXTRAS=webdav",
    "s3": "apt-get install python3-swift, make setup EXTRAS=s3",
}


def needs(kind: str) -> None:
    """Skip the test where this machine has no such server or no such plug-in, saying how to get them."""
    lacking = servers.lacking(kind)
    if lacking:
        pytest.skip(f"no {', no '.join(lacking)}: {GET[kind]}; .ci/run does it")


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Remote]:
    needs("ssh")
    with servers.sshd(tmp_path / "ssh") as remote:
        yield remote


@pytest.fixture
def webdav(tmp_path: Path) -> Iterator[Remote]:
    needs("webdav")
    with servers.nginx(tmp_path / "webdav") as remote:
        yield remote


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Remote]:
    needs("s3")
    with servers.swift(tmp_path / "s3") as remote:
        yield remote


@pytest.fixture
def before(request: pytest.FixtureRequest) -> Iterator[Callable[[Remote], proxy.Proxy]]:
    """Puts a proxy before a server, until the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda remote: stack.enter_context(proxy.before(remote.port))


@pytest.fixture
def ready(chain: Chain, tmp_path: Path) -> Clone:
    """A clone that holds v1.1.0 without its tag, has every object in its cache, and an origin of its own."""
    own, path = tmp_path / "origin.git", tmp_path / "ready"
    run("clone", "-q", "--bare", "--single-branch", "--branch", "main", str(chain.origin), str(own))
    run("--git-dir", str(own), "tag", "-d", "v1.1.0")
    run("clone", "-q", str(own), str(path))
    shutil.copytree(chain.storage / "files", path / ".dvc/cache/files")
    clone = Clone(path)
    clone.dvc("checkout", "-q")
    return clone


def run(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, env=ENVIRONMENT, capture_output=True)


def point(clone: Clone, remote: Remote, port: int | None = None, **changed: str) -> None:
    """What `dvc remote modify --local` writes: the clone's remote is this server, or the port of a proxy before it."""
    at = port or remote.port
    settings = {"url": remote.url(at), **remote.settings(at), **changed}
    lines = "".join(f"    {key} = {value}\n" for key, value in settings.items())
    (clone.path / ".dvc/config.local").write_text(f"['remote \"storage\"']\n{lines}")


def seed(clone: Clone, remote: Remote) -> None:
    """Have the state of v1.0.0 in the remote, as its release left it there."""
    point(clone, remote)
    clone.python(
        "from pipeline.chain.lock import lockfile\n"
        "from pipeline.chain.store.objects import Store\n"
        "Store().push(output['md5'] for output in lockfile.load().parent.state.values())"
    )
