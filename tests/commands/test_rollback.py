"""graft rollback: history moves forward, and nothing is lost on the way."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone, some
from tests.whole.test_chain import manifest, tree_hashes


@pytest.fixture
def clone(chain: Chain, tmp_path: Path) -> Clone:
    return chain.pulled(tmp_path / "clone")


def test_rollback_is_a_new_commit_with_the_releases_bytes(clone: Clone) -> None:
    before = clone.git("rev-parse", "HEAD")
    clone.graft("rollback", "v1.0.0", "--why", "returns doubled")
    released = {path: digest["sha256"] for path, digest in manifest(clone, "v1.0.0").items() if "merged" in path}
    assert tree_hashes(clone, "models/merged") == released
    assert clone.git("rev-parse", "HEAD^") == before
    assert "returns doubled" in clone.git("log", "-1", "--format=%B")
    assert "Running stage" not in clone.dvc("repro")
    assert clone.dvc("status").strip() == "Data and pipelines are up to date."
    assert clone.git("status", "--porcelain") == ""
    assert "every SHA-256 as released" in clone.graft("verify", "v1.0.0")


def test_withdrawn_release_stays_in_the_log(clone: Clone) -> None:
    clone.graft("rollback", "v1.0.0")
    rows = {row["version"]: row["status"] for row in json.loads(clone.graft("log", "--json"))}
    assert rows == {"v1.1.0": "withdrawn", "v1.0.0": "here"}


def test_documents_stay_and_code_goes_back(clone: Clone) -> None:
    (clone.path / "docs/new.md").write_text("new")
    (clone.path / "pipeline/new.py").write_text('"""New."""\n')
    clone.commit("Newer code and documents")
    clone.graft("rollback", "v1.0.0")
    assert (clone.path / "docs/new.md").exists()
    assert not (clone.path / "pipeline/new.py").exists()


def test_git_revert_of_a_rollback_does_no_harm(clone: Clone) -> None:
    clone.graft("rollback", "v1.0.0")
    clone.git("revert", "--no-edit", "HEAD")
    clone.dvc("checkout", "-q")
    assert "every SHA-256 as released" in clone.graft("verify", "v1.1.0")
    rows = {row["version"]: row["status"] for row in json.loads(clone.graft("log", "--json"))}
    assert rows == {"v1.1.0": "here", "v1.0.0": "released"}


def test_next_increment_continues_from_the_rolled_back_release(clone: Clone, tmp_path: Path) -> None:
    clone.graft("rollback", "v1.0.0")
    drop = tmp_path / "drop.csv"
    drop.write_text("title,category\n" + "".join(f"red lamp {n},Lamps\nblue kettle {n},Kettles\n" for n in range(30)))
    assert "parent: v1.0.0" in clone.graft("add", "2026-04-lamps", str(drop))


def test_uncommitted_changes_are_never_overwritten(clone: Clone) -> None:
    (clone.path / "params.yaml").write_text("mine")
    assert "params.yaml" in clone.graft("rollback", "v1.0.0", code=1)
    assert clone.read("params.yaml") == "mine"


def test_cold_cache_without_remote_changes_nothing(chain: Chain, clone: Clone) -> None:
    live = tree_hashes(clone, "models/merged")
    shutil.rmtree(clone.path / ".dvc/cache")
    clone.stored_at(clone.path.parent / "nowhere")
    said = clone.graft("rollback", "v1.0.0", code=1)
    assert "is it mounted?" in said
    assert not (clone.path.parent / "nowhere").exists()
    assert tree_hashes(clone, "models/merged") == live
    assert clone.git("status", "--porcelain") == ""


def state(clone: Clone) -> tuple[str, ...]:
    """What a command that fails must leave as it was; modes, sizes and bytes of the outputs included."""
    hashes = sorted(tree_hashes(clone, "models/merged").items())
    return clone.git("status", "--porcelain"), clone.git("rev-parse", "HEAD"), clone.git("tag"), str(hashes)


def test_file_that_nothing_else_holds_is_not_deleted(clone: Clone) -> None:
    notes = clone.path / "models/merged/notes.txt"
    notes.write_text("mine")
    before = state(clone)
    said = clone.graft("rollback", "v1.0.0", code=1)
    assert "models/merged/notes.txt" in said
    assert "help:" in said
    assert state(clone) == before
    assert "foreign: models/merged/notes.txt in workspace" in clone.graft("verify", code=1)


def test_rollback_that_fails_on_its_way_is_undone(clone: Clone) -> None:
    before = state(clone)
    (clone.path / ".git/hooks/prepare-commit-msg").write_text("#!/bin/sh\nexit 1\n")  # --no-verify does not skip it
    (clone.path / ".git/hooks/prepare-commit-msg").chmod(0o755)
    assert "not rolled back, all is as before" in clone.graft("rollback", "v1.0.0", code=1)
    assert state(clone) == before
    assert clone.dvc("status").strip() == "Data and pipelines are up to date."


def test_tagged_rollback_looks_at_the_remote_before_it_commits(chain: Chain, published: Clone, tmp_path: Path) -> None:
    published.git("checkout", "-q", "v1.0.0")
    published.dvc("fetch", "-q")
    published.git("checkout", "-q", "main")
    shutil.copytree(chain.storage, tmp_path / "storage")
    published.stored_at(tmp_path / "storage")
    lost = published.git("show", "v1.0.0:dvc.lock").split("path: models/adapter\n")[1].split()[3]
    (tmp_path / "storage/files/md5" / lost[:2] / lost[2:]).unlink()
    before = state(published)
    assert lost in published.graft("rollback", "v1.0.0", "--tag", code=1)
    assert state(published) == before


def test_unknown_release_lists_those_that_exist(clone: Clone) -> None:
    assert "known: v1.0.0, v1.1.0" in clone.graft("rollback", "v3.0.0", code=1)


def test_already_there_says_so(clone: Clone) -> None:
    assert "the tree holds v1.1.0 already" in clone.graft("rollback", "v1.1.0", code=1)


@pytest.mark.parametrize("step", some(("verified", "switched", "committed"), quick=["switched"]))
def test_rollback_killed_after_a_step_can_be_run_again(clone: Clone, step: str) -> None:
    clone.killed_at(step, "rollback", "v1.0.0")
    if clone.git("log", "-1", "--format=%s") != "Roll back to v1.0.0":
        clone.graft("rollback", "v1.0.0")
    assert "every SHA-256 as released" in clone.graft("verify", "v1.0.0")
    assert clone.git("status", "--porcelain") == ""
    assert clone.git("log", "-1", "--format=%s") == "Roll back to v1.0.0"


@pytest.fixture
def published(chain: Chain, tmp_path: Path) -> Clone:
    """A clone with an origin of its own."""
    clone = chain.pulled(tmp_path / "published")
    clone.git("clone", "-q", "--bare", ".", str(tmp_path / "origin.git"))
    clone.git("remote", "set-url", "origin", str(tmp_path / "origin.git"))
    return clone


def test_tagged_rollback_is_a_patch_version_of_the_same_bytes(published: Clone) -> None:
    said = published.graft("rollback", "v1.0.0", "--why", "returns doubled", "--tag", "--push")
    assert "tagged: v1.1.1, the same bytes as v1.0.0" in said
    assert published.git("show", "v1.1.1:reports/manifest.json") == published.git(
        "show", "v1.0.0:reports/manifest.json"
    )
    assert "refs/tags/v1.1.1" in published.git("ls-remote", "--tags", "origin")
    assert "every SHA-256 as released" in published.graft("verify", "v1.1.1", "--remote")
    rows = {row["version"]: row for row in json.loads(published.graft("log", "--json"))}
    assert (rows["v1.1.1"]["status"], rows["v1.1.0"]["status"]) == ("here", "withdrawn")
    assert "the tree holds v1.0.0 already" in published.graft("rollback", "v1.0.0", code=1)
    assert "holds these bytes already" in published.graft("rollback", "v1.0.0", "--tag", code=1)


def test_next_increment_stands_on_the_rollbacks_tag(published: Clone, tmp_path: Path) -> None:
    published.graft("rollback", "v1.0.0", "--tag")
    drop = tmp_path / "drop.csv"
    drop.write_text("title,category\n" + "".join(f"red lamp {n},Lamps\nblue kettle {n},Kettles\n" for n in range(30)))
    assert "parent: v1.1.1" in published.graft("add", "2026-04-lamps", str(drop))


def test_withdrawn_increment_may_come_again_mended(published: Clone) -> None:
    published.graft("rollback", "v1.0.0")
    rows = published.read("examples/increments/2026-02-spring/products.jsonl").splitlines(keepends=True)
    (published.path / "part.jsonl").write_text("".join(rows[: len(rows) // 2]))
    said = published.graft("add", "2026-02-spring", "part.jsonl", "--replace")
    assert "parent: v1.0.0" in said
    plan = json.loads(published.graft("plan", "--json"))
    assert plan["data"]["new"] > 100


@pytest.mark.parametrize("step", ["committed", "tagged"])
def test_tagged_rollback_killed_after_a_step_can_be_run_again(published: Clone, step: str) -> None:
    published.killed_at(step, "rollback", "v1.0.0", "--tag", "--push")
    if "v1.1.1" not in published.git("ls-remote", "--tags", "origin"):
        published.graft("rollback", "v1.0.0", "--tag", "--push")
    assert "refs/tags/v1.1.1" in published.git("ls-remote", "--tags", "origin")
    assert published.git("tag").split() == ["v1.0.0", "v1.1.0", "v1.1.1"]


def test_tagged_rollback_off_the_default_branch_does_nothing(published: Clone) -> None:
    published.git("checkout", "-q", "--detach")
    before = published.git("rev-parse", "HEAD")
    assert "HEAD is detached, and releases are tagged on main" in published.graft("rollback", "v1.0.0", "--tag", code=1)
    assert published.git("rev-parse", "HEAD") == before
    assert "HEAD is detached: no branch holds this commit" in published.graft("rollback", "v1.0.0")
