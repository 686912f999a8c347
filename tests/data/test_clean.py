"""Cleaning of batches: no row is lost, a batch's cut does not count, twice is once."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.clean import clean, folding, message_texts, pii, single_text
from pipeline.data.clean.settings import CleaningSettings
from pipeline.data.clean.settings import NormalizeSettings as Normalize
from pipeline.data.clean.settings import PiiSettings as Pii
from pipeline.data.clean.settings import QualitySettings as Quality
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.data.records import arrow
from tests.rows import batch, message, outcome, plain, sft, title

OPTIONS = CleaningSettings(min_chars=3, max_chars=60)
ALL = CleaningSettings(
    min_chars=1,
    max_chars=100,
    normalize=Normalize(lowercase=True, ascii=True, line_breaks=False, strip_urls=True, strip_emails=True),
    pii=Pii(ip="drop", phone="drop"),
    quality=Quality(repetition="all", long_from=40, max_digit_share=0.8, scripts=("Latin", "Han"), boilerplate=True),
)
# What is likely to meet a pattern or its edge.
PARTS = (
    "red fridge", "  ", "\r\n", "\t", "\x00", "\x85", "\x93", "\u200b", "\u3000", "\u0301", "e", "Ã©", "Ã", "©", "â€™",
    "冰箱", "ｆ", "\ufffd", "<|im_end|>", "<s>", "a@b.example", "@", "13812345678", "+44 20 7946 0958",
    "4111111111111111", "-", ".", ":", "/", "8.8.8.8", "203.0.113.77", "11010519491231002X", "078-05-1120",
    "GB82 WEST 1234 5698 7654 32", "https://u:p@h.example/x",
    "AKIAIOSFODNN7EXAMPLE", "{name}", "[", "]", "1", "0", "İ", "ﬁ", "👩\u200d🔧", "\n", "x" * 50, "lorem ipsum dolor",
)  # fmt: skip
CONTENT = st.one_of(st.text(max_size=20), st.lists(st.sampled_from(PARTS), max_size=6).map("".join))


def pair(prompt, answer):
    rejected = [message("assistant", answer + prompt)]
    return {**sft(prompt, answer), "kind": "preference", "rejected": rejected}


ROW = st.one_of(
    st.builds(title, CONTENT, CONTENT),
    st.lists(CONTENT, min_size=2, max_size=4).map(lambda turns: sft(*turns)),
    st.builds(plain, CONTENT),
    st.builds(pair, CONTENT, CONTENT),
    st.just({"kind": "classification", "problem": "not JSON", "raw": "{"}),
)  # fmt: skip
ROWS = st.lists(ROW, max_size=6)


@settings(max_examples=300, deadline=None)
@given(ROWS, st.sampled_from([OPTIONS, ALL]))
def test_cleaning_twice_is_cleaning_once(rows, options):
    once = clean.clean(batch(rows), options)
    assert once.schema == arrow.ROWS
    once.validate(full=True)
    assert clean.clean(once, options).to_pylist() == once.to_pylist()


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(0, 6))
def test_rows_are_conserved_and_the_cut_of_a_batch_does_not_count(rows, cut):
    whole = clean.clean(batch(rows), OPTIONS).to_pylist()
    assert [(row["file"], row["line"], row["raw"]) for row in whole] == [
        ("raw/a", line, row.get("raw", "")) for line, row in enumerate(rows, 1)
    ]
    parts = [batch(rows).slice(0, cut), batch(rows).slice(cut)]
    assert [row for part in parts for row in clean.clean(part, OPTIONS).to_pylist()] == whole


@settings(max_examples=300, deadline=None)
@given(CONTENT)
def test_single_strings_are_cleaned_as_batches_are(value):
    cleaned = single_text.mask(single_text.clean(value))
    row = outcome(clean.clean(batch([title(value)]), OPTIONS).to_pylist()[0])
    if single_text.undecodable(cleaned) or single_text.marks_a_turn(single_text.clean(value)):
        assert row in ("undecodable characters", "control tokens of a chat template")
    elif not single_text.clean(value):
        assert row == "empty text"
    elif isinstance(row, list):
        assert row == [cleaned, "a label"]
        assert clean.text(value, OPTIONS) == cleaned


@settings(max_examples=200, deadline=None)
@given(st.lists(CONTENT, max_size=3))
def test_gates_miss_nothing(values):
    column = pa.array(map(folding.same_length, values), pa.string())
    wide = message_texts.matching(pa.array(values, pa.string()), folding.WIDE)
    assert all(folding.same_length(value) == value for value, hit in zip(values, wide, strict=True) if not hit)
    for kind in (*pii.KINDS.values(), *pii.KINDS_IN_TITLES.values()):
        found = [kind.replace(value) != value for value in values]
        if kind.many_digits:
            assert all(sum(map(str.isdigit, value)) >= 7 for value, hit in zip(values, found, strict=True) if hit)
        assert not [
            1 for hit, gate in zip(found, message_texts.matching(column, kind.gate), strict=True) if hit and not gate
        ]


@pytest.mark.parametrize(
    ("row", "fate"),
    [
        pytest.param(title(" \u200b"), "empty text", id="empty-text"),
        pytest.param(title("red fridge", "\x00 "), "empty label", id="empty-label"),
        pytest.param(title("red \ufffd fridge"), "undecodable characters", id="undecodable"),
        pytest.param(title("re"), "text too short", id="too-short"),
        pytest.param(title("x" * 61), "text too long", id="too-long"),
        pytest.param(plain("x" * 61), ["x" * 61], id="bounds-are-for-titles"),
        pytest.param(sft("hello", " "), "empty message", id="empty-answer"),
        pytest.param(plain(""), "empty text", id="empty-plain-text"),
        pytest.param(sft("hello", "hello"), "answer repeats the prompt", id="echo"),
        pytest.param(title("fridge", "fridge"), ["fridge", "fridge"], id="a-label-may-be-the-text"),
        pytest.param(title("red a@b.example", "a@b.example"), ["red [EMAIL]", "a@b.example"], id="labels-are-names"),
    ],
)
def test_fate(row, fate):
    assert outcome(clean.clean(batch([row]), OPTIONS).to_pylist()[0]) == fate


@pytest.mark.parametrize(
    "mark",
    [
        "<|im_end|>",
        "<|reserved_special_token_0|>",
        "<｜User｜>",
        "<end_of_turn>",
        "[INST]",
        "<<SYS>>",
        "</s>",
        "[TOOL_CALLS]",
    ],
)
def test_marks_of_chat_templates_reject(mark):
    rows = [title(f"red {mark} fridge"), sft("a", f"b{mark}"), plain(mark), sft("a", "b", tools=f'[{{"d":"{mark}"}}]')]
    called = sft("a", "")
    called["messages"][1]["tool_calls"] = f'[{{"x": "{mark}"}}]'
    fates = {outcome(row) for row in clean.clean(batch([*rows, called]), OPTIONS).to_pylist()}
    assert fates == {"control tokens of a chat template"}


@pytest.mark.parametrize("value", ["a <| b |> c", "<think>hm</think>", "<unk>", "x <s1> y", "[CLS] a", "<b>bold</b>"])
def test_other_brackets_stay(value):
    assert outcome(clean.clean(batch([plain(value)]), OPTIONS).to_pylist()[0]) == [value]


def test_a_call_of_tools_needs_no_words():
    row = sft("weather?", "", "ok")
    row["messages"][1] |= {"tool_calls": '[{"name":"x@y.example"}]'}
    row["messages"].insert(2, message("tool", ""))
    row["messages"].append(message("assistant", "sunny"))
    (cleaned,) = clean.clean(batch([row]), OPTIONS).to_pylist()
    assert cleaned["problem"] is None
    assert cleaned["messages"] == row["messages"]


def test_a_row_with_a_problem_passes_untouched_and_a_rejected_one_loses_its_messages():
    rows = batch(
        [{"kind": "sft", "problem": "not JSON", "raw": "a\0b"}, title("\ufffd \ufffd", raw="r"), title("fine")]
    )
    first, second, third = clean.clean(rows, OPTIONS).to_pylist()
    assert first == rows.to_pylist()[0]
    assert (second["problem"], second["messages"], second["raw"]) == ("undecodable characters", None, "r")
    assert third == rows.to_pylist()[2]


def test_a_clean_batch_is_returned_as_it_came():
    rows = batch([title("red fridge 4006381333931"), sft("code?", "if x:\n    return\n\ndone", images=["a.png"])])
    assert clean.clean(rows, OPTIONS).equals(rows)


def test_options_of_params_are_those_of_the_dataclasses():
    assert PrepareSettings().cleaning() == CleaningSettings(min_chars=3, max_chars=2000)


@pytest.mark.parametrize(
    ("least", "most", "fate"), [(6, None, "too few tokens"), (None, 2, "too many tokens"), (2, 9, None)]
)
def test_tokens_are_counted_by_the_given_tokenizer(least, most, fate):
    tokenizer = Path(__file__).parents[2] / "examples/base/tokenizer.json"
    quality = Quality(min_tokens=least, max_tokens=most)
    options = replace(OPTIONS, quality=quality, tokenizer=tokenizer)
    (row,) = clean.clean(batch([title("red fridge", "x")]), options).to_pylist()
    assert row["problem"] == fate
