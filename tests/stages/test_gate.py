import re
import subprocess
import sys
from math import nan

import pytest

from pipeline import files, schema
from pipeline.stages import gate
from tests.conftest import ENVIRONMENT, ROOT
from tests.stages.conftest import release, set_params

RULE = {"at_least": 0.6, "may_drop": 0.05}
ONLY_ALL = {"all": {"accuracy": RULE}, "each_slice": {}, "slices": {}}
EACH = {"all": {}, "each_slice": {"accuracy": RULE}, "slices": {}}


def measured(value, **slices):
    """One side of metrics.json; slices hold (accuracy, items)."""
    return {
        "all": {"accuracy": value, "items": 10},
        "slices": {name: {"accuracy": accuracy, "items": items} for name, (accuracy, items) in slices.items()},
    }


@pytest.mark.parametrize(
    ("candidate", "parent", "reasons"),
    [
        pytest.param(0.60, None, [], id="floor-itself-passes"),
        pytest.param(0.599999, None, ["all accuracy: 0.6000, needs at least 0.6000"], id="below-the-floor-refused"),
        pytest.param(0.88, 0.93, [], id="drop-exactly-allowed-passes"),
        pytest.param(
            0.879999, 0.93, ["all accuracy: 0.8800, needs at least 0.8800 (parent 0.9300, may drop 0.0500)"],
            id="larger-drop-refused",
        ),
        pytest.param(0.61, 0.62, [], id="small-drop-above-the-floor-passes"),
        pytest.param(0.59, 0.62, ["all accuracy: 0.5900, needs at least 0.6000"], id="floor-holds-within-the-drop"),
        pytest.param(nan, None, ["all accuracy: nan, needs at least 0.6000"], id="nan-refused"),
        pytest.param(0.9, nan, ["all accuracy: 0.9000, needs at least 0.6000"], id="nan-of-the-parent-refused"),
        pytest.param(None, None, ["all accuracy: not measured"], id="missing-refused"),
    ],
)  # fmt: skip
def test_decide_on_the_pooled_metric(candidate, parent, reasons):
    before = None if parent is None else measured(parent)
    checks = gate.decide(measured(candidate), before, ONLY_ALL)
    assert gate.verdict(checks)["reasons"] == reasons


@pytest.mark.parametrize(
    ("rules", "candidate", "parent", "reasons"),
    [
        pytest.param(
            EACH, measured(1.0, a=(0.7, 5), b=(0.5, 5)), None, ["b accuracy: 0.5000, needs at least 0.6000"],
            id="each-slice-is-held-to-its-rule",
        ),
        pytest.param(EACH, measured(1.0, a=(None, 0)), None, [], id="slice-without-items-says-nothing"),
        pytest.param(
            EACH | {"slices": {"a": {"accuracy": RULE}}}, measured(1.0, a=(None, 0)), None,
            ["a accuracy: not measured"], id="named-slice-without-items-refused",
        ),
        pytest.param(
            EACH | {"slices": {"gone": {"accuracy": RULE}}}, measured(1.0), None,
            ["gone accuracy: not measured"], id="named-slice-that-does-not-exist-refused",
        ),
        pytest.param(
            EACH | {"slices": {"a": {"accuracy": {"at_least": 0.4, "may_drop": 0}}}}, measured(1.0, a=(0.5, 5)), None,
            [], id="named-rule-stands-in-place-of-each-slice",
        ),
        pytest.param(
            EACH, measured(1.0, a=(0.9, 5)), measured(1.0),
            ["a accuracy: not measured for the parent"], id="slice-missing-for-the-parent-refused",
        ),
        pytest.param(
            EACH, measured(1.0, new=(0.7, 5)), measured(1.0, new=(0.1, 5)), [], id="parent-worse-on-new-labels-passes",
        ),
    ],
)  # fmt: skip
def test_decide_on_slices(rules, candidate, parent, reasons):
    assert gate.verdict(gate.decide(candidate, parent, rules))["reasons"] == reasons


def test_verdict_is_recomputed_from_its_own_checks():
    found = gate.verdict(
        gate.decide(measured(0.5, a=(0.9, 5)), measured(0.9, a=(0.9, 5)), EACH | {"all": {"accuracy": RULE}})
    )
    assert [(check["slice"], check["ok"]) for check in found["checks"]] == [("all", False), ("a", True)]
    assert schema.problems(found, "verdict") == []
    assert schema.problems(found | {"reasons": []}, "verdict") != []


def test_refusal_is_a_result_and_exits_with_zero(done):
    set_params(
        done, gate__rules={"all": {"accuracy": {"at_least": 1.0, "may_drop": 0.0}}, "each_slice": {}, "slices": {}}
    )
    candidate = {"all": {"accuracy": 0.5, "macro_f1": 0.5, "items": 10}, "slices": {}}
    files.write_json(gate.REPORTS / "metrics.json", {"candidate": candidate, "parent": None, "truncated": 0})
    code = "import sys; from pipeline.stages import gate; gate.main(); assert 'torch' not in sys.modules"
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    reason = "all accuracy: 0.5000, needs at least 1.0000"
    assert said == f"gate: refused\n  {reason}\n"
    assert files.read_json(gate.REPORTS / "decision.json") == "refused"
    assert files.read_json(gate.REPORTS / "reasons.json") == [reason]
    verdict = files.read_json(gate.REPORTS / "verdict.json")
    assert (verdict["verdict"], verdict["reasons"]) == ("refused", [reason])
    assert schema.problems(verdict, "verdict") == []
    report = (gate.REPORTS / "report.md").read_text()
    assert report.startswith("# Refused: 1 of 1 checks failed\n")
    assert f"- {reason}" in report


def test_what_merge_depends_on_is_the_same_for_every_candidate_that_passes(done, finished, run):
    found = files.read_json(gate.REPORTS / "metrics.json")
    found["candidate"]["all"]["accuracy"] = 0.987654
    files.write_json(gate.REPORTS / "metrics.json", found)
    set_params(
        done, gate__rules={"all": {"accuracy": {"at_least": 0.1, "may_drop": 0.0}}, "each_slice": {}, "slices": {}}
    )
    run(gate)
    assert "0.9877" in (gate.REPORTS / "report.md").read_text()
    for name in ("decision.json", "reasons.json"):
        assert (gate.REPORTS / name).read_bytes() == (finished / gate.REPORTS / name).read_bytes()


def test_report_compares_with_the_parent_by_its_release_name(done, finished, run):
    release(finished, done)
    found = files.read_json(gate.REPORTS / "metrics.json")
    before = found["candidate"]["all"]["accuracy"]
    found["parent"] = {**found["candidate"], "all": found["candidate"]["all"] | {"accuracy": round(before - 0.125, 6)}}
    files.write_json(gate.REPORTS / "metrics.json", found)
    run(gate)
    report = (gate.REPORTS / "report.md").read_text()
    assert report.startswith("# Pass: the candidate may replace v1.0.0\n")
    assert f"| **all** | 12 | {before:.4f} | {before - 0.125:.4f} | +0.1250 |" in report
    assert "| rejected: empty text | 3 |" in report
    assert "| new to train on | 48 |" in report


def test_report_of_a_candidate_with_nothing_new_says_so(done, run):
    facts = files.read_json(gate.REPORTS / "training.json")
    nothing = dict.fromkeys(facts, 0) | {"machine_class": None, "final_loss": None, "increments": {}}
    files.write_json(gate.REPORTS / "training.json", nothing)
    gate.CURVE.write_text("step,loss,learning_rate\n")
    run(gate)
    assert "the parent's adapter is handed on" in (gate.REPORTS / "report.md").read_text()
    assert "<svg" not in (gate.REPORTS / "report.html").read_text()


def test_page_loads_nothing_and_knows_light_and_dark(finished):
    page = (finished / gate.REPORTS / "report.html").read_text()
    assert not re.search(r"https?://|//\w|src=|@import|<link|<script", page)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert page.count("<table>") == 2
    assert "<polyline" in page


def test_report_shows_markup_in_names_and_does_not_obey_it(done, run):
    found = files.read_json(gate.REPORTS / "metrics.json")
    found["candidate"]["slices"]["golden-<script>|x"] = found["candidate"]["slices"]["winter"]
    files.write_json(gate.REPORTS / "metrics.json", found)
    run(gate)
    page = (gate.REPORTS / "report.html").read_text()
    assert "golden-&lt;script&gt;|x</td>" in page
    assert "<script>" not in page


CEILING = {"all": {"loss": {"at_most": 2.0, "may_rise": 0.1}}, "each_slice": {}, "slices": {}}


@pytest.mark.parametrize(
    ("candidate", "parent", "reasons"),
    [
        pytest.param(2.0, None, [], id="ceiling-itself-passes"),
        pytest.param(2.1, None, ["all loss: 2.1000, allowed is at most 2.0000"], id="above-the-ceiling-refused"),
        pytest.param(1.6, 1.5, [], id="rise-exactly-allowed-passes"),
        pytest.param(
            1.7, 1.5, ["all loss: 1.7000, allowed is at most 1.6000 (parent 1.5000, may rise 0.1000)"],
            id="larger-rise-refused",
        ),
        pytest.param(nan, 1.5, ["all loss: nan, allowed is at most 1.6000 (parent 1.5000, may rise 0.1000)"], id="nan"),
        pytest.param(1.7, nan, ["all loss: 1.7000, allowed is at most 2.0000"], id="nan-of-the-parent-refused"),
    ],
)  # fmt: skip
def test_loss_is_held_below_its_ceiling(candidate, parent, reasons):
    blocks = [{"all": {"loss": value, "items": 10}, "slices": {}} for value in (candidate, parent)]
    checks = gate.decide(blocks[0], None if parent is None else blocks[1], CEILING)
    assert gate.verdict(checks)["reasons"] == reasons


def test_rules_for_metrics_that_a_slice_has_not_are_not_applied_unless_they_name_it():
    talk = {"all": {"loss": 1.0, "items": 5}, "slices": {"talk": {"loss": 1.0, "items": 5}}}
    rules = EACH | {"all": {"accuracy": RULE} | CEILING["all"]}
    assert [check.metric for check in gate.decide(talk, None, rules)] == ["loss"]
    named = rules | {"slices": {"talk": {"accuracy": RULE}}}
    assert gate.verdict(gate.decide(talk, None, named))["reasons"] == ["talk accuracy: not measured"]


def test_candidate_that_no_rule_judged_is_refused():
    talk = {"all": {"loss": 1.0, "perplexity": 2.7, "items": 5}, "slices": {}}
    reason = "no rule judged the candidate: measured are loss, perplexity, and gate.rules speaks of accuracy"
    assert gate.unjudged(gate.decide(talk, None, ONLY_ALL), ONLY_ALL, talk) == [reason]
    assert gate.unjudged(gate.decide(talk, None, CEILING), CEILING, talk) == []
    assert gate.unjudged([], {"all": {}, "each_slice": {}, "slices": {}}, talk) == []
    assert gate.verdict([], [reason])["verdict"] == "refused"
