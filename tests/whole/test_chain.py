"""The increment chain from outside: what a team relies on."""

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone, samples


def tree_hashes(clone: Clone, *folders: str) -> dict[str, str]:
    """SHA-256 of every file below the folders."""
    return {
        path.relative_to(clone.path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in sorted((clone.path / folder).rglob("*"))
        if path.is_file()
    }


def manifest(clone: Clone, revision: str) -> dict[str, dict[str, object]]:
    return dict(json.loads(clone.git("show", f"{revision}:reports/manifest.json"))["outputs"])


def test_shipped_hashes_repeat_in_another_folder_on_the_same_machine_class(chain: Chain) -> None:
    shipped, made = (
        json.loads(chain.work.git("show", f"{commit}:reports/manifest.json")) for commit in ("v1.0.0~2", "v1.0.0")
    )
    if shipped["machine_class"] != made["machine_class"]:
        pytest.skip(f"the committed hashes are of another machine class: {shipped['machine_class']}")
    assert made == shipped
    assert chain.work.git("diff", "--name-only", "v1.0.0~2", "v1.0.0") == ".dvc/config"


def test_a_run_says_why_hashes_differ_from_those_of_another_machine_class(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone", "refused")
    path, here = clone.path / "reports/training.json", clone.read("reports/training.json")
    training = json.loads(here)
    training["machine_class"]["capability"] = "of another age"
    path.write_text(json.dumps(training))
    clone.commit("Made elsewhere")
    path.write_text(here)
    params = clone.path / "params.yaml"
    params.write_text(params.read_text().replace("confidence: 0.95", "confidence: 0.9"))
    said = clone.run(sys.executable, "-m", "pipeline.run", code=1)  # the gate refuses it, as before
    assert "[6/10] train (unchanged)" in said
    assert "hashes differ from the committed ones" in said
    assert "of another age" in said


def test_tutorial_plays_to_its_end(chain: Chain) -> None:
    said = (chain.origin.parent / "demo.txt").read_text()
    assert "every command did what docs/tutorial.md says" in said
    assert "the gate refused 2026-03-shuffled" in said
    lines = said.splitlines()
    served = [line.split()[0] for line in lines if re.match(r"[0-9a-f]{64} .*\.safetensors$", line)]
    released = [digest["sha256"] for path, digest in manifest(chain.work, "v1.0.0").items() if is_weights(path)]
    assert served == released * 2


def is_weights(path: str) -> bool:
    return path.startswith("models/merged/") and path.endswith(".safetensors")


def test_releases_share_the_file_of_weights_that_lora_never_touches(chain: Chain) -> None:
    first, second = (manifest(chain.work, tag) for tag in ("v1.0.0", "v1.1.0"))
    changed = {path for path in first if is_weights(path) and first[path] != second[path]}
    assert changed == {"models/merged/model-adapted-00001-of-00001.safetensors"}


def test_a_second_repro_runs_no_stage_and_leaves_git_clean(chain: Chain) -> None:
    said = chain.work.dvc("repro")
    assert "Running stage" not in said
    assert chain.work.git("status", "--porcelain") == ""


def test_make_run_says_that_nothing_is_to_do(chain: Chain) -> None:
    said = chain.work.run(sys.executable, "-m", "pipeline.run")
    assert "nothing to do" in said
    assert "reports/report.md" in said


def test_parent_in_the_lock_is_the_release_before(chain: Chain) -> None:
    lock = json.loads(chain.work.git("show", "v1.1.0:models.lock"))
    released = chain.work.git("show", "v1.0.0:dvc.lock")
    assert lock["parent"]["release"] == "v1.0.0"
    assert lock["parent"]["commit"] == chain.work.git("rev-parse", "v1.0.0^{commit}")
    for path, output in lock["parent"]["state"].items():
        assert f"path: {path}\n      hash: md5\n      md5: {output['md5']}" in released


def test_releases_made_no_commit_and_are_annotated_tags(chain: Chain) -> None:
    for tag in ("v1.0.0", "v1.1.0"):
        assert chain.work.git("cat-file", "-t", tag) == "tag"
    subjects = chain.work.git("log", "--format=%s", "main").splitlines()
    assert subjects == ["Spring titles", "Winter titles", "Add the remote", "Graft, as shipped"]


@pytest.mark.parametrize("tag", ["v1.0.0", "v1.1.0"])
def test_fresh_clone_of_a_tag_holds_the_released_bytes(chain: Chain, tmp_path: Path, tag: str) -> None:
    clone = chain.pulled(tmp_path / "server", tag)
    released = {path: digest["sha256"] for path, digest in manifest(chain.work, tag).items() if "merged" in path}
    assert tree_hashes(clone, "models/merged") == released
    assert "every SHA-256 as released" in clone.graft("verify", tag)
    assert clone.dvc("status").strip() == "Data and pipelines are up to date."
    assert "Running stage" not in clone.dvc("repro")
    assert clone.git("status", "--porcelain") == ""


def test_continued_adapter_differs_from_its_parents(chain: Chain) -> None:
    adapter = "models/adapter/adapter_model.safetensors"
    assert manifest(chain.work, "v1.0.0")[adapter] != manifest(chain.work, "v1.1.0")[adapter]
    parents = manifest(chain.work, "v1.1.0")["models/parent/adapter/adapter_model.safetensors"]
    assert parents == manifest(chain.work, "v1.0.0")[adapter]


def test_second_release_knows_the_new_categories_and_kept_the_old(chain: Chain) -> None:
    metrics = json.loads(chain.work.git("show", "v1.1.0:reports/metrics.json"))
    assert metrics["candidate"]["slices"]["2026-02-spring"]["accuracy"] >= 0.8
    before = metrics["parent"]["slices"]["2026-01-winter"]["accuracy"]
    assert metrics["candidate"]["slices"]["2026-01-winter"]["accuracy"] >= before - 0.05


def test_colleague_pulls_a_refused_candidate_without_weights(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "colleague", "refused")
    clone.dvc("pull")
    assert "Running stage" not in clone.dvc("repro")
    assert [path.name for path in (clone.path / "models/merged").iterdir()] == ["REFUSED.json"]
    assert json.loads(clone.read("reports/decision.json")) == "refused"
    refused = clone.run(sys.executable, "-m", "pipeline.run", code=1)
    assert "the gate refused" in refused
    clone.git("checkout", "-q", "-B", "main")
    said = clone.graft("release", code=1)
    assert "accuracy" in said
    assert clone.git("tag") == "v1.0.0\nv1.1.0"


def test_refusal_names_slices_with_numbers(chain: Chain) -> None:
    verdict = json.loads(chain.work.git("show", "origin/refused:reports/verdict.json"))
    assert (verdict["verdict"], verdict["decision"]) == ("fail", "refused")
    shuffled = [reason for reason in verdict["reasons"] if reason.startswith("2026-03-shuffled accuracy: 0.")]
    assert [reason.endswith(", needs at least 0.5000") for reason in shuffled] == [True]


def test_helper_of_evaluate_alone_reruns_evaluate_and_what_follows(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "edit")
    with (clone.path / "pipeline/model/scoring/scoring.py").open("a") as file:
        file.write("\n# a remark that changes no result\n")
    dry = clone.dvc("repro", "--dry")
    ran = [line.split("'")[1] for line in dry.splitlines() if line.startswith("Running stage")]
    assert ran == ["evaluate"]
    plan = json.loads(clone.graft("plan", "--json"))
    assert plan["stages"] == ["evaluate", "gate", "merge", "manifest"]
    assert "upgraded" in plan["tree"]
    assert "sibling" in plan["tree"]
    assert "not trained again" in clone.run(sys.executable, "-m", "pipeline.run")


def test_edited_params_make_a_sibling_and_plan_says_so(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "sibling")
    text = clone.read("params.yaml")
    (clone.path / "params.yaml").write_text(text.replace("  continued_epochs: 0.375", "  continued_epochs: 0.5"))
    said = clone.graft("plan")
    assert "sibling of v1.1.0 (same parent, same increment" in said


def test_join_after_a_release_does_not_touch_the_released_increment(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "immutable")
    said = clone.graft("add", "2026-02-spring", *samples("2026-03-shuffled"), code=1)
    assert "was released in v1.1.0" in said
    assert clone.git("status", "--porcelain") == ""
