"""graft verify --rescore names predictions that the published weights do not give, however well they are signed."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CODE, Chain, Clone
from tests.forging import forge, predictions

PREDICTIONS = "reports/predictions.json"
DRAWN = ("--rescore", "40", "--seed", "7")
Item = dict[str, Any]


def report(clone: Clone, *arguments: str, code: int = 0) -> dict[str, Any]:
    """`rescored` of the JSON that `graft verify` prints below its progress."""
    text = clone.graft("verify", *arguments, "--json", code=code)
    found: dict[str, Any] = json.loads(text[text.index("{\n") :])["rescored"]
    return found


def sign(clone: Clone) -> None:
    """Have cache, dvc.lock and manifest hold whatever the working tree holds, and commit."""
    clone.run(sys.executable, "-m", "pipeline.stages.manifest")
    clone.dvc("commit", "-q", "--force")
    clone.commit("A candidate")


def another_label(item: Item, labels: list[str]) -> None:
    item["candidate"]["predicted"] = next(label for label in labels if label != item["candidate"]["predicted"])


def another_score(item: Item, _: list[str]) -> None:
    item["candidate"]["score"] += 0.01


def another_confidence(item: Item, _: list[str]) -> None:
    item["candidate"]["confidence"] -= 0.01


def another_answer(item: Item, labels: list[str]) -> None:
    item["answer"] = next(label for label in labels if label != item["answer"])


def worse_parent(item: Item, labels: list[str]) -> None:
    item["parent"]["predicted"] = next(label for label in labels if label != item["parent"]["predicted"])


LIES: list[tuple[Callable[[Item, list[str]], None], str, str]] = [
    (another_label, "candidate", "predicted"),
    (another_score, "candidate", "score"),
    (another_confidence, "candidate", "confidence"),
    (another_answer, "", "answer"),
    (worse_parent, "parent", "predicted"),
]


def test_release_is_as_recorded_in_a_fresh_clone(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "fresh")
    found = report(clone, "v1.0.0", "--remote", *DRAWN)
    assert (found["different"], found["items"], found["of"], found["seed"]) == (False, 40, 577, 7)
    assert found["max_difference"] < found["bound"]
    assert clone.git("status", "--porcelain") == ""
    assert not (clone.path / ".graft/rescore").exists()


def test_forged_predictions_are_named_item_by_item(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    recorded = json.loads(clone.read(PREDICTIONS))
    for place, item in enumerate(recorded["items"]):
        LIES[place % len(LIES)][0](item, recorded["labels"])
    forge(clone, {PREDICTIONS: predictions(recorded)})
    found = report(clone, "HEAD", *DRAWN, code=1)
    named = {(one["id"], one["side"], one["field"]) for one in found["differences"]}
    forged = {
        (item["id"], side, field)
        for place, item in enumerate(recorded["items"])
        for _, side, field in [LIES[place % len(LIES)]]
    }
    assert named <= forged
    assert {(side, field) for _, side, field in named} == {(side, field) for _, side, field in LIES}
    assert (found["items"], found["seed"]) == (40, 7)


@pytest.mark.slow
def test_parents_weights_are_not_the_candidates(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    shutil.rmtree(clone.path / "models/merged")
    shutil.copytree(chain.pulled(tmp_path / "before", "v1.0.0").path / "models/merged", clone.path / "models/merged")
    sign(clone)
    assert "every SHA-256 as in the manifest" in clone.graft("verify", "HEAD")
    said = clone.graft("verify", "HEAD", "--rescore", code=1)
    assert "HEAD: scored again: 785 of 785 items scored with models/merged: " in said
    assert "predicted: recorded '" in said


def test_refused_candidate_has_no_weights_to_score(chain: Chain, tmp_path: Path) -> None:
    said = chain.pulled(tmp_path / "clone", "refused").graft("verify", "--rescore", code=1)
    assert "working tree: no weights to score: the gate refused this candidate" in said


def test_verify_loads_torch_only_to_score(chain: Chain) -> None:
    code = "import sys; from pipeline.cli import main; main(['verify', 'v1.1.0'], standalone_mode=False)"
    print_it = "; print('torch' in sys.modules)"
    assert chain.work.run(sys.executable, "-c", code + print_it, **CODE).endswith("False\n")
