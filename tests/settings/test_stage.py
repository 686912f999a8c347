"""The stage `settings`: what people write, in whatever words, runs only the stages whose values change."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone
from tests.forked import runs_this_code


@pytest.fixture
def released(chain: Chain, tmp_path: Path) -> Clone:
    """A clone that holds v1.1.0, its outputs pulled."""
    return chain.pulled(tmp_path / "team")


def edit(clone: Clone, path: str, old: str, new: str) -> None:
    text = clone.read(path)
    assert old in text
    (clone.path / path).write_text(text.replace(old, new, 1))


def graft(clone: Clone, *arguments: str) -> str:
    """With the clone's own code, which some of these tests change."""
    if runs_this_code(clone.path):
        return clone.graft(*arguments)
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
    without = re.sub(r"^  settings:\n(?:    .*\n)+", "", text, flags=re.MULTILINE)
    (released.path / "dvc.lock").write_text(without)
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


def run_pipeline(clone: Clone, code: int = 0) -> str:
    return clone.run(sys.executable, "-m", "pipeline.run", code=code)


def test_a_released_tree_verifies_after_a_default_changed(released: Clone) -> None:
    edit(released, "pipeline/training/settings.py", "weight_decay: float = 0.0", "weight_decay: float = 0.1")
    released.commit("A newer Graft")
    said = graft(released, "verify")
    assert "v1.1.0, upgraded since: 1 file of pipeline changed" in said
    assert "verdict recomputed: pass" in said


def test_a_file_made_shorter_before_a_default_changed_is_an_upgrade(released: Clone) -> None:
    """With `dvc repro` in between, or without: nobody changed a value."""
    (released.path / "params.yaml").write_text("# ours\ntrain: {threads: 2}\n")
    released.commit("Keep what we change")
    edit(released, "pipeline/training/settings.py", "  rank: int = 8", "  rank: int = 12")
    for has_run in (False, True):
        released.git("stash", "-q", "--", "pipeline")
        if has_run:
            released.dvc("repro")
            released.commit("Run settings")
        released.git("stash", "pop", "-q")
        found = plan(released)
        assert found["tree"].startswith("released, upgraded: holds v1.1.0")
        assert "default of train.rank changed: 8, now 12; params.yaml can keep the old value (train)" in found["why"]
        assert "every SHA-256 as released" in graft(released, "verify")
    assert "a release is not trained again for that" in run_pipeline(released)


def test_a_key_that_people_delete_is_no_changed_default(released: Clone) -> None:
    edit(released, "params.yaml", "  confidence: 0.95 ", "  confidence: 0.9 ")
    said = run_pipeline(released)
    assert said.index("this makes a sibling of v1.1.0") < said.index("[1/10]")
    assert "params.yaml:gate.confidence modified: 0.95, now 0.9 (gate)" in said
    released.commit("Another confidence")
    lines = [line for line in released.read("params.yaml").splitlines() if "confidence:" not in line]
    (released.path / "params.yaml").write_text("\n".join(lines) + "\n")
    released.commit("The default again")
    assert "params.yaml:gate.confidence modified: 0.9, now 0.95 (gate)" in plan(released)["why"]


def test_settings_that_no_stage_reads_are_named_and_make_no_candidate(released: Clone) -> None:
    text = "train: {threads: 2, checkpoint: {minutes: 5}}\nmerge: {keep: on-demand}\nrelease: {require: rescored}\n"
    (released.path / "params.yaml").write_text(text)
    released.commit("Ours")
    found, said, checked = plan(released), graft(released, "verify"), graft(released, "lock", "--check")
    assert found["tree"] == "released: holds v1.1.0 (2026-02-spring); params.yaml changes settings that no stage reads"
    for line in (
        "params.yaml:train.checkpoint.minutes modified: 10, now 5; no bytes depend on it",
        'params.yaml:merge.keep modified: "full", now "on-demand"; no bytes depend on it',
        'params.yaml:release.require modified: "recomputed", now "rescored"; no bytes depend on it',
    ):
        assert f"{line} (settings)" in found["why"]
        assert line in said
        assert line in checked
    assert "[1/10]" not in run_pipeline(released)


def test_a_renamed_setting_is_named_and_is_an_upgrade(released: Clone) -> None:
    edit(released, "params.yaml", "  rank: 8\n", "  rank: 8\n  rewarm: 0.5\n")
    for path in ("pipeline/training/settings.py", "schemas/params.schema.json", "dvc.yaml", "params.yaml"):
        text = released.read(path).replace("rewarm", "peak_share")
        (released.path / path).write_text(text)
    found = plan(released)
    assert found["tree"].startswith("released, upgraded: holds v1.1.0")
    assert (
        "setting train.rewarm is called train.peak_share in this Graft; its value stays 0.5 (settings)" in found["why"]
    )
    assert "every SHA-256 as released" in graft(released, "verify")


def test_a_new_file_in_a_folder_that_people_keep_is_named(released: Clone) -> None:
    (released.path / "data/templates/mine.jinja").write_text("x")
    (released.path / "metrics/mine.py").write_text("x = 1\n")
    why = plan(released)["why"]
    assert "data/templates modified (train, evaluate, merge)" in why
    assert "metrics modified (evaluate)" in why


def test_what_tools_leave_runs_nothing(released: Clone) -> None:
    names = ["#x.py#", "._x.py", ".x.py.swn", ".swx", "4913", "x.bak", "x.py.bak", ".nfs01", ".fuse_hidden01"]
    names += ["x.py.save", "x.py.tmp", ".~lock.x", ".directory", "nohup.out", ".coverage", "x.jinja~", ".x.swp"]
    names += [f"{folder}/x" for folder in (".history", ".ropeproject", ".hypothesis", ".spyproject", ".pyre")]
    for folder in ("pipeline/training", "metrics", "data/templates", "data/golden", "data/augment", "examples/base"):
        for name in names:
            (released.path / folder / name).parent.mkdir(exist_ok=True)
            (released.path / folder / name).write_text("left")
    (released.path / "data/increments/2026-02-spring/raw/.DS_Store").write_text("left")
    assert plan(released)["stages"] == []
    assert "up to date" in released.dvc("status")


def test_a_refused_file_leaves_the_recorded_values(released: Clone) -> None:
    edit(released, "params.yaml", "  rank: 8\n", "  rnk: 8\n")
    assert "did you mean 'rank'?" in released.dvc("repro", code=255)
    released.git("checkout", "-q", "params.yaml")
    assert released.git("status", "--porcelain") == ""
    (released.path / "reports/params.json").unlink()
    assert "git checkout HEAD -- reports/params.json" in plan(released)["why"][-1]


def test_verify_says_of_a_broken_params_file_that_alone(released: Clone) -> None:
    edit(released, "params.yaml", "  rank: 8\n", "\trank: 8\n")
    said = released.graft("verify", code=1)
    assert said.startswith("Error: params.yaml: line")
    assert "do not deploy" not in said
