"""The whole story through real servers: release, read back, another clone verifies and rolls back."""

import json
from pathlib import Path

import pytest

from tests.conftest import Clone, some
from tests.remotes.conftest import point, run
from tests.remotes.servers import Remote


@pytest.fixture(params=some(("s3", "ssh", "webdav"), quick=["s3"]))
def remote(request: pytest.FixtureRequest) -> Remote:
    return request.getfixturevalue(request.param)


def colleague(ready: Clone, path: Path, remote: Remote) -> Clone:
    """A fresh clone of what was published, with an empty cache."""
    run("clone", "-q", ready.git("remote", "get-url", "origin"), str(path))
    clone = Clone(path)
    point(clone, remote)
    return clone


def test_release_goes_to_the_server_and_comes_back_to_a_clone_with_an_empty_cache(
    ready: Clone, remote: Remote, tmp_path: Path
) -> None:
    point(ready, remote)
    ready.dvc("push", "-q", "--all-tags")  # v1.0.0, as plain DVC pushes it
    assert "published: v1.1.0" in ready.graft("release", "--push")
    clone = colleague(ready, tmp_path / "colleague", remote)
    assert json.loads(clone.graft("verify", "v1.1.0", "--remote", "--json"))["findings"] == []  # nothing was pulled
    assert "switched: the working tree holds v1.0.0" in clone.graft("rollback", "v1.0.0")
    assert "every SHA-256 as released" in clone.graft("verify", "v1.0.0", "--remote")


def test_gc_lists_and_deletes_what_no_release_needs(ready: Clone, remote: Remote) -> None:
    point(ready, remote)
    ready.dvc("push", "-q", "--all-tags")
    notes = ready.path / "notes.txt"
    notes.write_text("belongs to no release\n")
    ready.dvc("add", "-q", "notes.txt")
    ready.dvc("push", "-q", "notes.txt.dvc")
    for path in (notes, notes.with_suffix(".txt.dvc")):
        path.unlink()
    for expected in (1, 0):
        kept = json.loads(ready.graft("gc", "--remote", "--apply", "--json"))["remote"]
        assert (kept["objects"], kept["foreign"]["objects"]) == (0, expected), "no commit here named it"
        gone = json.loads(ready.graft("gc", "--remote", "--apply", "--json", "--foreign", "--grace", "0"))["remote"]
        assert (gone["objects"], gone["bytes"]) == (expected, 22 * expected)
