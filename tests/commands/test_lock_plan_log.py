"""graft lock, plan and log: what they say of a tree."""

import json
import re
from pathlib import Path

import pytest

from pipeline.common import yaml
from tests.conftest import Chain, Clone, is_as_shipped, samples
from tests.stages.conftest import set_params


@pytest.mark.skipif(not is_as_shipped(), reason="this repository has data of its own")
def test_shipped_locks_are_current(fresh: Clone) -> None:
    assert "models.lock and dvc.lock are current" in fresh.graft("lock", "--check")


def test_edit_without_repro_is_not_current(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "no-data")  # nothing was pulled: hashes in git are enough
    clone.graft("lock", "--check")
    clone.graft("add", "2026-04-more", *samples("2026-03-shuffled"))
    assert "dvc.lock is not current: stage settings" in clone.graft("lock", "--check", code=1)
    assert (
        json.loads(clone.graft("lock", "--check", "--json", code=1))["stale"] == "settings"
    )  # whose defaults follow from the task


def test_check_names_every_difference(fresh: Clone) -> None:
    lock = json.loads(fresh.read("models.lock"))
    lock["toolchain"]["torch"] = "1.0.0"
    (fresh.path / "models.lock").write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n")
    pins = fresh.read("requirements.lock")
    (fresh.path / "requirements.lock").write_text(pins.replace("click==", "click==0."))
    params = fresh.read("params.yaml")
    (fresh.path / "params.yaml").write_text(params.replace("source: builtin", "source: path:other"))
    said = fresh.graft("lock", "--check", code=1)
    assert "toolchain: torch: locked 1.0.0, here 2.13.0" in said
    assert "requirements.lock: click: locked 0." in said
    assert "params.yaml: base.source: locked builtin, asked path:other" in said


def test_upgrade_of_a_released_tree_is_no_failure(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    pins = clone.read("requirements.lock")
    (clone.path / "requirements.lock").write_text(pins.replace("click==", "click==0."))
    assert "released v1.1.0, upgraded since" in clone.graft("lock", "--check")


def test_lock_twice_changes_nothing(fresh: Clone) -> None:
    fresh.graft("lock")
    assert "nothing changed" in fresh.graft("lock")
    assert fresh.git("status", "--porcelain") == ""


def test_candidate_moves_onto_a_newer_release(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone", "v1.0.0")
    clone.graft("add", "2026-04-other", *samples("2026-03-shuffled"))
    assert json.loads(clone.read("models.lock"))["parent"]["release"] == "v1.0.0"
    said = clone.graft("lock", "--parent", "latest")
    assert "parent: v1.0.0 -> v1.1.0" in said
    assert "to run again: parent, assemble" in said
    assert json.loads(clone.read("models.lock"))["increment"] == "data/increments/2026-04-other"


def test_conflicted_lock_is_refused_with_the_way_out(fresh: Clone) -> None:
    text = fresh.read("models.lock")
    (fresh.path / "models.lock").write_text("<<<<<<< HEAD\n" + text)
    said = fresh.graft("plan", code=1)
    assert "models.lock:1: not JSON" in said
    assert "graft lock --parent latest" in said


def test_plan_of_the_shipped_tree(fresh: Clone) -> None:
    fresh.dvc("repro", "prepare")
    plan = json.loads(fresh.graft("plan", "--json"))
    assert plan["tree"].startswith("candidate: 2026-01-winter on no parent")
    assert plan["data"]["new"] > 0
    data = plan["data"]
    dropped = ("known", "near-duplicates", "conflicts", "withdrawn", "otherwise dropped")
    assert data["rows"] == data["rejected"] + data["records"]
    assert data["records"] == data["held out"] + data["new"] + sum(data[name] for name in dropped)
    assert plan["prepared"] == json.loads(fresh.read("data/prepared/report.json"))
    assert plan["assembled"]["train_new"] == data["new"]
    assert plan["steps"] > 0
    assert plan["remote"].startswith("none set")


def test_plan_counts_what_repro_then_does(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("rollback", "v1.0.0")
    clone.graft("add", "2026-02-spring", *samples("2026-02-spring"), "--replace")
    plan = json.loads(clone.graft("plan", "--json"))
    trained = json.loads(clone.git("show", "v1.1.0:reports/training.json"))
    assert plan["stages"][:3] == ["settings", "parent", "prepare"]
    assert plan["data"]["new"] + plan["data"]["replayed"] == trained["records"]
    assert plan["steps"] == trained["steps"]


@pytest.mark.slow  # the plain counts: test_plan_counts_what_repro_then_does
def test_plan_counts_weights_and_the_validation_part_and_refuses_slices_as_the_stages_do(fresh: Clone) -> None:
    fresh.dvc("repro", "-q", "prepare")
    augment = yaml.load_unchecked(fresh.path / "params.yaml")["assemble"]["augment"] | {"weights": "inverse"}
    part = {"share": 0.1, "every": 1000, "patience": 5}
    set_params(fresh.path, assemble__augment=augment, train__epochs=2, train__validation=part)
    planned = json.loads(fresh.graft("plan", "--json"))["steps"]
    fresh.dvc("repro", "-q", "train")
    trained = json.loads(fresh.read("reports/training.json"))
    assert planned == trained["steps"] != -(-trained["examples"] // 32) * 2
    set_params(fresh.path, train__batch_tokens=4000)
    assert "training     as many steps as the records' tokens make" in fresh.graft("plan")
    (fresh.path / "examples/base/chat_template.jinja").unlink()
    set_params(fresh.path, train__objective="pretrain")
    assert "examples/base: the base has no chat template\n  slice 2026-01-winter: " in fresh.graft("plan", code=1)


def test_plan_says_the_counts_and_leaves_the_tree_as_it_was(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("add", "2026-03-shuffled", *samples("2026-03-shuffled"))
    before = times(clone.path)
    said = clone.graft("plan")
    assert re.search(r"^data +[\d,]+ rows read, [\d,]+ rejected", said, re.MULTILINE)
    assert re.search(r"^ +[\d,]+ records: .*\d", said, re.MULTILINE)
    assert re.search(r"^ +[\d,]+ records? to train on: [\d,]+ new, [\d,]+ replayed, 0 augmented$", said, re.MULTILINE)
    assert times(clone.path) == before


def times(tree: Path) -> dict[Path, int]:
    """When each file was written last, but for git's and DVC's own, and Python's."""
    own = {".git", ".dvc", "__pycache__"}
    return {path: path.stat().st_mtime_ns for path in tree.rglob("*") if path.is_file() and not own & set(path.parts)}


def test_plan_of_a_released_tree_runs_nothing(chain: Chain, tmp_path: Path) -> None:
    plan = json.loads(chain.pulled(tmp_path / "clone").graft("plan", "--json"))
    assert plan["tree"].startswith("released: holds v1.1.0")
    assert plan["stages"] == []


def test_log_shows_the_chain_newest_first(chain: Chain) -> None:
    rows = json.loads(chain.work.graft("log", "--json"))
    assert [(row["version"], row["parent"], row["increment"]) for row in rows] == [
        ("v1.1.0", "v1.0.0", "2026-02-spring"),
        ("v1.0.0", None, "2026-01-winter"),
    ]
    assert all(row["accuracy"] > 0.8 and row["adapter_bytes"] > 0 and row["records"] > 0 for row in rows)
    newest, oldest = chain.work.graft("log").splitlines()
    assert f"{rows[0]['value']:.1%} (v1.0.0: {rows[0]['before']:.1%})" in newest  # like beside like
    assert f"{rows[1]['value']:.1%} " in oldest
    assert len(newest) <= 100


def test_log_before_the_first_release(fresh: Clone) -> None:
    said = fresh.graft("log")
    assert "open candidate: 2026-01-winter on no parent" in said
    assert "no release yet" in said
