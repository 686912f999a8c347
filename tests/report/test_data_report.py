"""The page and the section about data: every row in one line, nothing from data obeyed, no script, any report shown."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.commands import counts
from pipeline.report.data import data_page, funnel
from pipeline.report.parts import html_parts
from tests.pages import Page

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'


def first_release() -> tuple[dict[str, Any], dict[str, Any]]:
    """The least that the two stages write: no parent, no reject, nothing optional."""
    prepared = {"increment": "2026-01", "read": 10, "records": 10, "rejects": {}}
    assembled = {
        "increment": "2026-01", "records": 10, "seen": 0, "conflicts": 0, "golden": 0, "eval": 2, "eval_over_cap": 0,
        "train_new": 8, "replayed": 0, "slices": {"2026-01": 2}, "labels": {"Toys": 8}, "new_labels": ["Toys"],
    }  # fmt: skip
    return prepared, assembled


def rich() -> tuple[dict[str, Any], dict[str, Any]]:
    """English and Chinese titles, 60 labels, HTML in texts, every section filled."""
    titles = [
        "Bosch Serie 4 WAN28281GB 8kg",
        "苹果 iPhone 15 Pro Max 256GB 蓝色钛金属",
        HOSTILE,
        "مكواة بخار \u202eabc",
        "a\x00b\x1b[31m",
    ]
    labels = ["Washing Machines", "手机", "厨房电器", HOSTILE, *(f"Label number {n}" for n in range(56))]
    row = [{"file": f"raw/{n}.csv", "line": n * 7 + 1, "raw": titles[n % 5]} for n in range(5)]
    said = [{"file": one["file"], "line": one["line"], "text": one["raw"]} for one in row]
    prepared = {
        "increment": "2026-02-spring",
        "read": 31_000,
        "records": 26_750,
        "rejects": {
            "duplicate": 3_900,
            "no text": 12,
            "too few fields": 233,
            "text too long": 5,
            "near-duplicate": 100,
        },
        "kinds": {"classification": 26_000, "sft": 750},
        "masked": {"email": 1_204, "phone": 87, "card": 2, "iban": 0},
        "files": {
            "raw/offers.csv": {"read": 30_000, "records": 25_800},
            "raw/商品 2026.jsonl.gz": {"read": 1_000, "records": 950},
        },
        "lengths": {"edges": [0, 10, 20, 40, 80, 160, 320], "counts": [0, 1_200, 9_000, 14_000, 2_500, 50, 0]},
        "near_duplicates": {
            "clusters": 71,
            "largest": [
                {"kept": said[0], "dropped": said[:3], "size": 12},
                {"kept": said[1], "dropped": [said[2]], "size": 2},
            ],
        },
        "conflicts": [
            {"text": titles[0], "labels": {"Washing Machines": 3, "洗衣机": 1}, "kept": "Washing Machines"},
            {"text": HOSTILE, "labels": {HOSTILE: 1, "手机": 1}, "kept": None},
        ],
        "examples": {
            "duplicate": row[:3],
            "no text": row[1:2],
            "too few fields": row[2:5],
            "text too long": [row[0] | {"raw": "很长的标题 " * 400}],
        },
    }
    assembled = {
        "increment": "2026-02-spring", "records": 26_750, "seen": 4_000, "conflicts": 17, "golden": 3,
        "near-duplicate": 210, "bridges-split": 20, "withdrawn": 4, "eval": 1_500, "eval_over_cap": 1_996,
        "train_new": 19_000, "replayed": 9_500, "augmented": 1_200,
        "slices": {"history": 900, "2026-01-winter": 1_500, "2026-02-spring": 1_500, "golden-bestsellers": 24},
        "labels": {"手机": 19_000},
        "new_labels": ["手机"],
        "label_changes": {
            "new": ["手机", HOSTILE], "vanished": ["Fax Machines"],
            "renamed": [["washing  machines", "Washing Machines"]],
        },
        "balance": {label: {"before": 4_000 // (n + 1), "new": 9_000 // (60 - n)} for n, label in enumerate(labels)},
        "conflicts_shown": [{"text": titles[1], "labels": {"手机": 1, "Phones": 4}, "kept": "手机"}],
        "keys": {"new": 18_000, "updated": 920, "unchanged": 4_000, "withdrawn": 4},
        "index": {"records": 120_000, "runs": 9},
        "examples": {"seen": said[:3], "bridges-split": said[1:2], "conflicts": said[2:4]},
    }  # fmt: skip
    return prepared, assembled


@pytest.mark.parametrize("made", [first_release, rich])
def test_page_loads_nothing_and_obeys_nothing_that_came_from_data(made: Any) -> None:
    page = Page(data_page.html(*made()))
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert not {name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")}


def test_page_shows_texts_as_they_read() -> None:
    page = Page(data_page.html(*rich()))
    assert HOSTILE in page.text
    assert "苹果 iPhone 15 Pro Max 256GB 蓝色钛金属" in page.text
    assert "a␀b␛[31m" in page.text


def test_every_section_of_a_rich_report_is_there() -> None:
    page = data_page.html(*rich())
    assert re.findall("<h2>(.*?)</h2>", page) == [
        "From rows read to records trained on", "Dropped, by reason", "Masked", "Labels", "Label changes",
        "One text, several labels", "Near-duplicates", "Length in characters", "Keys", "Files",
        "Evaluation slices", "Kinds",
    ]  # fmt: skip


def test_labels_of_one_text_run_on_with_their_counts_as_words_do() -> None:
    page = data_page.html(*rich())
    conflicts = page[page.index("One text, several labels") : page.index("Near-duplicates")]
    assert '<table class="texts stacks">' in conflicts
    assert "<table>" not in conflicts


def test_report_without_optional_keys_is_shown() -> None:
    text = Page(data_page.html(*first_release())).text
    assert "10 rows read. 8 new records to train on and 2 new records held out" in text
    assert "Nothing was masked" in text
    assert "Keys" not in text


def test_more_than_thirty_labels_are_summed() -> None:
    prepared, assembled = rich()
    page = Page(data_page.html(prepared, assembled)).text
    assert "30 further labels" in page
    assert sum(f"Label number {n}\n" in page or f"Label number {n}" in page for n in range(56)) < 31


def test_first_release_lists_no_new_labels() -> None:
    prepared, assembled = rich()
    assembled["balance"] = {label: counts | {"before": 0} for label, counts in assembled["balance"].items()}
    assembled["label_changes"] = {"new": list(assembled["balance"]), "vanished": [], "renamed": []}
    assert "Label changes" not in data_page.html(prepared, assembled)


def test_lines_account_for_every_row() -> None:
    prepared, assembled = rich()
    lines = dict(funnel.lines(prepared, assembled))
    kept = {"rows read", "**records**", "replayed from the chain", "made from these by augmentation", "**trained on**"}
    assert sum(count for name, count in lines.items() if name not in kept) == prepared["read"]
    assert lines["**trained on**"] == 19_000 + 9_500 + 1_200
    assert lines["near to both training and evaluation"] == 20
    assert "**not accounted for**" not in lines


def test_plan_says_every_count_in_words() -> None:
    assert list(counts.lines(*rich())) == [
        "31,000 rows read, 4,250 rejected (3,900 duplicate, 233 too few fields, 100 near-duplicate, 12 no text, ...)",
        "26,750 records: 4,003 known, 230 near-duplicate, 17 in conflict, 4 withdrawn, 3,496 held out, 19,000 new",
        "29,700 records to train on: 19,000 new, 9,500 replayed, 1,200 augmented",
        "kinds: 26,000 classification, 750 sft",
        "keys: 18,000 new, 920 updated, 4,000 unchanged, 4 withdrawn",
    ]


def test_row_without_a_fate_is_named() -> None:
    prepared, assembled = rich()
    assembled["seen"] -= 1
    assert dict(funnel.lines(prepared, assembled))["**not accounted for**"] == 1
    assert "1 row not accounted for" in data_page.html(prepared, assembled)


def test_fate_unknown_to_the_report_still_counts() -> None:
    prepared, assembled = rich()
    assembled["seen"] -= 5
    assembled["too_odd"] = 5
    assert dict(funnel.lines(prepared, assembled))["too odd"] == 5
    assert funnel.unaccounted(prepared, assembled) == 0


@settings(max_examples=50, deadline=None)
@given(st.text() | st.text(alphabet="<>&\"'\x00\x1b\ud800\u202e\n"))
def test_any_text_is_harmless_and_can_be_written(found: str) -> None:
    shown = html_parts.text(found)
    shown.encode("utf-8")
    page = Page(shown)
    assert page.tags == ["bdi"]
    assert page.open == []


def test_same_reports_give_the_same_page() -> None:
    assert data_page.html(*rich()) == data_page.html(*json.loads(json.dumps(rich())))
