"""graft diff reads two releases from what they stored; graft gc never takes what a chain needs."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone


def test_diff_names_what_changed_between_two_releases(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "laptop")  # nothing pulled: predictions come from the remote
    found = json.loads(clone.graft("diff", "v1.0.0", "v1.1.0", "--json"))
    assert {change["name"] for change in found["lock"]} == {"increment", "parent"}
    assert found["params"] == []
    data = {change["name"]: change["after"] for change in found["data"]}
    assert data["increment"] == "2026-02-spring"
    assert data["replayed"] > 0
    slices = {row["name"]: row for row in found["slices"]}
    assert slices["2026-01-winter"]["items"] > 100
    for name, row in slices.items():
        assert row["metric"] == "accuracy"
        assert len([e for e in found["fixed"] if name in ("all", *e["slices"])]) == row["fixed"]
        assert len([e for e in found["broken"] if name in ("all", *e["slices"])]) == row["broken"]
    assert all(e["text"] and e["after"] == e["answer"] != e["before"] for e in found["fixed"])
    assert found["notes"] == []


def test_diff_agrees_with_the_metrics_of_both_releases(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "laptop")
    found = json.loads(clone.graft("diff", "--json"))  # HEAD against its parent
    metrics = json.loads(clone.git("show", "v1.1.0:reports/metrics.json"))
    for row in found["slices"]:
        measured = metrics["candidate"]["slices"].get(row["name"], metrics["candidate"]["all"])
        assert row["after"] == measured["accuracy"]
    assert "2026-01-winter" in clone.graft("diff")
    assert "| 2026-01-winter |" in clone.graft("diff", "--markdown")


def test_diff_of_the_first_release_says_that_there_is_no_parent(fresh: Clone) -> None:
    assert "no parent release" in fresh.graft("diff", code=1)


@pytest.fixture
def owner(chain: Chain, tmp_path: Path) -> Clone:
    """A clone that has pulled every release, with a remote of its own."""
    clone = chain.pulled(tmp_path / "owner", "v1.0.0")
    clone.git("checkout", "-q", "main")
    clone.dvc("pull", "-q")
    shutil.copytree(chain.storage, tmp_path / "storage")
    clone.stored_at(tmp_path / "storage")
    return clone


def objects(folder: Path) -> set[str]:
    return {path.parent.name + path.name for path in (folder / "files/md5").rglob("*") if path.is_file()}


def test_gc_without_apply_deletes_nothing(owner: Clone) -> None:
    before = objects(owner.path / ".dvc/cache")
    assert "nothing was deleted" in owner.graft("gc", "--keep", "1")
    assert objects(owner.path / ".dvc/cache") == before


def test_gc_keeps_everything_by_default(owner: Clone) -> None:
    counts = json.loads(owner.graft("gc", "--remote", "--json", "--apply"))
    assert counts["cache"]["objects"] == counts["remote"]["objects"] == 0
    assert "every SHA-256 as released" in owner.graft("verify", "v1.1.0", "--chain", "--remote")


def test_gc_drops_an_old_releases_weights_and_never_breaks_the_chain(owner: Clone, tmp_path: Path) -> None:
    released = json.loads(owner.git("show", "v1.0.0:reports/manifest.json"))["outputs"]
    merged = released["models/merged/model-adapted-00001-of-00001.safetensors"]
    said = json.loads(owner.graft("gc", "--keep", "1", "--remote", "--apply", "--json"))
    assert said["remote"]["bytes"] >= merged["size"]
    assert "every SHA-256 as released" in owner.graft("verify", "v1.1.0", "--remote")
    gone = owner.graft("verify", "v1.0.0", "--remote", code=1)
    assert "missing: models/merged" in gone
    assert "models/adapter" not in gone  # v1.1.0 was trained on it
    assert "2026-01-winter/raw" not in gone  # a refresh needs it
    assert "lineage.parquet" not in gone  # graft diff --record asks it
    owner.graft("add", "2026-refresh", "--full")
    refused = owner.graft("rollback", "v1.0.0", code=1)
    assert "uncommitted" in refused or "neither in the cache nor in the remote" in refused


def test_gc_stops_at_a_listing_that_it_cannot_read(owner: Clone, tmp_path: Path) -> None:
    for listing in (tmp_path / "storage/files/md5").rglob("*.dir"):  # whichever of them a kept release names
        listing.chmod(0o644)
        listing.write_text("spoiled")
    before = objects(tmp_path / "storage")
    assert "corrupt" in owner.graft("gc", "--keep", "1", "--remote", "--apply", code=1)
    assert objects(tmp_path / "storage") == before
