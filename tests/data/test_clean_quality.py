"""Which texts are not worth learning."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.data.clean import characters, quality, repetition
from pipeline.data.clean.settings import QualitySettings
from tests.rows import batch, message, outcome, plain, sft, title

LLAMAFACTORY = Path(__file__).parents[3] / "shared/data/llamafactory"
LINES = "\n".join(
    " ".join(chr(97 + number % 26) * (1 + (number + place) % 9) for place in range(9)) for number in range(60)
)

OFF = {name: None for name in QualitySettings.__slots__ if name.startswith(("max_duplicate", "max_top"))}


def fate(row, **options):
    found = outcome(quality.apply(batch([row]), QualitySettings(**options)).to_pylist()[0])
    return found if isinstance(found, str) else None


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        pytest.param(LINES, {}, None, id="varied"),
        pytest.param(LINES + "\nagain and again" * 30, {}, "repeats its lines", id="lines"),
        pytest.param(LINES + "\nagain" * 30, OFF, None, id="off"),
        pytest.param("buy now " * 100, {}, "repeats its words", id="words"),
        pytest.param("便宜好用" * 200, {}, "repeats its words", id="han-words"),
        pytest.param("buy now " * 100, {"repetition": "keep"}, None, id="kept"),
        pytest.param("buy now " * 40, {}, None, id="short"),
        pytest.param(LINES.replace(" ", " # "), {}, "too many symbols", id="symbols"),
        pytest.param(" ".join(f"{number} {number * 7}" for number in range(300)), {}, "too few words", id="numbers"),
        pytest.param("Lorem ipsum dolor sit amet", {}, "lorem ipsum", id="lorem-ipsum"),
    ],
)
def test_long_texts(text, options, reason):
    assert fate(plain(text), **options) == reason


def test_answers_repeat_on_purpose_unless_asked_for():
    row = sft("sing", "la la la\n" * 100)
    assert fate(row) is None
    assert fate(row, repetition="all") == "repeats its lines"


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("iphone 8 64gb", {"min_letter_share": 0.75}, "too few letters"),
        ("iphone 8 64gb", {"min_letter_share": 0.7}, None),
        ("4006381333931 tv", {"max_digit_share": 0.8}, "too many digits"),
        ("*** sale ***", {"max_sign_share": 0.5}, "too many signs"),
        ("冰箱 215L", {"scripts": ["Latin"]}, "another script"),
        ("冰箱 215L", {"scripts": ["Latin", "Han"]}, None),
        ("холодильник", {"scripts": ["Latin", "Han"]}, "another script"),
        ("215", {"scripts": ["Latin"]}, None),
        ("ＦＵＬＬ", {"scripts": ["Latin"]}, None),
    ],
)
def test_shares_of_characters(text, options, reason):
    assert fate(title(text), **{**options, "scripts": tuple(options.get("scripts", ())) or None}) == reason


def test_shares_are_counted_by_text():
    shares = characters.shares(pa.array(["ab1!", None, "", "冰 x", "é٣"]), ("Han",))
    assert shares.letters.tolist() == [0.5, 0, 0, 1, 0.5]
    assert shares.digits.tolist() == [0.25, 0, 0, 0, 0.5]
    assert shares.signs.tolist() == [0.25, 0, 0, 0, 0]
    assert shares.wanted.tolist() == [0, 1, 1, 0.5, 0]


@pytest.mark.parametrize(
    ("row", "options", "reason"),
    [
        (title("{{name}} fridge"), {}, "placeholder left in the text"),
        (title("{title} by {brand}"), {}, "placeholder left in the text"),
        (title("set {3} of {a b}"), {}, None),
        (title("{title}"), {"placeholders": "keep"}, None),
        (sft("who?", "I am {{name}}"), {}, None),
        (sft("who?", "I am {{name}}"), {"placeholders": "all"}, "placeholder left in the text"),
        (sft("format", "f'{value}'"), {"placeholders": "all"}, None),
        (sft("hello", "hello"), {}, "answer repeats the prompt"),
        (sft("hello", "hello"), {"echo": False}, None),
        (sft("hello", "hello you"), {}, None),
        (sft("x" * 64, "x" * 64 + " and more"), {}, "answer repeats the prompt"),
        (sft("a", "b", "b", "c"), {}, None),
        (sft("a", "b", "c", "c"), {}, "answer repeats the prompt"),
        (sft("who?", "As an AI language model, I cannot"), {}, None),
        (sft("who?", "As an AI language model, I cannot"), {"boilerplate": True}, "assistant's boilerplate"),
        (sft("谁？", "作为一个人工智能，我"), {"boilerplate": True}, "assistant's boilerplate"),
    ],
)
def test_templates(row, options, reason):
    assert fate(row, **options) == reason


def test_a_record_is_as_long_as_all_of_its_messages():
    rejected = {**sft("aa", "bb"), "kind": "preference", "rejected": [message("assistant", "cc")]}
    rows = batch([sft("aaa", "bbb"), rejected, plain("x" * 7), title("y" * 7)])
    problems = quality.length(rows, QualitySettings(max_record_chars=6), 1, 9).column("problem").to_pylist()
    assert problems == [None, None, "record too long", None]
    assert quality.length(rows, QualitySettings(max_record_chars=None), 1, 9).equals(rows)


@pytest.mark.parametrize(
    ("words", "size", "share"),
    [("a b a b c d", 2, 4 / 6), ("a b c", 2, 0.0), ("a", 2, 0.0), ("aa b aa b aa b x y", 3, 10 / 11)],
)
def test_share_of_the_most_frequent_words(words, size, share):
    assert repetition.top_share(words.split(), size) == pytest.approx(share)


def test_duplicate_lines_count_from_the_second_on():
    assert repetition.duplicate_lines("a\nbb\n\na\n a") == (0.5, 2 / 5)


@pytest.mark.skipif(not LLAMAFACTORY.is_dir(), reason="../shared/data is absent")
def test_real_instructions_and_web_pages_mostly_stay():
    items = json.loads((LLAMAFACTORY / "alpaca_en_demo.json").read_text(encoding="utf-8"))
    rows = batch(sft(f"{item['instruction']}\n{item['input']}", item["output"]) for item in items)
    assert quality.apply(rows, QualitySettings()).equals(rows)
    lines = (LLAMAFACTORY / "c4_demo.jsonl").read_text(encoding="utf-8").splitlines()
    pages = quality.apply(batch(plain(json.loads(line)["text"]) for line in lines), QualitySettings())
    assert 0 < len(pages) - pages.column("problem").null_count < 0.03 * len(pages)
