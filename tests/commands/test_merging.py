"""Two candidates of one parent: git stops, leaves no broken file, and one command settles it."""

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT, Chain, Clone, samples

WRITTEN = ("models.lock", "dvc.lock", ".dvcignore", "reports/manifest.json", "reports/report.md")


@pytest.fixture
def late(chain: Chain, tmp_path: Path) -> Clone:
    """A candidate on v1.0.0, committed on a branch, after main moved on to v1.1.0."""
    clone = chain.pulled(tmp_path / "late", "v1.0.0")
    clone.git("checkout", "-q", "-b", "autumn")
    (clone.path / ".git/info/attributes").write_text((ROOT / ".gitattributes").read_text())
    clone.graft("add", "2026-04-autumn", *samples("2026-03-shuffled"))
    for name in ("reports/report.md", "reports/manifest.json"):  # as a `dvc repro` would leave them
        (clone.path / name).write_text(clone.read(name).replace("0", "1"))
    (clone.path / "dvc.lock").write_text(clone.read("dvc.lock").replace("md5: 0", "md5: f"))
    clone.commit("Autumn titles")
    return clone


def stopped(clone: Clone, *command: str) -> None:
    clone.run("git", *command, code=1)
    for name in WRITTEN:
        assert "<<<<<<<" not in clone.read(name), name
    json.loads(clone.read("models.lock"))


def settled(clone: Clone) -> None:
    lock = json.loads(clone.read("models.lock"))
    assert (lock["parent"]["release"], lock["increment"]) == ("v1.1.0", "data/increments/2026-04-autumn")
    assert clone.read("dvc.lock").strip() == clone.git("show", "v1.1.0:dvc.lock")
    assert clone.read("reports/manifest.json").strip() == clone.git("show", "v1.1.0:reports/manifest.json")
    assert "!/data/increments/2026-04-autumn" in clone.read(".dvcignore")
    assert not clone.git("diff", "--name-only", "--diff-filter=U")
    assert "candidate: 2026-04-autumn on v1.1.0" in clone.graft("plan")


def test_merge_into_the_candidates_branch(late: Clone) -> None:
    stopped(late, "merge", "origin/main")
    said = late.graft("lock", "--parent", "latest")
    assert "parent: v1.0.0 -> v1.1.0" in said
    assert "to run again: parent, assemble, train" in said
    settled(late)
    late.git("commit", "-qam", "Autumn titles on v1.1.0")


def test_rebase_of_the_candidates_branch(late: Clone) -> None:
    stopped(late, "rebase", "origin/main")
    assert "git rebase --continue" in late.graft("lock", "--parent", "latest")
    settled(late)
    late.run("git", "rebase", "--continue", GIT_EDITOR="true")
    settled(late)


def test_merge_of_the_candidate_into_main(late: Clone) -> None:
    late.git("checkout", "-q", "main")
    stopped(late, "merge", "autumn")
    late.graft("lock", "--parent", "latest")
    settled(late)


def test_conflict_in_params_is_left_to_people(late: Clone) -> None:
    for branch, epochs in (("autumn", 3), ("main", 5)):
        late.git("checkout", "-q", branch)
        (late.path / "params.yaml").write_text(late.read("params.yaml").replace("epochs: 8", f"epochs: {epochs}"))
        late.commit(f"{epochs} epochs")
    late.git("checkout", "-q", "autumn")
    stopped(late, "merge", "main")
    said = late.graft("lock", "--parent", "latest", code=1)
    assert "these conflicts are yours to settle" in said
    assert "params.yaml" in said
    assert json.loads(late.read("models.lock"))["parent"]["release"] == "v1.1.0"


def test_two_releases_merged_have_no_candidate(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone", "v1.0.0")
    clone.git("checkout", "-q", "-b", "old")
    (clone.path / "params.yaml").write_text(clone.read("params.yaml").replace("epochs: 8", "epochs: 3"))
    clone.commit("3 epochs")
    clone.git("checkout", "-q", "main")
    (clone.path / "params.yaml").write_text(clone.read("params.yaml").replace("epochs: 8", "epochs: 5"))
    clone.commit("5 epochs")
    clone.run("git", "merge", "old", code=1)
    assert "neither side is an open candidate" in clone.graft("lock", "--parent", "latest", code=1)
