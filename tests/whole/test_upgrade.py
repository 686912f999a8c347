"""Taking a newer Graft by a merge: releases stay, candidates become stale, nothing is trained again by itself."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, ROOT, Chain, Clone, samples

EARLIER = "5ef2270"  # all 167 keys of params.yaml were required, and dvc.yaml listed modules
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


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


@pytest.mark.slow
def test_two_releases_of_an_earlier_graft_take_this_one_by_the_documented_commands(tmp_path: Path) -> None:
    known = subprocess.run(["git", "cat-file", "-e", EARLIER], cwd=ROOT, check=False, stderr=subprocess.DEVNULL)
    if known.returncode:
        pytest.skip(f"this clone's history does not reach {EARLIER}")
    for name in ("upstream", "older"):
        subprocess.run(["git", "clone", "-q", ROOT, tmp_path / name], check=True, env=ENVIRONMENT)
    older, shop = Clone(tmp_path / "older"), Clone(tmp_path / "demo/shop")
    older.git("checkout", "-q", "-B", "main", EARLIER)
    older.git("remote", "remove", "origin")
    played = older.run(sys.executable, "-m", "examples.demo", str(tmp_path / "demo"), PYTHONPATH=str(older.path))
    assert "v1.1.0" in played
    shop.git("checkout", "-q", "-B", "main", "v1.1.0")
    params = shop.read("params.yaml")
    shop.dvc("checkout", "-q")

    page = (ROOT / "docs/how-to/upgrade.md").read_text(encoding="utf-8")
    merge, conflicts = _SHELL.findall(page)[:2]
    for line in merge.replace("https://github.com/THE-ORIGIN/graft", str(tmp_path / "upstream")).splitlines():
        command = line.partition("#")[0].strip()
        if command == "git merge upstream/main":
            said = subprocess.run(command.split(), cwd=shop.path, env=ENVIRONMENT, capture_output=True, check=False)
            assert said.returncode == 1, said
            assert b"CONFLICT" in said.stdout
            for words in map(str.split, conflicts.splitlines()):
                shop.run(*words)
            shop.commit("Take a newer Graft")
        elif command.startswith("git"):
            shop.run(*command.split())

    assert shop.read("params.yaml") == params
    assert "released v1.1.0, upgraded since" in shop.graft("lock", "--check")
    assert "released, upgraded: holds v1.1.0" in shop.graft("plan")
    assert "not trained again" in shop.run(sys.executable, "-m", "pipeline.run")
    assert shop.git("status", "--porcelain") == ""
    for tag in ("v1.0.0", "v1.1.0"):
        assert "every SHA-256 as released" in shop.graft("verify", tag, "--remote")

    shop.graft("add", "2026-04-more", *samples("2026-03-shuffled"))
    released = shop.git("show", "v1.1.0:dvc.lock")
    state = json.loads(shop.read("models.lock"))["parent"]["state"]
    assert all(output["md5"] in released for output in state.values())
    shop.run(sys.executable, "-m", "dvc", "repro", "-q", "--", "train")
    continued_from = json.loads(shop.read("reports/training.json"))["continued_from"]
    assert continued_from in shop.git("show", "v1.1.0:reports/manifest.json")

    shop.git("checkout", "-q", "--force", "v1.0.0")
    shop.dvc("checkout", "-q", "--force")
    assert "Running stage" not in shop.run(sys.executable, "-m", "dvc", "repro")
