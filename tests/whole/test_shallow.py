"""Clones without history: depth 1, after a squash merge, with the raw data of the current increment alone."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.commands.test_adopt import drop_rules, edit_params, few_rows
from tests.conftest import ENVIRONMENT, Chain, Clone, samples

DROP = samples("2026-03-shuffled")


@pytest.fixture
def squashed(chain: Chain, tmp_path: Path) -> Path:
    """An origin whose main is one commit: no release is an ancestor of it any more."""
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "-q", "--bare", chain.origin, origin], check=True, env=ENVIRONMENT)
    bare = Clone(origin)
    bare.git("update-ref", "refs/heads/main", bare.git("commit-tree", "main^{tree}", "-m", "Everything, squashed"))
    assert bare.git("tag", "--merged", "main") == ""
    return origin


def shallow(origin: Path, storage: Path, path: Path) -> Clone:
    """What a runner has: the last commit and the tags' commits, and of the data what `dvc pull` brings."""
    url = origin.as_uri()
    subprocess.run(["git", "clone", "-q", "--depth", "1", url, path], check=True, env=ENVIRONMENT)
    clone = Clone(path)
    clone.git("fetch", "-q", "--depth", "1", "--tags")
    clone.stored_at(storage)
    clone.dvc("pull", "-q")
    return clone


def own_storage(chain: Chain, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-r", chain.storage, tmp_path / "storage"], check=True)
    return tmp_path / "storage"


@pytest.mark.slow  # tests/workflows/test_story.py plays a whole pull request in the workflows' own clones
def test_whole_pull_request_works_in_a_depth_1_clone_after_a_squash_merge(
    chain: Chain, squashed: Path, tmp_path: Path
) -> None:
    drop = few_rows("2026-03-shuffled", tmp_path / "drop.csv")
    storage = own_storage(chain, tmp_path)
    clone = shallow(squashed, storage, tmp_path / "runner")
    assert clone.git("rev-list", "--count", "HEAD") == "1"
    assert not (clone.path / "data/increments/2026-01-winter/raw").exists()
    assert "models.lock and dvc.lock are current" in clone.graft("lock", "--check")
    assert "every SHA-256 as released" in clone.graft("verify", "v1.1.0", "--remote")
    assert [row["status"] for row in json.loads(clone.graft("log", "--json"))] == ["here", "released"]
    clone.git("checkout", "-q", "-b", "pull-request")
    edit_params(clone, epochs="1", anchor="v1.0.0")
    assert "parent: v1.1.0\nanchor: v1.0.0" in clone.graft("add", "2026-04-more", str(drop))
    drop_rules(clone)
    plan = json.loads(clone.graft("plan", "--json"))
    assert "train" in plan["stages"]
    assert plan["data"]["new"] > 0
    clone.dvc("repro")
    assert "models.lock and dvc.lock are current" in clone.graft("lock", "--check")
    released = json.loads(clone.git("show", "v1.0.0:reports/manifest.json"))["outputs"]
    adapter = "adapter/adapter_model.safetensors"
    made = json.loads(clone.read("reports/manifest.json"))["outputs"]
    assert made[f"models/anchor/{adapter}"] == released[f"models/{adapter}"]
    clone.commit("More titles")
    clone.dvc("push", "-q")
    clone.git("push", "-q", "origin", "HEAD")
    merged = Clone(squashed)  # the server's button: squash and merge
    squash = merged.git("commit-tree", "pull-request^{tree}", "-p", "main", "-m", "More titles (#7)")
    merged.git("update-ref", "refs/heads/main", squash)
    main = shallow(squashed, storage, tmp_path / "main")
    assert "tagged: v1.2.0" in main.graft("release", "--push")
    assert "every SHA-256 as released" in main.graft("verify", "v1.2.0", "--remote")


def test_what_was_withdrawn_is_known_without_history(chain: Chain, squashed: Path, tmp_path: Path) -> None:
    clone = shallow(squashed, chain.storage, tmp_path / "ops")
    clone.graft("rollback", "v1.0.0", "--why", "returns doubled")
    clone.git("push", "-q", "origin", "main")
    bare = Clone(squashed)  # and even its commit is squashed
    bare.git("update-ref", "refs/heads/main", bare.git("commit-tree", "main^{tree}", "-m", "Squashed again"))
    runner = shallow(squashed, chain.storage, tmp_path / "runner")
    assert [row["status"] for row in json.loads(runner.graft("log", "--json"))] == ["withdrawn", "here"]
    assert json.loads(runner.read("withdrawn.json")) == {"v1.1.0": "returns doubled"}
    again = runner.graft("add", "2026-02-spring", *DROP, "--replace")
    assert "parent: v1.0.0" in again


def test_rolling_forward_again_takes_the_withdrawal_back(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("rollback", "v1.0.0")
    clone.graft("rollback", "v1.1.0")
    assert json.loads(clone.read("withdrawn.json")) == {}
    assert [row["status"] for row in json.loads(clone.graft("log", "--json"))] == ["here", "released"]


def test_candidate_on_a_withdrawn_release_is_not_released(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    (clone.path / "withdrawn.json").write_text('{"v1.0.0": "wrong labels"}\n')
    clone.git("tag", "-d", "v1.1.0")
    clone.git("remote", "remove", "origin")
    clone.commit("Meanwhile v1.0.0 was withdrawn on main")
    assert "stands on v1.0.0, which was withdrawn" in clone.graft("release", code=1)


def test_clone_without_the_tags_is_told_how_to_get_them(squashed: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", "--no-tags", squashed.as_uri(), tmp_path / "bare"], check=True,
        env=ENVIRONMENT,
    )  # fmt: skip
    assert "git fetch --depth 1 --tags" in Clone(tmp_path / "bare").graft("add", "new", *DROP, code=1)
