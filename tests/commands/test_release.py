"""graft release: what it refuses, that a refusal leaves no tag, and that a kill loses nothing."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CODE, ENVIRONMENT, GRAFT, Chain, Clone, some

STEPS = ("checked", "pushed", "read back", "tagged")


@pytest.fixture
def ready(chain: Chain, tmp_path: Path) -> Clone:
    """A clone whose v1.1.0 is released's commit with no tag and an empty remote: ready to be released."""
    clone = chain.pulled(tmp_path / "ready")
    own = tmp_path / "origin.git"
    clone.git("clone", "-q", "--bare", "--single-branch", ".", str(own))
    clone.git("remote", "set-url", "origin", str(own))
    subprocess.run(["git", "--git-dir", own, "tag", "-d", "v1.1.0"], check=True, capture_output=True)
    clone.git("tag", "-d", "v1.1.0")
    shutil.copytree(chain.storage, tmp_path / "storage")
    clone.stored_at(tmp_path / "storage")
    return clone


def test_release_sets_an_annotated_tag_and_makes_no_commit(ready: Clone) -> None:
    before = ready.git("rev-parse", "HEAD")
    said = ready.graft("release")
    assert [line.split(":")[0] for line in said.splitlines()][:4] == list(STEPS)
    assert ready.git("tag") == "v1.0.0\nv1.1.0"
    assert ready.git("rev-parse", "HEAD", "v1.1.0^{commit}").split() == [before, before]
    assert ready.git("status", "--porcelain") == ""


def test_release_names_first_what_was_made_easier_than_for_its_parent(ready: Clone) -> None:
    path = ready.path / "params.yaml"
    path.write_text(path.read_text().replace("at_least: 0.6", "at_least: 0.1"))
    ready.dvc("repro", "-q")
    ready.commit("A lower floor")
    first, second, third, *_ = ready.graft("release").splitlines()
    assert first == "Changed since v1.0.0: gate rules. By v1.0.0's rules the verdict is pass, too."
    assert second == "  gate.rules.all.accuracy.at_least: 0.6 → 0.1 (looser than v1.0.0's)"
    assert third.startswith("checked: ")
    by_tag = """
from pipeline.common import files
from pipeline.chain.verify import rule_changes
recorded = files.read_json(rule_changes.CHANGES)
files.write_json(rule_changes.CHANGES, recorded | {"recorded": False, "rules": [], "under_parent_rules": None})
print(rule_changes.judged() == recorded)
"""  # as of a parent that an older Graft released
    assert ready.python(by_tag) == "True\n"


@pytest.mark.parametrize(("asked", "tag"), [("major", "v2.0.0"), ("patch", "v1.0.1"), ("v1.4.2", "v1.4.2")])
def test_version_counts_from_the_highest_tag(ready: Clone, asked: str, tag: str) -> None:
    assert f"tagged: {tag}" in ready.graft("release", asked)


def refused(clone: Clone, *arguments: str) -> str:
    tags = clone.git("tag")
    said = clone.graft("release", *arguments, code=1)
    assert clone.git("tag") == tags
    return said


def test_dirty_tree_is_refused(ready: Clone) -> None:
    (ready.path / "README.md").write_text("changed")
    assert "uncommitted:  M README.md" in refused(ready)


def test_other_branch_is_refused(ready: Clone) -> None:
    ready.git("checkout", "-q", "-b", "topic")
    assert "releases are cut on main" in refused(ready)


def test_existing_tag_is_refused(ready: Clone) -> None:
    assert "tag v1.0.0 exists already" in refused(ready, "v1.0.0")


def test_version_that_is_none_is_refused(ready: Clone) -> None:
    assert "not a version" in refused(ready, "newest")


def test_stale_pipeline_is_refused(ready: Clone) -> None:
    params = ready.path / "params.yaml"
    params.write_text(params.read_text().replace("continued_epochs: 0.375", "continued_epochs: 0.5"))
    ready.commit("Edit without repro")
    said = refused(ready)
    assert "not up to date" in said
    assert "params.yaml:train.continued_epochs modified: 0.375, now 0.5 (train)" in said


def test_changed_output_is_refused(ready: Clone) -> None:
    path = ready.path / "models/merged/config.json"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content + b" ")
    assert "not up to date" in refused(ready)


def test_missing_remote_is_refused_with_the_commands_that_add_one(ready: Clone) -> None:
    (ready.path / ".dvc/config.local").unlink()
    ready.dvc("remote", "remove", "storage")
    ready.commit("No remote any more")
    said = refused(ready)
    assert "dvc remote add --default" in said
    assert "git commit" in said


def test_unreachable_remote_is_refused(ready: Clone) -> None:
    ready.dvc("remote", "modify", "--local", "storage", "url", "/proc/1/no/such/place")
    assert "remote 'storage'" in refused(ready)


def test_moved_origin_is_refused(ready: Clone, tmp_path: Path) -> None:
    url = ready.git("remote", "get-url", "origin")
    subprocess.run(["git", "clone", "-q", url, tmp_path / "colleague"], check=True)
    colleague = Clone(tmp_path / "colleague")
    colleague.commit("Meanwhile")
    colleague.git("push", "-q", "origin", "main")
    assert "has moved on" in refused(ready)


def test_released_tree_has_nothing_new(chain: Chain, tmp_path: Path) -> None:
    assert "nothing new: the tree holds v1.1.0" in refused(chain.pulled(tmp_path / "clone"))


@pytest.mark.parametrize("is_there", [False, True], ids=["no-folder", "empty-folder"])
def test_remote_that_is_not_mounted_is_not_made(ready: Clone, tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "mount"
    if is_there:
        folder.mkdir()
    ready.stored_at(folder)
    assert "is it mounted?" in refused(ready)
    assert list(folder.parent.glob("mount/*")) == []
    assert folder.exists() == is_there


def merged_object(clone: Clone, storage: Path) -> Path:
    """Where a remote holds the weights that training changed."""
    path = clone.path / "models/merged/model-adapted-00001-of-00001.safetensors"
    name = hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
    return storage / "files/md5" / name[:2] / name[2:]


def test_object_that_the_remote_lost_is_pushed_again(ready: Clone, tmp_path: Path) -> None:
    merged_object(ready, tmp_path / "storage").unlink()
    assert "pushed: 1 new object " in ready.graft("release")


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_object_that_the_remote_corrupted_stops_the_release(ready: Clone, tmp_path: Path, mode: int) -> None:
    victim = merged_object(ready, tmp_path / "storage")
    content = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(b"x" + content[1:])
    victim.chmod(mode)
    said = refused(ready)
    assert victim.parent.name + victim.name in said
    assert "gives back other bytes" in said
    assert victim.exists()


def test_a_damaged_object_of_the_cache_never_replaces_the_right_one_of_the_remote(ready: Clone, tmp_path: Path) -> None:
    content = (ready.path / "models/parent/predictions.json").read_bytes()  # of v1.0.0, which the remote holds
    name = hashlib.md5(content).hexdigest()  # noqa: S324
    held = tmp_path / "storage/files/md5" / name[:2] / name[2:]
    damaged = ready.path / ".dvc/cache/files/md5" / name[:2] / name[2:]
    damaged.unlink()
    damaged.write_bytes(content[:1000])
    damaged.chmod(0o444)
    for _ in range(2):
        said = refused(ready)
        assert "DVC's cache holds other bytes than it recorded; nothing was pushed" in said
        assert f"{name}: found md5 " in said
        assert held.read_bytes() == content


def test_a_candidate_compared_with_other_bytes_than_its_parents_is_refused(ready: Clone) -> None:
    path = ready.path / "reports/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["outputs"]["models/parent/predictions.json"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    ready.dvc("commit", "--force", "manifest")
    ready.commit("Forged")
    said = refused(ready)
    assert "not released: what it was compared with is not what that release released" in said
    assert "wrong-parent" in said
    assert "--single-item parent" in said


@pytest.mark.parametrize("step", some(STEPS, quick=("pushed", "tagged")))
def test_release_killed_after_a_step_can_be_run_again(ready: Clone, step: str) -> None:
    ready.killed_at(step, "release")
    if "v1.1.0" in ready.git("tag"):
        assert "nothing new: the tree holds v1.1.0" in refused(ready)
    else:
        ready.graft("release")
    assert "every SHA-256 as released" in ready.graft("verify", "v1.1.0", "--remote")
    assert ready.git("status", "--porcelain") == ""


def test_tag_and_branch_are_pushed_together_or_not_at_all(ready: Clone) -> None:
    ready.graft("release", "--push")
    assert "refs/tags/v1.1.0" in ready.git("ls-remote", "--tags", "origin")
    assert ready.git("rev-parse", "origin/main") == ready.git("rev-parse", "HEAD")


def test_tag_set_by_hand_is_a_release(ready: Clone) -> None:
    ready.dvc("push", "-q")
    ready.git("tag", "-a", "v1.1.0", "-m", "by hand")
    assert "v1.1.0" in ready.graft("log")
    assert "every SHA-256 as released" in ready.graft("verify", "v1.1.0", "--remote")
    assert "nothing new: the tree holds v1.1.0" in refused(ready)


def test_pre_push_hook_lets_only_releases_leave(chain: Chain, ready: Clone) -> None:
    zero = "0" * 40

    def hook(tag: str, code: int) -> str:
        oid = ready.git("rev-parse", tag)
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.prepush"],
            input=f"refs/tags/{tag} {oid} refs/tags/{tag} {zero}\n",
            cwd=ready.path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stderr

    ready.git("tag", "-a", "v1.1.0", "-m", "by hand")
    assert "outputs in the remote" in hook("v1.1.0", 0)
    ready.git("tag", "v1.2.0")
    assert "lightweight" in hook("v1.2.0", 1)
    ready.git("fetch", "-q", str(chain.origin), "refused")
    ready.git("tag", "-a", "v1.3.0", "-m", "refused", "FETCH_HEAD")
    assert "refused, not pass" in hook("v1.3.0", 1)


def test_push_that_origin_refuses_leaves_no_tag_and_can_be_repeated(ready: Clone) -> None:
    hook = Path(ready.git("remote", "get-url", "origin"), "hooks/pre-receive")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert "the tag is gone again" in refused(ready, "--push")
    hook.unlink()
    assert "published: v1.1.0" in ready.graft("release", "--push")


def test_release_killed_before_its_push_is_pushed_when_run_again(ready: Clone) -> None:
    ready.graft("release")  # as far as a killed `release --push` comes
    assert "published: v1.1.0" in ready.graft("release", "--push")
    assert "refs/tags/v1.1.0" in ready.git("ls-remote", "--tags", "origin")


def test_data_that_git_does_not_name_is_not_released(ready: Clone) -> None:
    ready.git("rm", "-q", "data/increments/2026-02-spring/raw.dvc")
    ready.git("commit", "-q", "-m", "The hash of the data got lost")
    assert "raw.dvc" in refused(ready)


def test_clone_without_tags_does_not_release_twice(chain: Chain, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", "--no-tags", chain.origin, tmp_path / "bare"], check=True, env=ENVIRONMENT)
    clone = Clone(tmp_path / "bare")
    assert "git fetch --tags" in clone.graft("release", code=1)
    assert "git fetch --tags" in clone.graft("add", "new", "README.md", code=1)


def test_candidate_on_an_older_parent_than_mains_is_not_released(ready: Clone, chain: Chain) -> None:
    ready.git("fetch", "-q", str(chain.origin), "tag", "v1.1.0")
    lock = json.loads(ready.read("models.lock"))
    lock["increment"] = "data/increments/2026-01-winter"
    (ready.path / "models.lock").write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n")
    ready.commit("Another candidate on v1.0.0, merged without re-pinning")
    assert "v1.1.0 is released" in refused(ready)


def test_tag_on_a_refused_commit_is_no_release(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "clone")
    clone.git("tag", "-a", "v5.0.0", "-m", "by hand", "origin/refused")
    assert "v5.0.0" not in clone.graft("log")
    assert "no such release" in clone.graft("rollback", "v5.0.0", code=1)


def test_tag_that_cannot_be_read_is_left_out_and_named(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "clone")
    (clone.path / "models.lock").write_text("<<<<<<<")
    clone.commit("A conflict, committed")
    clone.git("tag", "-a", "v3.0.0", "-m", "by hand")
    clone.git("reset", "-q", "--hard", "v1.1.0")
    said = clone.graft("log")
    assert "warning: tag v3.0.0 is left out" in said
    assert "v1.1.0" in said


def test_of_two_clones_that_release_at_once_one_wins(ready: Clone, tmp_path: Path) -> None:
    origin = ready.git("remote", "get-url", "origin")
    subprocess.run(["git", "--git-dir", origin, "branch", "-f", "main", "v1.0.0^{commit}"], check=True)
    shutil.copytree(ready.path, tmp_path / "other", symlinks=True)
    other = Clone(tmp_path / "other")
    other.git("commit", "-q", "--amend", "-m", "Another candidate on the same parent")
    racing = [
        subprocess.Popen(
            [sys.executable, *GRAFT, "release", "--push"],
            cwd=clone.path, env=ENVIRONMENT | CODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for clone in (ready, other)
    ]  # fmt: skip
    said = [process.communicate()[0] for process in racing]
    codes = [process.returncode for process in racing]
    assert sorted(codes) == [0, 1], said
    lost = codes.index(1)
    assert "graft lock --parent latest" in said[lost]
    loser = (ready, other)[lost]
    assert loser.git("tag").split() == ["v1.0.0"] or "git fetch --tags" in said[lost]
    assert loser.git("ls-remote", "origin", "refs/heads/main").split()[0] != loser.git("rev-parse", "HEAD")


def limit(clone: Clone, text: str) -> None:
    params = clone.path / "params.yaml"
    kept = params.read_text().partition("\nrelease:")[0]
    params.write_text(f"{kept}\nrelease:\n  limits: {text}\n")
    clone.dvc("repro", "-q")
    clone.commit("Limits")


def timings(clone: Clone, **figures: object) -> None:
    adapter = hashlib.sha256((clone.path / "models/adapter/adapter_model.safetensors").read_bytes()).hexdigest()
    (clone.path / "reports/timings").mkdir(exist_ok=True)
    report = {"adapter": adapter, "parent": None, **figures}
    (clone.path / "reports/timings/evaluate.json").write_text(json.dumps(report))


def test_limits_are_judged_from_the_timings(ready: Clone) -> None:
    limit(ready, "{p95_ms: {at_most: 20, may_rise: 0.1}, memory_gb: {at_most: 2}}")
    assert "p95_ms, memory_gb: not measured for this candidate on this machine" in refused(ready)
    timings(ready, candidate={"p95_ms": 25.0, "memory_gb": 3.0})
    assert "v1.0.0 was not measured" in refused(ready)
    timings(ready, candidate={"p95_ms": 12.0, "memory_gb": 3.0}, parent={"p95_ms": 10.0, "memory_gb": 1.0})
    said = refused(ready)
    assert "p95_ms: 12, at most 11 is allowed" in said
    assert "memory_gb: 3, at most 2 is allowed" in said
    timings(ready, candidate={"p95_ms": 10.9, "memory_gb": 1.9}, parent={"p95_ms": 10.0, "memory_gb": 1.0})
    assert "tagged: v1.1.0" in ready.graft("release")


def test_timings_of_another_candidate_do_not_count(ready: Clone) -> None:
    limit(ready, "{memory_gb: {at_most: 2}}")
    timings(ready, candidate={"memory_gb": 1.0}, adapter="0" * 64)
    assert "not measured for this candidate" in refused(ready)


def test_dirty_tree_says_what_to_do(ready: Clone) -> None:
    (ready.path / "README.md").write_text("changed")
    assert "help: git add and commit" in refused(ready)


def retagged(ready: Clone, *tags: str) -> None:
    """Tags from another life of the repository: on a commit of another history, which holds nothing of Graft."""
    tree = ready.run("sh", "-c", "git mktree < /dev/null").strip()
    other = ready.git("commit-tree", tree, "-m", "Another life")
    for number, tag in enumerate(tags):
        ready.git(*(("tag", tag, other) if number % 2 else ("tag", "-a", "-m", "old", tag, other)))


def test_tags_of_another_life_are_named_and_their_versions_skipped(ready: Clone) -> None:
    retagged(ready, "v0.3.0", "v1.1.0", "v1.2.0", "v0.3", "v9.0.0")
    said = ready.graft("release")
    assert "note: v0.3.0, v1.1.0, v1.2.0, v9.0.0: no Graft releases; versions skip them" in said
    assert "tagged: v1.3.0" in said
    assert "v9.0.0" not in ready.graft("log")


def test_a_version_that_another_tag_has_is_refused_with_the_way_out(ready: Clone) -> None:
    retagged(ready, "v2.0.0")
    assert "tag v2.0.0 exists already, and is no release of Graft: graft release takes the next" in refused(
        ready, "v2.0.0"
    )
    assert "tagged: v3.0.0" in ready.graft("release", "major")


def test_tags_of_another_life_block_no_first_release(fresh: Clone, tmp_path: Path) -> None:
    origin = fresh.git("remote", "get-url", "origin")
    subprocess.run(["cp", "-r", origin, tmp_path / "own.git"], check=True)
    fresh.git("remote", "set-url", "origin", str(tmp_path / "own.git"))
    retagged(fresh, "v0.3.0", "v1.0.0")
    fresh.git("tag", "-a", "-m", "old", "v0.9.0", fresh.git("commit-tree", "HEAD:pipeline", "-m", "Code").strip())
    fresh.git("push", "-q", "origin", "v0.3.0", "v1.0.0", "v0.3.0:refs/tags/v0.4.0", "v0.3.0:refs/tags/v0.3")
    data = "examples/increments/2026-02-spring/partner.csv"
    said = fresh.graft("add", "own", data, "--replace", code=1)
    assert "this clone lacks the tags that say what is released\n  origin has v0.4.0\n" in said
    fresh.git("fetch", "-q", "--tags")
    assert "parent: none" in fresh.graft("add", "own", data, "--replace")


def test_on_master_without_origins_head_the_way_out_helps(ready: Clone) -> None:
    origin = ready.git("remote", "get-url", "origin")
    subprocess.run(["git", "--git-dir", origin, "branch", "-m", "main", "master"], check=True)
    ready.git("branch", "-m", "main", "master")
    ready.git("remote", "set-head", "origin", "--delete")
    ready.git("fetch", "-q", "--prune", "origin")
    way_out = "git remote set-head origin -a"
    said = refused(ready)
    assert (
        f"on master: releases are cut on main: git switch main; where origin's default branch is another one: {way_out}"
        in (said)
    )
    ready.git(*way_out.split()[1:])
    assert "tagged: v1.1.0" in ready.graft("release")
