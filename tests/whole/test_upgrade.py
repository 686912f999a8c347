"""Taking a newer Graft by a merge: releases stay, candidates become stale, nothing is trained again by itself."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, Chain, Clone, samples


@pytest.fixture
def upgraded(chain: Chain, tmp_path: Path) -> Clone:
    """A team's clone that holds v1.1.0 and has merged upstream's next version: other code, another pin."""
    clone = chain.pulled(tmp_path / "team")
    root = clone.git("rev-list", "--max-parents=0", "HEAD")
    subprocess.run(["git", "clone", "-q", "--no-tags", clone.path, tmp_path / "upstream"], check=True, env=ENVIRONMENT)
    upstream = Clone(tmp_path / "upstream")
    upstream.git("checkout", "-q", "-B", "main", root)
    with (upstream.path / "pipeline/model/scoring/scoring.py").open("a") as file:
        file.write("\n# a newer version\n")
    pins = upstream.path / "requirements.lock"
    pins.write_text(re.sub(r"^ruff==.*$", "ruff==0.99.0", pins.read_text(), flags=re.MULTILINE))
    upstream.commit("A newer Graft")
    clone.git("remote", "add", "upstream", str(upstream.path))
    clone.git("fetch", "-q", "upstream", "--no-tags")
    clone.git("merge", "-q", "--no-edit", "upstream/main")
    return clone


def test_released_tree_is_upgraded_and_not_trained_again(upgraded: Clone) -> None:
    said = upgraded.graft("lock", "--check")
    assert "released v1.1.0, upgraded since" in said
    assert "ruff: locked 0.99.0" in said
    assert "released, upgraded: holds v1.1.0" in upgraded.graft("plan")
    assert "not trained again" in upgraded.run(sys.executable, "-m", "pipeline.run")
    assert "every SHA-256 as released" in upgraded.graft("verify", "v1.1.0", "--remote")
    assert upgraded.git("status", "--porcelain") == ""


def test_next_candidate_takes_the_newer_code_and_the_parent_by_hash(upgraded: Clone) -> None:
    assert "parent: v1.1.0" in upgraded.graft("add", "2026-04-more", *samples("2026-03-shuffled"))
    released = upgraded.git("show", "v1.1.0:dvc.lock")
    state = json.loads(upgraded.read("models.lock"))["parent"]["state"]
    assert all(output["md5"] in released for output in state.values())
    plan = json.loads(upgraded.graft("plan", "--json"))
    assert "base" not in plan["stages"]
    assert "train" in plan["stages"]


def test_open_candidate_is_stale_after_the_upgrade_where_its_stages_changed(upgraded: Clone) -> None:
    upgraded.git("checkout", "-q", "-B", "candidate", "origin/refused")
    upgraded.dvc("pull", "-q")
    assert json.loads(upgraded.graft("plan", "--json"))["stages"] == []
    upgraded.git("merge", "-q", "--no-edit", "upstream/main")
    assert json.loads(upgraded.graft("plan", "--json"))["stages"] == ["evaluate", "gate", "merge", "manifest"]
