"""Charts, Markdown's parts, efficiency, texts by id."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.common import files
from pipeline.data.records import arrow
from pipeline.data.records.records import Record, classification
from pipeline.evaluation.cost import efficiency_page
from pipeline.report import changed_examples, comparison, gathered, item_texts, params_changes
from pipeline.report.html import charts
from pipeline.report.parts import markdown_parts
from tests.pages import Page
from tests.report.made import facts

GFM = MarkdownIt("commonmark").enable("table")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (2, 304, [100, 200, 300]),
        (0, 5e-3, [0, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3]),
        (-0.02, 0.03, [-0.02, -0.01, 0, 0.01, 0.02, 0.03]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round(low, high, expected) -> None:
    assert charts.ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1e-5, 0.1, [1e-5, 1e-4, 1e-3, 1e-2, 0.1]), (1e-3, 6e-3, [1e-3, 2e-3, 5e-3]), (3e-3, 4e-3, [3e-3, 4e-3])],
)
def test_ticks_of_a_logarithmic_axis(low, high, expected) -> None:
    assert charts.log_ticks(low, high) == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), max_size=20), st.booleans())
def test_any_curve_is_drawn_inside_its_frame(points, log) -> None:
    drawn = charts.curve("loss", sorted(points, key=lambda point: point[0]), across="step", log=log)
    assert Page(drawn).open == []
    assert "nan" not in drawn
    for pair in re.findall(r'points="(.*?)"', drawn):
        for point in pair.split():
            x, y = map(float, point.split(","))
            assert -1 <= x <= charts.WIDTH + 1
            assert -1 <= y <= charts.HEIGHT + 1


def test_curve_is_thinned_and_values_that_are_no_numbers_are_left_out() -> None:
    points = [(step, math.nan if step == 3 else step) for step in range(5_000)]
    drawn = re.search(r'points="(.*?)"', charts.curve("x", points, across="step"))
    assert drawn is not None
    assert len(drawn[1].split()) == charts.MOST
    assert charts.curve("x", [(1, math.nan)], across="step") == ""


@given(st.text(max_size=80))
def test_code_reads_as_the_text_and_stays_in_its_cell(text) -> None:
    html = GFM.render(markdown_parts.table(["a", "b"], [[markdown_parts.code(text), "x"]]))
    assert len(re.findall("<td>", html)) == 2
    assert not re.search(r"<(?!/?(table|thead|tbody|tr|th|td|code|em)>)\w", html)


@given(st.text(max_size=80))
def test_plain_text_is_one_paragraph_without_markup(text) -> None:
    html = GFM.render(f"- {markdown_parts.plain(text)}")
    assert not re.search(r"<(?!/?(ul|li)>)[a-z]", html)
    assert html.count("<li>") == 1


def test_mentions_and_numbers_call_nobody() -> None:
    assert "@everyone" not in markdown_parts.plain("@everyone #12")
    assert "#12" not in markdown_parts.plain("@everyone #12")


def test_blocks_that_do_not_fit_are_left_out_and_that_is_said() -> None:
    assert markdown_parts.fitted(["a" * 10, "b" * 100, "c"], 60, "more") == "aaaaaaaaaa\n\nc\n\nmore\n"
    assert markdown_parts.fitted(["a", "", "c"], 60, "more") == "a\n\nc\n"


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"difference": 0.02, "low": 0.01, "high": 0.03}, comparison.BETTER),
        ({"difference": -0.02, "low": -0.03, "high": -0.01}, comparison.WORSE),
        ({"difference": -0.02, "low": -0.03, "high": -0.01, "status": "undecided"}, comparison.OPEN),
        ({"difference": -0.02, "low": -0.05, "high": 0.01}, comparison.OPEN),
        ({"difference": 0.0, "low": 0.0, "high": 0.0, "discordant": 0}, comparison.SAME),
        ({"difference": 0.0, "low": -0.01, "high": 0.01, "discordant": 4}, comparison.OPEN),
        ({"difference": 0.2, "low": None, "high": None}, comparison.OPEN),
        ({"difference": None}, None),
    ],
)
def test_arrow_says_better_only_where_the_bounds_do(bounds, said) -> None:
    assert comparison.arrow({"lower": False, "status": "pass", **bounds}) == said


def test_changed_settings() -> None:
    before = {"train": {"epochs": 8, "dpo": {"beta": 0.1}}, "gate": {}}
    after = {"train": {"epochs": 8, "dpo": {"beta": 0.2}}, "gate": {}, "new": None}
    assert params_changes.changed(before, after) == [("new", "not there", "null"), ("train.dpo.beta", "0.1", "0.2")]


TIMINGS = {
    "candidate": {
        "p50_ms": 4.0, "p95_ms": 6.0, "cpu_ms": 7.5, "memory_gb": 0.5,
        "lengths": [{"tokens": 32, "rounds": 16, "p50_ms": 3.0, "prefill_tokens_per_s": 1000.0}],
    },
    "parent": {"p50_ms": 5.0, "p95_ms": 6.0, "memory_gb": 0.5, "lengths": [{"tokens": 32, "p50_ms": 2.0}]},
    "seconds": 12.5, "peak_memory_bytes": 900_000_000,
}  # fmt: skip


def test_efficiency_compares_with_the_parent() -> None:
    text = efficiency_page.markdown(TIMINGS, "v1.0.0")
    assert "| latency p50, ms | 4.000 | 5.000 | −20.0% |" in text
    assert "## Prompts of 32 tokens" in text
    assert "| latency p50, ms | 3.000 | 2.000 | +50.0% |" in text
    assert "900,000,000" in text
    page = Page(efficiency_page.html(TIMINGS, "v1.0.0"))
    assert page.open == []
    assert "−20.0%" in page.text
    for shown in (text, page.text):
        assert "Latency p50: half of the answers took less" in shown
        assert "Of few rounds a change of a few tens of percent is noise." in shown


@pytest.mark.parametrize("timings", [{}, {"candidate": {}, "parent": None}, {"candidate": TIMINGS["candidate"]}])
def test_efficiency_of_what_was_not_measured_is_shown(timings) -> None:
    assert "v1.0.0" not in efficiency_page.markdown(timings, "v1.0.0")
    assert Page(efficiency_page.html(timings, None)).open == []


def test_texts_are_found_by_id(tmp_path) -> None:
    records = [
        Record(id=f"{place:064}", messages=classification(f"title {place}", "Toy"), increment="a", file="f", line=1)
        for place in range(5)
    ]
    plain = Record(
        id="f" * 64, kind="text", messages=[{"role": "text", "content": "prose"}], increment="a", file="f", line=1
    )
    arrow.write_records(tmp_path / "a.arrow", records[:3])
    arrow.write_records(tmp_path / "b.arrow", [*records[3:], plain])
    wanted = [records[1].id, records[4].id, plain.id, "0" * 63 + "9"]
    assert item_texts.read(tmp_path, wanted) == {records[1].id: "title 1", records[4].id: "title 4", plain.id: "prose"}
    assert item_texts.read(tmp_path, []) == {}


def test_facts_are_read_from_the_files_of_the_stages(tmp_path, monkeypatch) -> None:
    made = facts({"winter": 6})
    monkeypatch.chdir(tmp_path)
    for name in ("metrics", "details", "matrix", "training"):
        files.write_json(Path(f"reports/{name}.json"), getattr(made, name))
    for name in ("prepared", "assembled"):
        files.write_json(Path(f"data/{name}/report.json"), getattr(made, name))
    files.write_text(Path("reports/plots/loss.csv"), made.curve)
    files.write_text(Path("reports/plots/learning_rate.csv"), made.rates)
    shown = changed_examples.shown(made.predictions, made.verdict)
    records = [
        Record(id=key, messages=classification(made.texts[key], "Toy"), increment="a", file="f", line=1)
        for key in shown
    ]
    arrow.write_records(Path("data/assembled/slices/winter.arrow"), records)
    predictions = {**made.predictions, "releases": {"parent": "v1.1.0", "anchor": None}}
    found = gathered.read(made.verdict, made.gate, predictions, made.increment, {})
    assert found == replace(made, predictions=predictions, texts={key: made.texts[key] for key in shown})
