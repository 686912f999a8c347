import re

from pipeline import files
from pipeline.stages import gate
from tests.stages.conftest import release


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
