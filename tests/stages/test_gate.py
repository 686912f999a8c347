import re
from pathlib import Path

from pipeline import files
from pipeline.stages import gate
from tests.stages.conftest import release


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
