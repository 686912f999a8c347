"""What goes wrong with a remote: one clear error, exit 1, no tag; run again afterwards, the command completes."""

import contextlib
import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import CODE, ENVIRONMENT, GRAFT, Clone, some
from tests.remotes import servers
from tests.remotes.conftest import needs, point, run, seed
from tests.remotes.proxy import Proxy
from tests.remotes.servers import PASSWORD, Remote

Before = Callable[[Remote], Proxy]


def refused(clone: Clone, command: Sequence[str] = ("release",), **environment: str) -> str:
    """What a failing command says: an error that names the remote and a way on, and no secret."""
    tags, head = clone.git("tag"), clone.git("rev-parse", "HEAD")
    said = clone.run(sys.executable, *GRAFT, *command, code=1, **(CODE | environment))
    assert said.count("Error: ") == 1
    assert "remote 'storage' (" in said
    assert "  help: " in said
    assert PASSWORD not in said
    assert (clone.git("tag"), clone.git("rev-parse", "HEAD")) == (tags, head)
    return said


def released(clone: Clone) -> None:
    assert "tagged: v1.1.0" in clone.graft("release")


# asyncssh takes half a minute to give a lost connection up; what goes well is tested with all three, in test_story.py
@pytest.fixture(params=some(("s3", "ssh", "webdav"), quick=["s3"]))
def remote(request: pytest.FixtureRequest) -> Remote:
    return request.getfixturevalue(request.param)


def test_wrong_credentials_and_a_cut_push_then_a_release(ready: Clone, remote: Remote, before: Before) -> None:
    seed(ready, remote)
    point(ready, remote, **remote.wrong)
    assert any(words in refused(ready) for words in ("the credentials are refused", "not allowed"))
    proxy = before(remote)
    proxy.cut_after = 1_500_000
    point(ready, remote, proxy.port)
    said = refused(ready, AWS_MAX_ATTEMPTS="1")
    assert any(words in said for words in ("the connection broke", "out of reach")), said
    point(ready, remote)
    released(ready)


def test_server_that_is_down_then_a_release(ready: Clone, ssh: Remote, tmp_path: Path) -> None:
    seed(ready, ssh)
    point(ready, ssh, servers.free_port())
    assert "out of reach" in refused(ready)
    point(ready, ssh)
    released(ready)


def test_read_only_ssh_then_a_release(ready: Clone, ssh: Remote) -> None:
    seed(ready, ssh)
    with servers.sshd(ssh.folder.parent, "-R") as read_only:
        point(ready, read_only)
        assert "not allowed" in refused(ready)
    point(ready, ssh)
    released(ready)


@pytest.mark.slow
def test_read_only_webdav_then_a_release(ready: Clone, webdav: Remote) -> None:
    seed(ready, webdav)
    with servers.nginx(webdav.folder.parent, methods="off") as read_only:
        point(ready, read_only)
        assert "not allowed" in refused(ready)
    point(ready, webdav)
    released(ready)


SERVER = {
    "ssh": servers.sshd,
    "webdav": servers.nginx,
    "folder": lambda folder: contextlib.nullcontext(Remote("folder", 0, folder, lambda _: str(folder))),
}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB, and what makes it larger."""
    (tmp_path / "small").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "graft-test", str(tmp_path / "small")]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system: sudo make test, or .ci/run as root")
    yield tmp_path / "small"
    subprocess.run(["umount", "--lazy", tmp_path / "small"], check=True)


@pytest.mark.parametrize("kind", some(("ssh", "webdav", "folder"), quick=["folder"]))
def test_full_disk_then_a_release(ready: Clone, small_disk: Path, kind: str) -> None:
    needs(kind)
    with SERVER[kind](small_disk) as remote:
        seed(ready, remote)
        said = refused(ready)
        assert "no room left" in said or "disk is full" in said  # not every server says why
        subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
        released(ready)


def test_object_that_a_cut_push_left_in_part_is_sent_again(ready: Clone, ssh: Remote) -> None:
    point(ready, ssh)
    ready.dvc("push", "-q", "--all-tags")
    largest = max(ssh.objects(), key=lambda path: path.stat().st_size)
    os.truncate(largest, 1000)
    assert "pushed: 1 new object " in ready.graft("release")


def test_lost_object_is_named_and_stops_a_rollback_before_anything_moves(
    ready: Clone, ssh: Remote, tmp_path: Path
) -> None:
    point(ready, ssh)
    ready.dvc("push", "-q", "--all-tags")
    ready.graft("release", "--push")
    weights = ready.git("show", "v1.0.0:reports/manifest.json")
    size = json.loads(weights)["outputs"]["models/merged/model-adapted-00001-of-00001.safetensors"]["size"]
    lost = [path for path in ssh.objects() if path.stat().st_size == size]
    for path in lost:
        path.unlink()
    run("clone", "-q", ready.git("remote", "get-url", "origin"), str(tmp_path / "colleague"))
    clone = Clone(tmp_path / "colleague")
    point(clone, ssh)
    found = json.loads(clone.graft("verify", "v1.0.0", "--remote", "--json", code=1))["findings"]
    missing = [(finding["path"], finding["problem"]) for finding in found if finding["place"] == "remote"]
    assert missing == [("models/merged/model-adapted-00001-of-00001.safetensors", "missing")]
    said = clone.graft("rollback", "v1.0.0", code=1)
    assert any(path.parent.name + path.name in said for path in lost)
    assert clone.git("status", "--porcelain") == ""
    for path in lost:
        shutil.copy(ready.path / ".dvc/cache" / path.relative_to(ssh.folder), path)
    clone.graft("rollback", "v1.0.0")


def test_cut_fetch_leaves_no_part_of_an_object_in_the_cache(
    ready: Clone, webdav: Remote, before: Before, tmp_path: Path
) -> None:
    point(ready, webdav)
    ready.dvc("push", "-q", "--all-tags")
    proxy = before(webdav)
    proxy.cut_after = 2_000_000
    point(ready, webdav, proxy.port)
    shutil.rmtree(ready.path / ".dvc/cache/files")
    said = refused(ready, ["rollback", "v1.0.0"])
    assert "the connection broke" in said or "out of reach" in said
    kept = [path for path in (ready.path / ".dvc/cache/files/md5").glob("??/*") if not path.name.startswith(".")]
    for path in kept:
        assert hashlib.md5(path.read_bytes()).hexdigest() == (path.parent.name + path.name).removesuffix(".dir")  # noqa: S324
    proxy.cut_after = None
    assert "switched" in ready.graft("rollback", "v1.0.0")


def test_slow_server_shows_progress_and_ctrl_c_ends_at_once(ready: Clone, webdav: Remote, before: Before) -> None:
    seed(ready, webdav)
    proxy = before(webdav)
    proxy.rate = 100_000
    point(ready, webdav, proxy.port)
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    process = subprocess.Popen(
        [sys.executable, *GRAFT, "release"],
        cwd=ready.path, env=ENVIRONMENT | CODE, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    said = until(master, "pushing:  ")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    said += until(master, "Aborted!")
    assert process.wait(5) == 1
    assert time.monotonic() - start < 5
    assert "%" in said
    assert "Traceback" not in said
    assert "v1.1.0" not in ready.git("tag")
    point(ready, webdav)
    released(ready)


def until(descriptor: int, words: str) -> str:
    """What a terminal shows until these words appear on it."""
    said = ""
    while words not in said:
        said += os.read(descriptor, 4096).decode()
    return said


@pytest.mark.slow
def test_silent_server_is_given_up_when_ssh_is_told_to_ask(
    ready: Clone, ssh: Remote, before: Before, tmp_path: Path
) -> None:
    seed(ready, ssh)
    proxy = before(ssh)
    point(ready, ssh, proxy.port)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host *\n  ServerAliveInterval 1\n  ServerAliveCountMax 2\n")
    proxy.freeze_after = 1_000_000
    assert "the connection broke" in refused(ready, HOME=str(tmp_path))
    point(ready, ssh)
    released(ready)


def test_password_in_an_address_is_never_shown(ready: Clone, webdav: Remote) -> None:
    point(ready, webdav, password="", user="")
    address = f"webdav://deploy:{PASSWORD}@127.0.0.1:{servers.free_port()}/models"
    (ready.path / ".dvc/config.local").write_text(f"['remote \"storage\"']\n    url = {address}\n")
    assert "webdav://***@127.0.0.1" in refused(ready)
    assert PASSWORD not in ready.graft("plan")


def test_absent_plug_in_is_named_with_the_command_that_installs_it(ready: Clone) -> None:
    (ready.path / ".dvc/config.local").write_text("['remote \"storage\"']\n    url = hdfs://models/graft\n")
    said = refused(ready)
    assert "plug-in for it is not installed" in said
    assert "make setup EXTRAS=" in said
