import re
from pathlib import Path

import pytest

from pipeline.common import files, schema
from pipeline.stages import gate
from tests.stages.conftest import release, schema_problems, set_params


def test_report_compares_with_the_parent_by_its_release_name(done, finished, run):
    release(finished, done)
    told = files.read_json(gate.REPORTS / "predictions.json")
    told |= {"releases": {"parent": "v1.0.0", "anchor": None}}
    told["models"]["parent"] = told["models"]["candidate"] | {"weights": "0" * 32}
    for item in told["items"]:
        item["parent"] = item["candidate"] | {"key": "0" * 32}
    files.write_json(gate.REPORTS / "predictions.json", told)
    run(gate)
    report = (gate.REPORTS / "report.md").read_text()
    assert "v1.0.0" in report.partition("\n")[0]
    assert "| rejected: empty text | 3 |" in report
    assert "| new to train on | 48 |" in report


def test_report_of_a_candidate_with_nothing_new_says_so(done, run):
    facts = files.read_json(gate.REPORTS / "training.json")
    nothing = dict.fromkeys(facts, 0) | {"machine_class": None, "final_loss": None, "increments": {}}
    files.write_json(gate.REPORTS / "training.json", nothing)
    Path("reports/plots/loss.csv").write_text("step,loss,learning_rate,gradient_norm\n")
    run(gate)
    assert "the parent's adapter is handed on" in (gate.REPORTS / "report.md").read_text()
    assert "<polyline" not in (gate.REPORTS / "report.html").read_text()


def test_page_loads_nothing_and_knows_light_and_dark(finished):
    page = (finished / gate.REPORTS / "report.html").read_text()
    assert not re.search(r"https?://|//\w|src=|@import|<link|<script", page)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert "<polyline" in page


@pytest.fixture
def repeated(done, finished):
    """A candidate that repeats its parent, whose rules ask for nothing."""
    release(finished, done)
    told = files.read_json(gate.REPORTS / "predictions.json")
    files.write_json(gate.REPORTS / "predictions.json", told | {"releases": {"parent": "v1.0.0", "anchor": None}})
    return done


def test_reports_of_a_candidate_fit_their_schemas(finished):
    reports = sorted((finished / "reports").glob("*.json"))
    assert {"decision", "metrics", "predictions", "reasons", "training", "verdict"} <= {path.stem for path in reports}
    assert schema_problems(reports) == {}


def first_lines() -> str:
    """What report.md says before its first section, and that report.html says it, too."""
    text = (gate.REPORTS / "report.md").read_text().partition("## Why")[0]
    assert ("Changed since" in text) == ("Changed since" in (gate.REPORTS / "report.html").read_text())
    return text


def test_report_says_first_which_rules_changed_and_what_the_parents_say(repeated, run):
    none = {"all": {}, "each_slice": {}, "slices": {}}
    set_params(
        repeated, gate__rules=none | {"all": {"accuracy": {"at_least": 1.0, "may_drop": 0.02}}}, gate__confidence=0.9
    )
    assert "verdict is unchecked and let pass, not fail" in run(gate)
    text = first_lines()
    assert (
        "**Changed since v1.0.0: gate rules. By v1.0.0's rules the verdict is unchecked and let pass, not fail.**"
        in text
    )
    assert "gate.rules.all.accuracy: none → at_least 1.0, may_drop 0.02 (stricter than v1.0.0's)" in text
    assert "gate.confidence: 0.95 → 0.9 (looser than v1.0.0's)" in text
    for name in ("changes", "rules"):
        assert schema.problems(files.read_json(gate.REPORTS / f"{name}.json"), name) == []


def test_unchanged_rules_are_not_spoken_of(repeated, run):
    assert "Changed since" not in run(gate)
    assert "v1.0.0" in first_lines()
    assert "Changed since" not in first_lines()


def test_parent_that_recorded_no_rules_is_named_once_and_stops_nothing(repeated, run):
    (repeated / "models/parent/rules.json").unlink()
    run(gate)
    assert "v1.0.0 does not record its rules and code" in first_lines()
