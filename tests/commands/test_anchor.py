"""The anchor: a release that people pin in params.yaml, resolved by hash, brought, verified, kept."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.chain.commits import outputs
from pipeline.chain.history import releases
from pipeline.chain.lock import lockfile
from pipeline.chain.verify import manifest_check
from pipeline.common import files
from tests.commands.test_adopt import edit_params
from tests.conftest import ENVIRONMENT, Chain, Clone, samples
from tests.whole.test_chain import manifest, tree_hashes

KEEP = """
import sys
from dataclasses import replace
from pathlib import Path
from pipeline.chain.lock import lockfile; from pipeline.chain.commits import outputs
from pipeline.chain.store.objects import Store
lock, store = lockfile.load(), Store()
Path("folder").mkdir()
Path("folder/a").write_text("an adapter that nothing else names")
Path("file").write_text("a file that nothing else names")
state = {path: {"md5": store.save(Path("folder" if path == "models/adapter" else "file"))} for path in outputs.ANCHOR}
lockfile.save(replace(lock, anchor=lockfile.Anchor(release="v1.0.0", state=state)))
print(*sorted({output["md5"] for output in state.values()}))
"""


def pinned(clone: Clone) -> dict[str, Any] | None:
    anchor: dict[str, Any] | None = json.loads(clone.read("models.lock"))["anchor"]
    return anchor


@pytest.fixture
def clone(chain: Chain, tmp_path: Path) -> Clone:
    """A fresh clone with nothing pulled."""
    return chain.clone(tmp_path / "clone")


def test_anchor_is_resolved_by_hash_and_brought_verified(chain: Chain, clone: Clone) -> None:
    edit_params(clone, anchor="v1.0.0")
    assert "gate.anchor: locked none, asked v1.0.0" in clone.graft("lock", "--check", code=1)
    said = clone.dvc("repro", "parent", code=255)
    assert "gate.anchor: params.yaml asks for v1.0.0, models.lock holds none" in said
    assert "anchor: none -> v1.0.0" in clone.graft("lock")
    anchor, released = pinned(clone), clone.git("show", "v1.0.0:dvc.lock")
    assert anchor is not None
    assert set(anchor) == {"release", "state"}
    assert sorted(anchor["state"]) == sorted(outputs.ANCHOR)
    for path, output in anchor["state"].items():
        assert f"path: {path}\n      hash: md5\n      md5: {output['md5']}" in released
    plan = json.loads(clone.graft("plan", "--json"))
    assert (plan["anchor"], plan["environment"]) == ("v1.0.0", [])
    assert {"parent", "evaluate", "gate"} <= set(plan["stages"])
    assert "anchor: v1.0.0, 3 outputs verified" in clone.dvc("repro", "parent")  # with an empty cache
    names = {path: "/".join(Path(path).parts[1:]) for path in manifest(clone, "v1.0.0")}
    expected = {
        f"models/anchor/{names[path].removeprefix('assembled/')}": digest["sha256"]
        for path, digest in manifest(clone, "v1.0.0").items()
        if outputs.below(path, outputs.ANCHOR)
    }
    assert tree_hashes(clone, "models/anchor") == expected
    edit_params(clone, anchor="null")
    assert "anchor: v1.0.0 -> none" in clone.graft("lock")
    assert pinned(clone) is None


def test_without_an_anchor_the_folder_says_so(chain: Chain) -> None:
    assert list(tree_hashes(chain.work, "models/anchor")) == ["models/anchor/NONE"]


def test_add_resolves_the_anchor_and_keeps_it(clone: Clone) -> None:
    edit_params(clone, anchor="v1.0.0")
    assert "anchor: v1.0.0" in clone.graft("add", "2026-04-more", *samples("2026-03-shuffled"))
    anchor = pinned(clone)
    assert anchor is not None
    clone.git("tag", "-d", "v1.0.0")  # by hash: what is pinned needs no tag any more
    assert "nothing changed" in clone.graft("lock")
    clone.graft("add", "2026-04-more", *samples("2026-02-spring"))
    assert pinned(clone) == anchor
    clone.git("fetch", "-q", "origin", "tag", "v1.0.0")
    (clone.path / "withdrawn.json").write_text('{"v1.0.0": "wrong labels"}\n')
    assert "gate.anchor: v1.0.0 was withdrawn" in clone.graft("lock", "--check", code=1)
    assert "the anchor v1.0.0 was withdrawn" in clone.graft("release", code=1)
    edit_params(clone, anchor="v1.1.0")
    assert "anchor: v1.0.0 -> v1.1.0" in clone.graft("lock", "--parent", "latest")
    assert (pinned(clone) or {})["release"] == "v1.1.0"


def test_hash_that_is_not_the_releases_is_named(clone: Clone) -> None:
    edit_params(clone, anchor="v1.0.0")
    clone.graft("lock")
    lock = json.loads(clone.read("models.lock"))
    lock["anchor"]["state"]["models/adapter"]["md5"] = f"{'0' * 32}.dir"
    files.write_json(clone.path / "models.lock", lock)
    said = clone.graft("lock", "--check", code=1)
    assert f"anchor: models/adapter: locked {'0' * 32}.dir, v1.0.0 has" in said
    clone.graft("lock")
    assert "0" * 32 not in clone.read("models.lock")


def refused(clone: Clone) -> str:
    """What `graft add` and `graft lock` say alike of a bad anchor; nothing is left behind."""
    clone.git("commit", "-qam", "Pin an anchor")
    said = clone.graft("lock", code=1)
    assert clone.graft("add", "2026-04-more", *samples("2026-03-shuffled"), code=1) == said
    assert clone.git("status", "--porcelain") == ""
    return said


@pytest.mark.parametrize(("tag", "why"), [("v9.0.0", "is no release"), ("v1.1.0", "was withdrawn: returns doubled")])
def test_anchor_that_nobody_can_stand_on_is_refused(clone: Clone, tag: str, why: str) -> None:
    clone.git("checkout", "-q", "-B", "main", "v1.0.0")
    (clone.path / "withdrawn.json").write_text('{"v1.1.0": "returns doubled"}\n')
    edit_params(clone, anchor=tag)
    assert f"gate.anchor: {tag} {why}" in refused(clone)


def test_tag_on_a_refused_candidate_is_no_anchor(chain: Chain, clone: Clone) -> None:
    clone.git("tag", "-a", "v1.2.0", "-m", "by hand", "origin/refused")
    edit_params(clone, anchor="v1.2.0")
    assert "gate.anchor: v1.2.0 is no release" in refused(clone)


def test_anchor_that_colleagues_could_not_bring_is_refused(clone: Clone, tmp_path: Path) -> None:
    clone.git("tag", "-a", "v1.2.0", "-m", "by hand", "v1.1.0^{commit}")
    edit_params(clone, anchor="v1.2.0")
    assert "it is a tag here and not on origin" in refused(clone)
    (tmp_path / "empty").mkdir()
    clone.stored_at(tmp_path / "empty")
    edit_params(clone, anchor="v1.0.0")
    said = refused(clone)
    assert "gate.anchor: v1.0.0 is not published: the remote lacks parts of its state" in said
    assert len([line for line in said.splitlines() if line.endswith(".dir")]) == 1


def test_anchor_on_another_base_is_refused(clone: Clone) -> None:
    lock = json.loads(clone.read("models.lock"))
    lock["base"]["resolved"]["sha256"]["model.safetensors"] = "0" * 64
    files.write_json(clone.path / "models.lock", lock)
    edit_params(clone, anchor="v1.0.0")
    said = clone.graft("add", "2026-04-more", *samples("2026-03-shuffled"), code=1)
    assert "gate.anchor: v1.0.0 was trained on another base" in said


def test_anchor_that_is_no_tag_is_refused_by_the_schema(clone: Clone) -> None:
    edit_params(clone, anchor="latest")
    assert "$.gate.anchor: 'latest' does not fit" in clone.graft("lock", code=1)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        pytest.param(0o444, "the cache holds corrupt bytes of v1.1.0", id="as-dvc-protects-it"),
        pytest.param(0o644, "models/anchor/labels.json: DVC's cache does not give it back", id="writable"),
    ],
)
def test_corrupt_byte_of_the_anchor_is_named(clone: Clone, mode: int, why: str) -> None:
    edit_params(clone, anchor="v1.1.0")
    clone.graft("lock")
    md5 = (pinned(clone) or {})["state"]["data/assembled/labels.json"]["md5"]
    victim = clone.path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    victim.parent.mkdir(parents=True)
    victim.write_text('["Toys"]')
    victim.chmod(mode)
    said = clone.dvc("repro", "parent", code=255)
    assert why in said
    assert "models/anchor/labels.json" in said


def test_manifest_must_hold_what_the_anchor_released(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(chain.work.path)
    commit, known = manifest_check.read("v1.1.0"), releases.all_releases()
    released = {
        path: digest
        for path, digest in manifest_check.read("v1.0.0").manifest.items()
        if outputs.below(path, outputs.ANCHOR)
    }
    here = {
        f"models/anchor/{'/'.join(Path(path).parts[1:]).removeprefix('assembled/')}": digest
        for path, digest in released.items()
    }
    anchor = lockfile.Anchor(release="v1.0.0", state={})
    good = replace(commit, manifest=commit.manifest | here, lock=replace(commit.lock, anchor=anchor))
    assert manifest_check.parentage(good, known) == []
    for path in here:
        wrong = replace(good, manifest=good.manifest | {path: {"size": 1, "sha256": "0" * 64}})
        [finding] = manifest_check.parentage(wrong, known)
        assert (finding.problem, finding.found) == ("wrong-anchor", "0" * 64)
    gone = replace(good, lock=replace(good.lock, anchor=replace(anchor, release="v7.0.0")))
    assert [finding.problem for finding in manifest_check.parentage(gone, known)] == ["missing"]


def test_manifest_must_hold_what_the_parent_released(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(chain.work.path)
    commit, known = manifest_check.read("v1.1.0"), releases.all_releases()
    assert manifest_check.parentage(commit, known) == []
    for name in ("predictions.json", "matrix.json", "labels.json", "reservoir.arrow", "slices/2026-01-winter.arrow"):
        path = f"models/parent/{name}"
        wrong = replace(commit, manifest=commit.manifest | {path: {"size": 1, "sha256": "0" * 64}})
        [finding] = manifest_check.parentage(wrong, known)
        assert (finding.problem, finding.found) == ("wrong-parent", "0" * 64)


@pytest.mark.parametrize("where", ["working-tree", "branch", "ancestor"])
def test_gc_keeps_what_the_anchor_of_a_kept_release_needs(chain: Chain, clone: Clone, where: str) -> None:
    clone.git("branch", "-q", "-r", "-D", "origin/refused")
    if where != "working-tree":
        clone.git("checkout", "-q", "-b", "old", "v1.0.0" if where == "ancestor" else "v1.1.0")
    md5s = clone.python(KEEP).split()
    for path in ("folder", "file"):
        shutil.rmtree(clone.path / path, ignore_errors=True)
    (clone.path / "file").unlink()
    if where == "branch":
        clone.commit("A candidate with an anchor")
        clone.git("checkout", "-q", "main")
    if where == "ancestor":  # v1.0.0 is not kept, v1.1.0 was trained on it
        clone.commit("v1.0.0 with an anchor")
        clone.git("tag", "-f", "-a", "v1.0.0", "-m", "again")
        clone.git("checkout", "-q", "main")
        clone.git("branch", "-q", "-D", "old")
    clone.graft("gc", "--keep", "1", "--apply")
    there = {p.parent.name + p.name for p in (clone.path / ".dvc/cache/files/md5").rglob("*") if p.is_file()}
    assert set(md5s) <= there
    assert len(there) == len(md5s) + 1  # and the folder's file; of the chain nothing was pulled


def test_release_of_an_older_graft_is_no_parent_no_anchor_and_no_side_of_a_diff(clone: Clone, tmp_path: Path) -> None:
    """Until then a release's predictions were reports/predictions.jsonl, and there was no matrix."""
    clone.git("checkout", "-q", "-B", "main", "v1.0.0")
    for name in ("dvc.yaml", "dvc.lock"):
        text = clone.read(name).replace("predictions.json", "predictions.jsonl").replace("matrix.json", "other.json")
        (clone.path / name).write_text(text)
    clone.commit("As an older Graft left it")
    for tag in ("v1.0.0", "v1.1.0"):
        clone.git("tag", "-d", tag)
    clone.git("tag", "-a", "v1.0.0", "-m", "by an older Graft")
    clone.git("remote", "remove", "origin")
    older = "v1.0.0 was released by an older Graft"
    assert f"{older}: its state lacks" in clone.graft("add", "2026-04-more", *samples("2026-03-shuffled"), code=1)
    edit_params(clone, anchor="v1.0.0")
    assert f"{older}: its state lacks reports/predictions.json" in clone.graft("lock", code=1)
    assert f"{older}: it has no reports/predictions.json" in clone.graft("diff", "v1.0.0", "v1.0.0", code=1)


def test_depth_1_clone_brings_the_anchor(chain: Chain, tmp_path: Path) -> None:
    """A colleague pinned it on a branch; the runner has neither history nor tags, and an empty cache."""
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "-q", "--bare", chain.origin, origin], check=True, env=ENVIRONMENT)
    colleague = chain.clone(tmp_path / "colleague")
    colleague.git("remote", "set-url", "origin", str(origin))
    edit_params(colleague, anchor="v1.0.0")
    colleague.graft("lock")
    colleague.commit("Pin v1.0.0")
    colleague.git("push", "-q", "origin", "HEAD:refs/heads/pinned")
    command = ["git", "clone", "-q", "--depth", "1", "--no-tags", "--branch", "pinned", origin.as_uri()]
    subprocess.run([*command, tmp_path / "runner"], check=True, env=ENVIRONMENT)
    runner = Clone(tmp_path / "runner")
    runner.stored_at(chain.storage)
    assert "anchor: v1.0.0, 3 outputs verified" in runner.dvc("repro", "parent")
    assert "nothing changed" in runner.graft("lock")
