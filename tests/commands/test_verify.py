"""graft verify: missing, corrupt and wrong are told apart, with path, expected and found."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone

MODEL = "models/merged/model-adapted-00001-of-00001.safetensors"


@pytest.fixture
def clone(chain: Chain, tmp_path: Path) -> Clone:
    """A pulled clone with a cache and a remote of its own, so that bytes in them can be spoiled."""
    made = chain.pulled(tmp_path / "clone")
    shutil.copytree(chain.storage, tmp_path / "storage")
    made.stored_at(tmp_path / "storage")
    return made


def expected(clone: Clone, path: str = MODEL) -> str:
    return str(json.loads(clone.read("reports/manifest.json"))["outputs"][path]["sha256"])


def spoil(path: Path) -> str:
    """Change one byte in a file of its own (no link to it changes); returns the new SHA-256."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(bytes(content))
    return hashlib.sha256(content).hexdigest()


def stored(root: Path, content: Path) -> Path:
    name = hashlib.md5(content.read_bytes()).hexdigest()  # noqa: S324
    return root / "files/md5" / name[:2] / name[2:]


def test_intact_release_passes_everywhere(clone: Clone) -> None:
    assert "every SHA-256 as released (git, cache and remote)" in clone.graft("verify", "v1.1.0", "--remote")


def test_corrupt_byte_in_the_workspace_is_named(clone: Clone) -> None:
    found = spoil(clone.path / MODEL)
    said = clone.graft("verify", code=1)
    assert f"corrupt: {MODEL} in workspace: expected {expected(clone)}, found {found}" in said


def test_corrupt_byte_in_the_cache_is_named(clone: Clone) -> None:
    found = spoil(stored(clone.path / ".dvc/cache", clone.path / MODEL))
    said = clone.graft("verify", "v1.1.0", code=1)
    assert f"corrupt: {MODEL} in cache: expected sha256 {expected(clone)}, found sha256 {found}" in said


def test_corrupt_byte_in_the_remote_is_named(clone: Clone, tmp_path: Path) -> None:
    found = spoil(stored(tmp_path / "storage", clone.path / MODEL))
    clone.graft("verify", "v1.1.0")
    said = clone.graft("verify", "v1.1.0", "--remote", code=1)
    assert f"corrupt: {MODEL} in remote: expected sha256 {expected(clone)}, found sha256 {found}" in said


def test_missing_file_is_missing_and_not_corrupt(clone: Clone, tmp_path: Path) -> None:
    stored(tmp_path / "storage", clone.path / MODEL).unlink()
    said = clone.graft("verify", "v1.1.0", "--remote", code=1)
    assert f"missing: {MODEL} in remote" in said
    assert "corrupt" not in said


def test_corrupt_folder_listing_is_named(clone: Clone, tmp_path: Path) -> None:
    for listing in (tmp_path / "storage/files/md5").rglob("*.dir"):
        spoil(listing)
    assert "in remote" in clone.graft("verify", "v1.1.0", "--remote", code=1)


def test_manifest_of_other_bytes_is_wrong_and_not_corrupt(clone: Clone) -> None:
    path = clone.path / "reports/manifest.json"
    path.write_text(path.read_text().replace(expected(clone), "0" * 64))
    clone.commit("A manifest that lies")
    said = clone.graft("verify", "HEAD", code=1)
    assert f"wrong: {MODEL} in cache: expected {'0' * 64}" in said


def test_report_in_git_that_was_edited_is_wrong(clone: Clone) -> None:
    path = clone.path / "reports/metrics.json"
    path.write_text(path.read_text().replace("0.9", "0.8", 1))
    clone.commit("Better numbers")
    assert "wrong: reports/metrics.json in git" in clone.graft("verify", "HEAD", code=1)


def test_other_adapter_in_place_of_the_parents_is_wrong_parent(clone: Clone) -> None:
    path = clone.path / "reports/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["outputs"]["models/parent/adapter/adapter_model.safetensors"]["sha256"] = "1" * 64
    path.write_text(json.dumps(manifest))
    clone.commit("Another parent")
    assert "wrong-parent: models/adapter/adapter_model.safetensors" in clone.graft("verify", "HEAD", code=1)


def test_findings_as_json(clone: Clone) -> None:
    spoil(clone.path / MODEL)
    findings = json.loads(clone.graft("verify", "--json", code=1))["findings"]
    assert [(finding["path"], finding["problem"], finding["place"]) for finding in findings] == [
        (MODEL, "corrupt", "workspace")
    ]


def test_revision_that_does_not_exist_is_one_clear_error(clone: Clone) -> None:
    assert "v9.9.9" in clone.graft("verify", "v9.9.9", code=1)


def test_entry_taken_out_of_the_manifest_is_noticed(clone: Clone) -> None:
    path = clone.path / "reports/manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["outputs"][MODEL]
    manifest["outputs"]["models/ghost.bin"] = {"size": 1, "sha256": "0" * 64}
    path.write_text(json.dumps(manifest))
    clone.commit("A shorter list")
    said = clone.graft("verify", "HEAD", code=1)
    assert f"wrong: {MODEL} in git" in said
    assert "wrong: models/ghost.bin in git" in said
    assert "wrong: reports/manifest.json in git" in said


def test_spoiled_data_and_base_in_the_workspace_are_named(clone: Clone) -> None:
    raw = next((clone.path / "data/increments/2026-02-spring/raw").iterdir())
    spoil(raw)
    spoil(clone.path / "examples/base/model.safetensors")
    said = clone.graft("verify", code=1)
    assert f"corrupt: data/increments/2026-02-spring/raw/{raw.name} in workspace" in said
    assert "corrupt: examples/base/model.safetensors in workspace" in said


@pytest.mark.slow  # tests/whole/test_chain.py trains the same bytes again
def test_rebuild_of_a_release_is_identical(clone: Clone) -> None:
    """One training: the second release, from the state that it stored of the first."""
    said = clone.graft("verify", "v1.1.0", "--rebuild")
    assert "rebuild: train" in said
    assert "v1.1.0: trained again: identical" in said
    assert not list((clone.path / ".graft").glob("rebuild-*"))


def test_rebuild_in_another_environment_is_refused_with_the_way_to_the_right_one(clone: Clone) -> None:
    lock = json.loads(clone.read("models.lock"))
    lock["toolchain"]["torch"] = "1.0.0"
    (clone.path / "models.lock").write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n")
    clone.commit("Another torch")
    said = clone.graft("verify", "HEAD", "--rebuild", code=1)
    assert "torch: locked 1.0.0, here 2.13.0" in said
    assert "make setup" in said


def test_edit_after_the_release_is_an_unreleased_change(clone: Clone) -> None:
    params = clone.read("params.yaml")
    (clone.path / "params.yaml").write_text(params.replace("continued_epochs: 0.375", "continued_epochs: 0.5"))
    said = clone.graft("verify", code=1)
    assert "unreleased-change: params.yaml in workspace: expected blob" in said
    assert "help: git restore" in said
    clone.commit("Edit")
    report = json.loads(clone.graft("verify", "HEAD", "--json", code=1))
    assert [(found["problem"], found["path"]) for found in report["findings"]] == [("unreleased-change", "params.yaml")]
    assert "every SHA-256 as released" in clone.graft("verify", "v1.1.0")


def test_upgrade_after_the_release_is_a_note_and_no_finding(clone: Clone) -> None:
    (clone.path / "pipeline/new.py").write_text('"""New."""\n')
    clone.commit("A newer Graft")
    assert "v1.1.0, upgraded since: 1 file of pipeline changed" in clone.graft("verify")


def test_revision_that_does_not_exist_is_named(clone: Clone) -> None:
    assert "v9.9.9: no such release or commit" in clone.graft("verify", "v9.9.9", code=1)


def test_fresh_clone_verifies_the_remote_and_needs_no_cache(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "fresh")
    assert "v1.1.0, v1.0.0: " in clone.graft("verify", "v1.1.0", "--remote", "--chain")
    clone.dvc("pull", "-q")
    assert "v1.1.0, v1.0.0: " in clone.graft("verify", "v1.1.0", "--remote", "--chain")
    assert "--remote looks into the remote" in clone.graft("verify", "v1.0.0", code=1)
