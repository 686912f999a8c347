"""The stage in a folder that holds what the stages before it write, made up."""

import shutil
import subprocess
import sys

import pytest

from pipeline.chain.lock import lockfile
from pipeline.common import files, schema
from pipeline.evaluation.metrics import details, matrix
from pipeline.gate.decide import decide
from pipeline.stages import gate
from tests.conftest import ENVIRONMENT, ROOT
from tests.gate.made import RULES, counted, predictions, row, said
from tests.stages.conftest import set_params, settle

NO_RULES = {"all": {}, "each_slice": {}, "slices": {}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy2(ROOT / "params.yaml", tmp_path)
    settle(tmp_path)
    requested = lockfile.Requested(source="builtin", revision=None)
    base = lockfile.LockedBase(requested=requested, resolved=lockfile.Resolved(revision=None, sha256={"a": "0" * 64}))
    lock = lockfile.Lock(base=base, parent=None, anchor=None, increment="data/increments/winter", toolchain={})
    lockfile.save(lock, tmp_path / "models.lock")
    files.write_json(tmp_path / "data/prepared/report.json", {"read": 63, "records": 60, "rejects": {"empty text": 3}})
    fates = {"seen": 0, "conflicts": 0, "golden": 0, "eval": 12, "eval_over_cap": 0, "train_new": 48}
    files.write_json(
        tmp_path / "data/assembled/report.json", {"records": 60, **fates, "replayed": 0, "labels": {"a": 48}}
    )
    training = {"steps": 0, "records": 0, "epochs": 0, "tokens": 0, "final_loss": None, "machine_class": None}
    files.write_json(tmp_path / "reports/training.json", training | {"truncated": 0, "increments": {}})
    files.write_text(tmp_path / "reports/plots/loss.csv", "step,loss,learning_rate,gradient_norm\n")
    files.write_text(tmp_path / "reports/plots/learning_rate.csv", "learning_rate,loss\n")
    measured = {"all": {"accuracy": 0.9, "macro_f1": 0.9, "items": 12}, "slices": {}}
    nothing = dict.fromkeys(["parent", "anchor", "robustness", "chain"])
    files.write_json(tmp_path / "reports/metrics.json", {"candidate": measured, "truncated": 0} | nothing)
    files.write_json(tmp_path / "reports/details.json", details.details([]))
    files.write_json(tmp_path / "reports/matrix.json", matrix.extend(None, None, "winter", {}, None))
    return tmp_path


def judged(items, **params):
    """Run the stage on some predictions; what it printed is left to capsys."""
    set_params(gate.Path(), **{f"gate__{name}": value for name, value in params.items()})
    found = predictions(items)
    files.write_json(gate.REPORTS / "predictions.json", found)
    gate.main()
    return files.read_json(gate.REPORTS / "verdict.json")


def test_refusal_is_a_result_and_exits_with_zero(folder):
    set_params(folder, gate__rules=RULES | {"all": {"accuracy": {"at_least": 1.0, "may_drop": 0.02}}})
    files.write_json(gate.REPORTS / "predictions.json", predictions(counted("winter", 3000, wrong=1), same=True))
    code = "import sys; from pipeline.stages import gate; gate.main(); print(sorted(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    reason = "all accuracy: 0.9997, needs at least 1.0000"
    assert told.startswith(f"gate: fail: refused\n  {reason}\n")
    assert not [name for name in ("torch", "transformers", "pandas", "scipy", "sklearn") if f"'{name}'" in told]
    assert files.read_json(gate.REPORTS / "decision.json") == "refused"
    assert files.read_json(gate.REPORTS / "reasons.json") == [reason]
    verdict = files.read_json(gate.REPORTS / "verdict.json")
    assert (verdict["verdict"], verdict["decision"], verdict["reasons"]) == ("fail", "refused", [reason])
    assert schema.problems(verdict, "verdict") == []


def test_tiny_set_is_refused_and_says_what_is_needed(folder, capsys):
    found = judged(counted("winter", 12, 0, 1))
    assert (found["verdict"], found["decision"]) == ("inconclusive", "refused")
    assert "needed are about" in capsys.readouterr().out
    assert files.read_json(gate.REPORTS / "decision.json") == "refused"


def test_warned_or_overridden_it_passes_and_says_so(folder, capsys):
    found = judged(counted("winter", 12, 0, 1), inconclusive="warn")
    assert (found["verdict"], found["decision"]) == ("inconclusive", "pass")
    override = {"who": "Li", "why": "checked by hand", "release": "v1.0.0"}
    found = judged(counted("winter", 12, 0, 1), inconclusive="override", override=override)
    assert (found["override"]["state"], found["decision"]) == ("used", "pass")
    assert "overridden by Li: checked by hand" in capsys.readouterr().out
    assert files.read_json(gate.REPORTS / "decision.json") == "pass"


def test_verdict_is_computed_again_from_predictions_and_params(folder):
    found = judged(counted("winter", 200, 10, 15) + counted("spring", 40, 9, 2))
    from pipeline.common import params

    again = decide(files.read_json(gate.REPORTS / "predictions.json"), params.load_all()["gate"])
    assert files.dumps(again) == (gate.REPORTS / "verdict.json").read_text()
    assert found["checks"]


def test_what_merge_depends_on_is_the_same_for_every_candidate_that_passes(folder):
    names = ("decision.json", "reasons.json")
    judged(counted("winter", 3000))
    first = [(gate.REPORTS / name).read_bytes() for name in names]
    judged(counted("winter", 12, 0, 1), inconclusive="warn")
    assert [(gate.REPORTS / name).read_bytes() for name in names] == first


def test_defaults_judge_what_they_should(folder):
    labels = ["a", "b", "c", "d"]
    items = [
        said(number, ["winter"], True, True, answer=labels[number % 4])
        | {"candidate": row(labels[(number + (number % 17 == 0)) % 4]), "parent": row(labels[number % 4])}
        for number in range(2000)
    ]
    found = judged(items)
    assert found["verdict"] == "fail"
    assert [reason.split(":")[0] for reason in found["reasons"]] == [
        "all accuracy", "all macro_f1", "winter accuracy",
    ]  # fmt: skip


def test_no_rules_judge_nothing(folder):
    assert judged(counted("winter", 12, 0, 9), rules=NO_RULES)["decision"] == "pass"
