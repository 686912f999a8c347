"""graft gc: whatever a ref, stash, worktree or chain needs stays; what is not known here stays or stops it."""

import json
from pathlib import Path

import pytest

from pipeline.chain.commits import outputs
from tests.garbage.conftest import Team, moved, names

CLEAN = ("gc", "--keep", "1", "--remote", "--apply")


def test_every_tag_branch_stash_and_worktree_is_a_root(team: Team, tmp_path: Path) -> None:
    clone, kept = team.clone, {}
    for name in ("annotated", "lightweight", "branch", "stash"):
        kept[name] = team.opened(clone, name)
        if name == "stash":
            clone.git("stash", "--include-untracked", "-q")
            continue
        clone.git("checkout", "-q", "-b", name)
        clone.commit(name)
        if name != "branch":
            clone.git("tag", *(["-a", "-m", name] if name == "annotated" else []), f"kept-{name}")
        clone.git("checkout", "-q", "main")
        if name != "branch":
            clone.git("branch", "-q", "-D", name)
    clone.git("worktree", "add", "-q", "--detach", str(tmp_path / "worktree"))
    kept["worktree"] = team.opened(type(clone)(tmp_path / "worktree"), "worktree", at=team.cache)
    kept["index"] = team.opened(clone, "index")
    clone.git("add", "--force", "data", "models.lock")
    clone.git("restore", "--worktree", "--source", "HEAD", "models.lock")
    clone.run("rm", "-r", "data/increments/index")
    whole_release = set(clone.git("show", "v1.3.0:dvc.lock").split()) & names(team.remote)
    clone.graft(*CLEAN)
    for place in (team.cache, team.remote):
        assert [name for name, objects in kept.items() if not objects <= names(place)] == []
        assert whole_release <= names(place)


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "not-locked"])
def test_a_worktree_that_is_not_mounted_keeps_its_commit_and_stops_gc_where_it_is_locked(
    team: Team, tmp_path: Path, locked: bool
) -> None:
    clone, folder = team.clone, tmp_path / "worktree"
    clone.git("worktree", "add", "-q", "--detach", str(folder))
    there = type(clone)(folder)
    kept = team.opened(there, "worktree", at=team.cache)
    there.git("add", "--force", "data", "models.lock")
    there.git("commit", "-q", "-m", "Opened")
    if locked:
        clone.git("worktree", "lock", str(folder))
    moved(folder)
    said = clone.graft(*CLEAN, code=1 if locked else 0)
    assert kept <= names(team.cache)
    assert not locked or "locked worktrees that are not here" in said


@pytest.mark.parametrize("tag", ["gone", "lightweight", "moved"])
def test_parent_is_an_ancestor_by_its_commit(team: Team, tag: str) -> None:
    clone = team.clone
    parent = clone.git("rev-parse", "v1.3.0^{commit}")
    raw = clone.git("show", "v1.3.0:data/increments/drop-00003/raw.dvc").split()[3]
    state = {path: {"md5": team.md5("v1.3.0", path)} for path in outputs.STATE}
    merged = team.md5("v1.3.0", "models/merged")
    team.opened(clone, "next")
    lock = json.loads(clone.read("models.lock")) | {"parent": {"release": "v1.3.0", "commit": parent, "state": state}}
    (clone.path / "models.lock").write_text(json.dumps(lock))
    clone.git("tag", "-d", "v1.3.0")
    if tag != "gone":
        options = ["-a", "-m", "moved", "v1.3.0", "v1.0.0^{}"] if tag == "moved" else ["v1.3.0", parent]
        clone.git("tag", *options)
    clone.git("remote", "remove", "origin")
    clone.commit("Opened")
    clone.git("checkout", "-q", "--orphan", "alone")  # no ref but main stands on it
    clone.commit("Alone")
    clone.git("branch", "-q", "-D", "main")
    clone.graft("gc", "--keep", "1", "--apply")
    assert {raw, merged} <= names(team.cache), "of a release that is tagged elsewhere all stays"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        pytest.param("newer", "v1.3.0:models.lock: $.version: 99 is newer", id="newer-format-tag"),
        pytest.param("unreadable", "reports/decision.json", id="unreadable-tag"),
        pytest.param("parent", "its parent v1.1.0 is no release here", id="parent-gone"),
        pytest.param("anchor", "its anchor v1.1.0 is no release here", id="anchor-gone"),
    ],
)
def test_what_is_not_known_here_stops_it(team: Team, harm: str, words: str) -> None:
    clone = team.clone
    clone.git("remote", "remove", "origin")
    lock = json.loads(clone.read("models.lock"))
    if harm in ("newer", "unreadable"):
        broken = {
            "newer": ("models.lock", json.dumps(lock | {"version": 99})),
            "unreadable": ("reports/decision.json", "{"),
        }
        path, text = broken[harm]
        clone.git("checkout", "-q", "--detach")
        (clone.path / path).write_text(text)
        clone.commit("Of another Graft")
        clone.git("tag", "--force", "-a", "-m", "v1.3.0", "v1.3.0")
        clone.git("checkout", "-q", "main")
    else:
        if harm == "anchor":
            state = {path: lock["parent"]["state"][path] for path in outputs.ANCHOR}
            lock["anchor"] = {"release": "v1.1.0", "state": state}
            (clone.path / "models.lock").write_text(json.dumps(lock))
        clone.git("tag", "-d", "v1.1.0")
    before = names(team.cache)
    said = clone.graft("gc", "--keep", "1", "--apply", code=1)
    assert words in said
    assert "help:" in said
    assert names(team.cache) == before


def test_objects_that_no_commit_here_named_stay_unless_foreign(team: Team) -> None:
    clone = team.clone
    other = team.opened(team.colleague("other"), "other-project")
    garbage = json.loads(clone.graft(*CLEAN, "--json"))["remote"]
    assert garbage["objects"] > 0
    assert garbage["foreign"]["objects"] == len(other)
    assert other <= names(team.remote)
    clone.graft(*CLEAN, "--foreign")
    assert other <= names(team.remote), "younger than 14 days"
    clone.graft(*CLEAN, "--foreign", "--grace", "0")
    assert not other & names(team.remote)


def test_open_candidate_of_a_clone_that_shares_the_cache_stays(team: Team, tmp_path: Path) -> None:
    clone, shared = team.clone, tmp_path / "shared"
    team.cache.rename(shared)
    for each in (clone, team.colleague("second")):
        with (each.path / ".dvc/config.local").open("a") as file:
            file.write(f"[cache]\n    dir = {shared}\n")
    theirs = team.opened(each, "theirs", at=shared)
    gone = set(clone.git("show", "v1.1.0:dvc.lock").split()) & names(shared)
    clone.graft("gc", "--keep", "1", "--apply")
    assert theirs <= names(shared)
    assert not gone <= names(shared)


@pytest.mark.parametrize("is_there", [False, True], ids=["no-folder", "empty-folder"])
def test_remote_that_is_not_mounted_is_no_empty_remote(team: Team, is_there: bool) -> None:
    moved(team.remote)
    if is_there:
        team.remote.mkdir()
    before = names(team.cache)
    assert "is it mounted?" in team.clone.graft(*CLEAN, code=1)
    assert team.remote.exists() == is_there
    assert names(team.cache) == before
