"""The stage `settings`: what people write, in whatever words, runs only the stages whose values change."""

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone


@pytest.fixture
def released(chain: Chain, tmp_path: Path) -> Clone:
    """A clone that holds v1.1.0, its outputs pulled."""
    return chain.pulled(tmp_path / "team")


def edit(clone: Clone, path: str, old: str, new: str) -> None:
    text = clone.read(path)
    assert old in text
    (clone.path / path).write_text(text.replace(old, new, 1))


def graft(clone: Clone, *arguments: str) -> str:
    """With the clone's own code."""
    return clone.run(sys.executable, "-m", "pipeline", *arguments)


def plan(clone: Clone) -> dict:
    return dict(json.loads(graft(clone, "plan", "--json")))


def test_a_default_that_is_written_out_runs_settings_alone(released: Clone) -> None:
    edit(released, "params.yaml", "  rank: 8\n", "  rank: 8\n  rewarm: 0.5\n")
    found = plan(released)
    assert found["stages"] == ["settings"]
    assert found["tree"] == (
        "released: holds v1.1.0 (2026-02-spring); params.yaml states the same values in other words"
    )
    assert "not trained again" not in released.run(sys.executable, "-m", "pipeline.run")
    assert released.git("status", "--porcelain").split() == ["M", "params.yaml"]
    said = released.dvc("repro")
    assert [line for line in said.splitlines() if line.startswith("Running stage")] == ["Running stage 'settings':"]


def test_a_value_runs_the_stages_that_read_it(released: Clone) -> None:
    edit(released, "params.yaml", "  confidence: 0.95", "  confidence: 0.9")
    found = plan(released)
    assert found["stages"][:2] == ["settings", "gate"]
    assert "train" not in found["stages"]
    assert "params.yaml:gate.confidence modified: 0.95, now 0.9 (gate)" in found["why"]


def test_a_default_that_graft_changes_is_named_and_trains_nothing(released: Clone) -> None:
    edit(released, "pipeline/training/settings.py", "rewarm: float = 0.5", "rewarm: float = 0.6")
    released.commit("A newer Graft")
    found = plan(released)
    assert found["tree"].startswith("released, upgraded: holds v1.1.0")
    assert "default of train.rewarm changed: 0.5, now 0.6; params.yaml can keep the old value (train)" in found["why"]
    assert "pipeline/training/settings.py modified (settings, train)" in found["why"]
    assert "released v1.1.0, upgraded since" in graft(released, "lock", "--check")
    assert "not trained again" in released.run(sys.executable, "-m", "pipeline.run")
    assert released.git("status", "--porcelain") == ""


def test_a_lock_of_a_graft_without_settings_is_an_upgrade(released: Clone) -> None:
    """Stages read params.yaml itself then, in whole sections or by key."""
    text = released.read("dvc.lock").replace("      reports/params.json:\n", "      params.yaml:\n")
    head, _, rest = text.partition("  settings:\n")
    rest = rest[rest.index("\n  ") :] if "\n  " in rest and not rest.startswith("    cmd") else ""
    (released.path / "dvc.lock").write_text(head + rest)
    (released.path / "reports/params.json").unlink()
    found = plan(released)
    assert "settings" in found["stages"]
    assert [line for line in found["why"] if line.startswith("params.yaml")] == []


def test_dry_run_of_a_fresh_clone_is_clean(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "fresh")
    said = clone.dvc("repro", "--dry", "--allow-missing")
    assert "Running stage" not in said


def test_an_older_release_verifies_after_a_default_changed(released: Clone) -> None:
    edit(released, "pipeline/training/settings.py", "rewarm: float = 0.5", "rewarm: float = 0.6")
    released.commit("A newer Graft")
    assert "every SHA-256 as released" in graft(released, "verify", "v1.0.0", "--remote")
