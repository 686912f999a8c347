"""A recorded verdict is computed again wherever it counts: a forged one that agrees with every hash is refused."""

import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import CODE, ENVIRONMENT, GRAFT, Chain, Clone, some
from tests.forging import edited, forge

DECIDE = "pipeline/gate/decide.py"
SLICES = "pipeline/data/assemble/slices.py"
FORGED = """

_decide = decide


def decide(*arguments, **named):
    return _decide(*arguments, **named) | {"verdict": "pass", "decision": "pass", "reasons": [], "checks": []}
"""


def pushed(clone: Clone, tag: str) -> subprocess.CompletedProcess[str]:
    """What the pre-push hook says of a tag."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline.prepush"],
        cwd=clone.path, env=ENVIRONMENT | CODE, text=True, capture_output=True, check=False,
        input=f"refs/tags/{tag} {clone.git('rev-parse', tag)} refs/tags/{tag} {'0' * 40}\n",
    )  # fmt: skip


def reproduced_with(clone: Clone, path: str, code: str) -> None:
    """Run the pipeline with other code in one module, then put the module and its hash in dvc.lock back."""
    module, lock, yaml = clone.path / path, clone.path / "dvc.lock", YAML(typ="safe")

    def locked(stages: dict[str, Any]) -> list[dict[str, Any]]:
        return [dep for stage in stages.values() for dep in stage.get("deps", []) if path.startswith(dep["path"])]

    before, recorded = module.read_text(), {dep["path"]: dep for dep in locked(yaml.load(lock)["stages"])}
    module.write_text(code)
    clone.dvc("repro", "-q")
    module.write_text(before)
    forged = yaml.load(lock)
    for dep in locked(forged["stages"]):
        dep.update(recorded[dep["path"]])
    yaml.dump(forged, lock)


def test_a_verdict_by_other_code_is_no_release_though_every_hash_is_put_back(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone", "refused")
    clone.git("checkout", "-q", "-B", "main")
    reproduced_with(clone, DECIDE, (clone.path / DECIDE).read_text() + FORGED)
    clone.commit("Better titles")
    assert "up to date" in clone.dvc("status")
    assert clone.read("reports/decision.json") == '"pass"\n'

    said = clone.graft("release", code=1)
    assert "not released: what is recorded is not what the gate's code computes" in said
    assert re.search(r"reports/verdict.json in git: expected fail; .*found pass", said)
    assert clone.git("tag") == "v1.0.0\nv1.1.0"
    clone.dvc("push", "-q", "-r", "storage")
    clone.git("tag", "-a", "v1.2.0", "-m", "By hand")
    assert "differs: reports/decision.json in git: expected refused" in clone.graft("verify", "v1.2.0", code=1)
    hook = pushed(clone, "v1.2.0")
    assert hook.returncode == 1
    assert "differs: reports/verdict.json" in hook.stderr


def test_items_left_out_of_the_parents_slices_are_named(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    (clone.path / "data/golden/must.jsonl").write_text('{"text": "Desk lamp with a clamp", "label": "Lamps"}\n')
    clone.commit("A golden item")
    code = (clone.path / SLICES).read_text()
    left_out = code.replace("slices = dict(old)", "slices = {key: items.slice(2) for key, items in old.items()}")
    assert left_out != code
    reproduced_with(clone, SLICES, left_out)
    clone.commit("Fewer items")
    assert "up to date" in clone.dvc("status")
    said = clone.graft("verify", "HEAD", code=1)
    assert said.count("slice 2026-01-winter: item ") == 2
    assert "is left out" in said
    assert "golden-must" not in said, "that one is whole"


def worse_parent(content: dict[str, Any]) -> None:
    """The parent answers every item of the slice wrongly, so that any candidate is better."""
    for item in content["items"]:
        item["parent"]["predicted"] = "nothing of the kind"


def one_item_less(content: dict[str, Any]) -> None:
    del content["items"][3]


def another_answer(content: dict[str, Any]) -> None:
    content["items"][0]["answer"] = content["items"][0]["candidate"]["predicted"] + " "


def other_decoding(content: dict[str, Any]) -> None:
    content["params"]["candidate"]["evaluate"]["language"] = "zh"


def parents_rows(content: dict[str, Any]) -> None:
    """What the parent says passes for the candidate's answers."""
    for item in content["items"]:
        item["candidate"] = item["parent"]


def more_accuracy(content: dict[str, Any]) -> None:
    content["candidate"]["all"]["accuracy"] = 1.0


def fewer_checks(content: dict[str, Any]) -> None:
    del content["checks"][0]


PREDICTIONS = "reports/predictions.json"


@pytest.mark.parametrize(
    ("path", "edit", "message"),
    [
        pytest.param(PREDICTIONS, worse_parent, "parent: not the row that the release's own", id="worse-parent"),
        pytest.param(PREDICTIONS, one_item_less, "of the slices, and not evaluated", id="item-dropped"),
        pytest.param(PREDICTIONS, another_answer, "items[0].answer: ", id="answer-changed"),
        pytest.param(PREDICTIONS, other_decoding, "params.candidate.evaluate.language: 'zh'", id="params-changed"),
        pytest.param(PREDICTIONS, parents_rows, "its key is not that of this model and item", id="rows-of-the-parent"),
        pytest.param("reports/metrics.json", more_accuracy, "reports/metrics.json", id="metrics"),
        pytest.param("reports/verdict.json", fewer_checks, "reports/verdict.json", id="checks"),
    ],
)
def test_a_record_that_does_not_follow_from_the_predictions_is_named(
    chain: Chain, tmp_path: Path, path: str, edit: Any, message: str
) -> None:
    clone = chain.pulled(tmp_path / "clone")
    forge(clone, edited(clone, path, edit))
    said = clone.graft("verify", "HEAD", code=1)
    assert "differs: " in said
    assert message in said


def test_a_report_with_other_words_is_named(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    forge(clone, {"reports/report.md": clone.read("reports/report.md").replace("0.", "0.9").encode()})
    assert "differs: reports/report.md" in clone.graft("verify", "HEAD", code=1)


def test_rules_that_are_lowered_without_a_run_of_the_gate_are_named(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.git("tag", "-d", "v1.1.0")  # else the edit alone is named: the tree holds that release
    params = clone.read("params.yaml").replace("confidence: 0.95", "confidence: 0.55")

    recorded = clone.read("reports/params.json").replace('"confidence": 0.95', '"confidence": 0.55')

    def lowered(stages: dict[str, Any]) -> None:
        stages["gate"]["params"]["reports/params.json"]["gate"]["confidence"] = 0.55

    forge(clone, {"params.yaml": params.encode(), "reports/params.json": recorded.encode()}, lowered)
    assert "differs: reports/" in clone.graft("verify", "HEAD", code=1)


def test_a_release_says_that_its_verdict_was_recomputed_unless_the_code_differs(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    assert "v1.1.0: verdict recomputed: pass" in clone.graft("verify", "v1.1.0")
    code = clone.path / DECIDE
    code.write_text(code.read_text() + "\n")
    if not CODE:  # a kept chain's commands run from this tree
        assert "v1.1.0: verdict not recomputed: gate code differs" in clone.graft("verify", "v1.1.0")


def test_a_rebuild_runs_no_code_of_another_branch(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone", "refused")
    said = clone.graft("verify", "HEAD", "--rebuild", code=1)
    assert "not rebuilt: it is not on main, and a rebuild runs its code" in said


@pytest.fixture
def ready(chain: Chain, tmp_path: Path) -> Clone:
    """A clone whose commit of v1.1.0 has no tag, an origin and a remote of its own: ready to be released."""
    clone = chain.pulled(tmp_path / "ready")
    clone.git("tag", "-d", "v1.1.0")
    clone.git("remote", "remove", "origin")
    shutil.copytree(chain.storage, tmp_path / "storage")
    clone.stored_at(tmp_path / "storage")
    return clone


def require(clone: Clone, level: str) -> None:
    """Commit another `release.require`, on which no stage but `settings` depends."""
    params = clone.path / "params.yaml"
    params.write_text(re.sub(r"require: \w+", f"require: {level}", params.read_text()))
    if (clone.path / "models/adapter").exists():
        clone.dvc("repro", "-q")
    clone.commit(f"Require {level}")


def require_in_the_parent(clone: Clone, level: str) -> None:
    """Move v1.0.0 to a commit whose params.yaml requires this."""
    clone.git("checkout", "-q", "v1.0.0")
    adapter = clone.path / "models/adapter"
    adapter.rename(clone.path / "models/.kept")  # nothing runs for a commit of the past
    require(clone, level)
    (clone.path / "models/.kept").rename(adapter)
    clone.git("tag", "--force", "-a", "v1.0.0", "-m", "With another requirement")
    clone.git("checkout", "-q", "main")


@pytest.mark.parametrize("demand", some([require, require_in_the_parent], quick=[require_in_the_parent]))
def test_a_release_is_scored_again_where_the_tree_or_its_parent_requires_it(ready: Clone, demand: Any) -> None:
    """So a lowered requirement takes effect one release later."""
    demand(ready, "rescored")
    said = ready.graft("release")
    assert "scored again: " in said
    assert said.index("scored again: ") < said.index("tagged: v1.1.0")


@pytest.mark.slow
def test_a_release_is_trained_again_where_its_parent_required_it(ready: Clone) -> None:
    require_in_the_parent(ready, "rebuilt")
    assert "trained again: identical" in ready.graft("release")


def test_a_requirement_that_is_unknown_is_refused(ready: Clone) -> None:
    require_in_the_parent(ready, "notarised")
    said = ready.graft("release", code=1)
    assert "v1.0.0:params.yaml: $.release.require: 'notarised' is none of recomputed, rescored, rebuilt" in said
    assert ready.git("tag") == "v1.0.0"


def test_a_fresh_clone_verifies_a_release_by_the_remote_alone(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "clone")
    clone.graft("verify", "v1.1.0", code=1)  # nothing is in cache or workspace
    said = clone.graft("verify", "v1.1.0", "--remote", "--chain")
    assert "v1.1.0: verdict recomputed: pass" in said
    assert "v1.0.0: verdict recomputed: pass" in said


SITE = """
import sys

if "pipeline.recompute" in " ".join(sys.orig_argv):
    raise SystemExit("a module of the root was imported")
"""


def test_a_module_of_the_root_is_not_imported_by_the_computation(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    (clone.path / "sitecustomize.py").write_text(SITE)
    clone.commit("A module in the root")
    assert "verdict recomputed: pass" in clone.run(sys.executable, *GRAFT, "verify", "v1.1.0", **CODE)


def test_byte_code_that_python_believes_is_refused(ready: Clone) -> None:
    module = ready.path / DECIDE
    forged = ready.path / "decide.py"
    forged.write_text(module.read_text() + FORGED)
    target = module.parent / "__pycache__" / f"decide.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(str(forged), str(target), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    forged.unlink()
    assert ready.git("status", "--porcelain") == ""
    if not CODE:  # a kept chain's commands run from this tree
        assert str(target.relative_to(ready.path)) in ready.run(sys.executable, *GRAFT, "release", code=1)


def test_a_package_in_the_place_of_a_module_is_refused(ready: Clone) -> None:
    shadow = ready.path / "pipeline/gate/decide/__init__.py"
    shadow.parent.mkdir()
    shadow.write_text("def decide(*_, **__): return {}\n")
    ready.commit("A package of a module's name")
    if not CODE:  # a kept chain's commands run from this tree
        said = ready.graft("release", code=1)
        assert "pipeline/gate/decide" in said
        assert ready.git("tag") == "v1.0.0"
