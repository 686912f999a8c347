"""Each tree's own gate judges the same predictions: no code of the other tree has a say."""

import shutil
from pathlib import Path

import pytest

from pipeline.ci import verdicts
from pipeline.evaluation import predictions
from tests.conftest import ROOT
from tests.gate.made import counted
from tests.gate.made import predictions as made

NEVER_REFUSES = """

_decide = decide
def decide(*arguments):
    return _decide(*arguments) | {"verdict": "pass", "decision": "pass", "reasons": []}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository's code and params, and beside it predictions that the shipped rules refuse."""
    folder = tmp_path / "tree"
    for name in ("pipeline", "schemas"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "params.yaml", folder)
    predictions.write(tmp_path / "predictions.json", made(counted("winter", 200, broken=90)))
    return folder


def test_a_gate_that_always_passes_decides_in_its_own_tree_alone(tree: Path, tmp_path: Path) -> None:
    with (tree / "pipeline/gate/decide.py").open("a") as file:
        file.write(NEVER_REFUSES)
    assert verdicts.tree_verdict(tree, tmp_path / "predictions.json").word == "pass"
    ours = verdicts.tree_verdict(ROOT, tmp_path / "predictions.json")
    assert (ours.word, ours.error) == ("fail", "")
    assert ours.reasons[0].startswith("all accuracy: 0.5500, needs at least 0.6000")


@pytest.mark.parametrize(
    ("name", "old", "new", "error"),
    [
        ("pipeline/evaluation/predictions.py", "VERSION = 1", "VERSION = 0", "this Graft reads 0"),
        ("pipeline/gate/decide.py", "def decide(", "def other(", "cannot import name 'decide'"),
        ("params.yaml", "may_drop: 0.02", "may_drop: -1", "$.gate.rules.all.accuracy.may_drop: must be at least 0"),
        ("pipeline/gate/decide.py", '"verdict": word,', '"verdict": "pass\\n::error::hello",', "gives no verdict"),
    ],
)
def test_a_gate_that_gives_no_verdict_says_why(
    tree: Path, tmp_path: Path, name: str, old: str, new: str, error: str
) -> None:
    text = (tree / name).read_text(encoding="utf-8")
    assert old in text
    (tree / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    verdict = verdicts.tree_verdict(tree, tmp_path / "predictions.json")
    assert verdict.word == ""
    assert error in verdict.error


def test_a_tree_without_a_gate_never_takes_another_trees(tmp_path: Path) -> None:
    verdict = verdicts.tree_verdict(tmp_path, tmp_path / "predictions.json")
    assert (verdict.word, verdict.error) == ("", "it has no pipeline/")
