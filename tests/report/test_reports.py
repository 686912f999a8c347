"""report.md and report.html of every sort of candidate: bounded, harmless, complete, the same bytes each time."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from pipeline.report import changed_examples, markdown
from pipeline.report.facts import Facts
from pipeline.report.html import page
from tests.pages import Page
from tests.report.conftest import TWO, candidate
from tests.report.made import HOSTILE, facts

GITHUB = 60_000  # characters: with what stands around it, a report fits a comment


def rendered(text: str) -> Page:
    """Markdown as GitHub reads it, HTML in it obeyed."""
    return Page(MarkdownIt("commonmark").enable("table").render(text))


def test_markdown_fits_a_comment_and_is_the_same_each_time(case: Facts) -> None:
    text = markdown.render(case)
    assert len(text) < GITHUB
    assert text == markdown.render(case)
    text.encode()  # no lone surrogate is left


def test_markdown_that_would_not_fit_leaves_out_what_matters_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "LIMIT", 20_000)
    text = markdown.render(candidate("huge"))
    assert len(text) < 20_000
    assert text.startswith("# Fail")
    assert "## Why" in text
    assert "left out, to fit a comment" in text


def test_markdown_holds_no_html_link_or_mention_from_data(case: Facts) -> None:
    text = markdown.render(case)
    found = rendered(text)
    assert set(found.tags) <= {
        "h1",
        "h2",
        "p",
        "ul",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "em",
        "code",
    }
    assert found.open == []
    outside = re.sub(r"(?s)<code>.*?</code>", "", MarkdownIt("commonmark").enable("table").render(text))
    assert not re.search(r"@\w|#\d|https?://|www\.", re.sub(r"&#?\w+;", "", outside)) or "⁠" in outside
    assert not re.search(r"@\w|#\d", re.sub(r"&#?\w+;", "", outside))


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_head(case: Facts) -> None:
    html = MarkdownIt("commonmark").enable("table").render(markdown.render(case))
    for table in re.findall(r"(?s)<table>.*?</table>", html):
        cells = {len(re.findall(r"<t[hd][ >]", row)) for row in re.findall(r"(?s)<tr>.*?</tr>", table)}
        assert len(cells) == 1, table


def test_page_is_well_formed_loads_nothing_and_obeys_nothing(case: Facts) -> None:
    html = page.html(case)
    found = Page(html)
    assert found.open == []
    assert not {"script", "img", "link", "iframe", "object", "a"} & set(found.tags)
    assert not {name for name, _ in found.attributes if name.startswith("on") or name in ("src", "href")}
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|https?:|//", style)
    assert html == page.html(case)
    html.encode()


def test_page_is_bounded(case: Facts) -> None:
    assert len(page.html(case)) < 700_000


@pytest.mark.parametrize("render", [markdown.render, page.html])
@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("pass", "Pass: the candidate may replace v1.1.0"),
        ("first", "Pass: the candidate may become the first release"),
        ("fail", "Fail: the candidate may not replace v1.1.0"),
        ("tiny", "Inconclusive: too little to tell whether the candidate may replace v1.1.0"),
    ],
)
def test_verdict_stands_first_and_in_words(name, headline, render) -> None:
    text = render(candidate(name))
    assert text.startswith(f"# {headline}\n") or f"<title>{headline}</title>" in text
    first = text.index(headline)
    for reason in candidate(name).verdict["reasons"]:
        assert first < text.index(reason.split(":")[0]) < text.index("Slices")


@pytest.mark.parametrize("render", [markdown.render, page.html])
def test_override_is_said_with_who_and_why(render) -> None:
    tiny = candidate("tiny")
    verdict = {
        **tiny.verdict, "decision": "pass", "reasons": [], "warnings": tiny.verdict["reasons"],
        "override": {"who": "A. Person", "why": "few titles of this kind exist", "release": "v1.1.0", "state": "used"},
    }  # fmt: skip
    text = render(replace(tiny, verdict=verdict))
    assert "Inconclusive, let pass by an override: the candidate may replace v1.1.0" in text
    assert "Let pass by A. Person, compared with v1.1.0 and until the parent moves on: few titles" in text
    assert "Warnings" in text
    lapsed = {**tiny.verdict, "override": {**verdict["override"], "state": "lapsed", "release": "v1.0.0"}}
    assert "A. Person" not in render(replace(tiny, verdict=lapsed))
    warned = render(replace(tiny, verdict={**verdict, "override": None}))
    assert "Inconclusive, let pass with a warning: the candidate may replace v1.1.0" in warned


@pytest.mark.parametrize("render", [markdown.render, page.html])
def test_slices_come_with_bounds_status_and_what_they_would_need(render) -> None:
    tiny = candidate("tiny")
    text = Page(render(tiny)).text if render is page.html else render(tiny)
    open_ones = [check for check in tiny.verdict["checks"] if check["status"] in ("inconclusive", "undecided")]
    assert {check["status"] for check in open_ones} == {"inconclusive", "undecided"}
    for check in open_ones:
        assert f"detects {check['detectable']:.4f}, needs {check['needed']:,} items" in text
        assert f"at least {check['low']:+.4f}".replace("-", "−") in text


def test_every_number_of_a_slice_has_its_title_where_rows_stack_on_a_phone() -> None:
    table = re.search(r'<table class="stacks">.*?</table>', page.html(candidate("sixty")), re.DOTALL)
    assert table
    first = re.findall("<tr.*?</tr>", table[0])[1]
    assert re.findall('data-title="(.*?)"', first) == [
        "slice", "status", "change from v1.1.0", "bounds", "change from anchor v1.0.0", "candidate", "asked", "v1.1.0",
        "anchor v1.0.0", "items",
    ]  # fmt: skip


def test_what_needs_a_look_comes_first_and_the_rest_is_counted() -> None:
    sixty = candidate("sixty")
    checks = [
        {**check, "status": "fail" if check["slice"].startswith("2025-42") else "pass"}
        for check in sixty.verdict["checks"]
    ]
    text = markdown.render(replace(sixty, verdict={**sixty.verdict, "verdict": "fail", "checks": checks}))
    rows = [line for line in text.splitlines() if line.startswith("| `2025")]
    assert "2025-42" in rows[0]
    assert "And 1 further row (1 pass): all of them are in `reports/report.html`." in text


@pytest.mark.parametrize("render", [markdown.render, page.html])
def test_examples_show_text_answer_before_and_after(render) -> None:
    found = facts(TWO, right=0.85)
    changes = changed_examples.changes(found.predictions, found.verdict)
    assert changes.broken_items > len(changes.broken) == changed_examples.MOST
    text = render(found)
    assert f"Broken: {changes.broken_items} items, " in text
    first = changes.broken[0]
    assert found.texts[first.id] in text
    shown = text[text.index(found.texts[first.id]) :]
    assert shown.index(first.answer) < shown.index(first.after)


def test_no_text_of_an_item_stands_in_markdown_where_none_is_asked_for() -> None:
    found = facts(TWO, right=0.85)
    text = markdown.render(replace(found, gate={**found.gate, "examples": 0}))
    assert f"Broken: {changed_examples.changes(found.predictions, found.verdict).broken_items} items\n" in text
    assert not [shown for shown in found.texts.values() if shown in text]


def test_must_pass_items_and_failing_slices_come_first_among_examples() -> None:
    found = facts({"a": 300, "b": 300}, right=0.7)
    verdict = {"checks": [{"slice": "b", "status": "fail"}]}
    broken = changed_examples.changes(found.predictions, verdict).broken
    keys = [(not example.must_pass, "b" not in example.slices, example.id) for example in broken]
    assert keys == sorted(keys)
    assert not keys[-1][1]


def test_a_must_pass_item_that_both_get_wrong_is_shown() -> None:
    found = facts(TWO, right=1.0)
    item = found.predictions["items"][0]
    wrong = {**item, "must_pass": True} | {side: {**item[side], "predicted": "?"} for side in ("candidate", "parent")}
    told = {**found.predictions, "items": [wrong, *found.predictions["items"][1:]]}
    [broken] = changed_examples.changes(told, found.verdict).broken
    assert (broken.id, broken.before, broken.after) == (item["id"], "?", "?")
    assert "**must pass**" in markdown.render(replace(found, predictions=told))


def test_page_shows_texts_as_they_read() -> None:
    text = Page(page.html(candidate("hostile"))).text
    assert HOSTILE[0] in text
    assert "a␀b␛[31m�" in text
    assert "苹果 iPhone 15 蓝色钛金属" in Page(page.html(candidate("chinese"))).text


def test_few_labels_are_a_matrix_and_many_a_table_of_pairs() -> None:
    few, many = page.html(candidate("pass")), page.html(candidate("labels"))
    assert "Rows: the right answer" in few
    assert "The stronger the colour, the larger the row" in few  # not the darker: in dark mode it is lighter
    assert "too many for a matrix" in many
    assert "Rows: the right answer" not in many
    assert "Taken for one another" in many


def test_every_section_of_a_rich_report_is_there() -> None:
    found = [re.sub(":.*", "", name) for name in re.findall("<h2>(.*?)</h2>", page.html(candidate("pass")))]
    assert found == [
        "Why", "Slices", "Broken", "Fixed", "Measures", "Robustness", "Over the releases", "Labels", "Calibration",
        "Changed params", "Data", "Training",
    ]  # fmt: skip
    html = page.html(candidate("pass"))
    assert html.count('<svg class="chart"') == 5
    assert "loss in the test of learning rates" in html
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_changed_params_are_named_with_both_values() -> None:
    text = markdown.render(candidate("pass"))
    assert "| `train.rank` | `8` | `16` |" in text
    assert "| `gate.x` | `not there` | `[1, 2]` |" in text
    assert "alpha" not in text
    unknown = replace(candidate("pass"), predictions={"params": {"candidate": {"train": {}}}})
    assert "Changed params" not in markdown.render(unknown)


def test_scores_of_answers_come_with_how_many_there_are() -> None:
    known = candidate("pass")
    block = known.metrics["candidate"]["all"] | {"judge": 3.25, "judged": 12, "unjudged": 1400}
    metrics = {**known.metrics, "candidate": {**known.metrics["candidate"], "all": block}}
    open_one = {**dict.fromkeys(known.verdict["checks"][0]), "slice": "spring", "metric": "judge", "against": "parent"}
    open_one |= {"items": 0, "margin": 0.2, "status": "undecided", "reason": "spring judge: of no item both"}
    checks = [*known.verdict["checks"], open_one]
    scored = replace(known, metrics=metrics, verdict={**known.verdict, "checks": checks, "undecided": ["spring"]})
    for text in (markdown.render(scored), page.html(scored)):
        assert "12 of 1,412 of candidate" in text
        assert "3.2500" in text
        assert "12.0000" not in text
    assert "judge's score" not in markdown.render(known)


@pytest.mark.parametrize("render", [markdown.render, page.html])
def test_standard_benchmarks_stand_beside_those_of_releases_that_were_asked(render) -> None:
    known = candidate("pass")
    assert "Standard benchmarks" not in render(known)
    task = {"version": "1", "shots": 0, "items": 1200, "truncated": 0, "prompts": "0" * 32, "metrics": {"acc": 0.4321}}
    told = {"candidate": {"harness": "0.4.13", "tasks": {"<b>aisles": task}}, "parent": None}
    blocks = {side: {**known.metrics[side], "lm_eval": found} for side, found in told.items()}
    shown = render(replace(known, metrics={**known.metrics, **blocks}))
    assert "Standard benchmarks" in shown
    assert "0.4321" in shown
    assert "1,200" in shown
    assert "<b>aisles" not in re.sub("`[^`]*`", "", shown)


def test_loss_is_better_the_lower_it_is() -> None:
    check = {
        "slice": "all", "metric": "loss", "against": "parent", "candidate": 1.0, "reference": 1.3, "difference": -0.3,
        "low": -0.4, "high": -0.2, "margin": 0.05, "items": 50, "discordant": 50, "status": "pass", "reason": None,
    }  # fmt: skip
    verdict = {
        "verdict": "pass",
        "decision": "pass",
        "reasons": [],
        "warnings": [],
        "override": None,
        "checks": [check],
    }
    better = markdown.render(replace(candidate("pass"), verdict=verdict))
    assert "−0.3000, at most −0.2000, ▲ better" in better
    custom = {**check, "metric": "price_error", "difference": 0.3, "low": 0.2, "high": 0.4}
    gate = {"rules": {"all": {"price_error": {"at_most": None, "may_rise": 0.1}}, "each_slice": {}, "slices": {}}}
    worse = markdown.render(replace(candidate("pass"), verdict={**verdict, "checks": [custom]}, gate=gate))
    assert "+0.3000, at most +0.4000, ▼ worse" in worse


def test_a_pair_without_numbers_is_wrong_and_stops_no_report() -> None:
    """A model that diverged says null of both answers."""
    pair = {"id": "0" * 64, "kind": "preference", "slices": ["talk"], "parent": {"chosen": -1.0, "rejected": -2.0}}
    told = {"items": [pair | {"candidate": {"chosen": None, "rejected": None}}]}
    [broken] = changed_examples.changes(told, {"checks": [], "verdict": "fail"}).broken
    assert (broken.before, broken.after) == ("the chosen answer", "the rejected answer")
