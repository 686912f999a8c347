"""More training records: bounded, marked, the same every time, and never another product."""

import json
import re
from collections import Counter
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.draws import Draws
from pipeline.common.errors import GraftError
from pipeline.data.augment import augment, key_samples, noise, pieces, rare_labels, recombine, synonyms
from pipeline.data.augment.settings import AugmentSettings
from pipeline.data.records import arrow, records
from pipeline.data.records.records import Record

TITLES = [
    ("apple iphone 8 plus 64gb silver unlocked smartphone", "Phones"),
    ("samsung galaxy s9 64gb lilac purple handset", "Phones"),
    ("nokia 105 black feature handset", "Phones"),
    ("bosch serie frost free fridge freezer white kgn34", "Fridges"),
    ("samsung rb29 fridge freezer graphite", "Fridges"),
    ("美的冰箱三门215升节能静音家用", "冰箱"),
]
EVERYTHING = AugmentSettings(
    max_share=5, typos=True, dropout=True, swap=True, paraphrases=("Which?", "What is {text}?"), rare_below=6
)
WORDS = st.sampled_from(
    ["red", "fridge", "freezer", "KGN34", "8", "plus", "64gb", "LG", "冰箱", "三门", "[PHONE]", "-", "5.5", "smart"]
)
TEXT = st.lists(WORDS, min_size=1, max_size=9).map(" ".join)


def table(items=TITLES, instruction="Which kind?"):
    found = []
    for line, (text, label) in enumerate(items, 1):
        messages = records.classification(text, label, instruction)
        found.append(
            Record(
                id=records.content_id(messages),
                messages=messages,
                increment="winter",
                file="raw/a",
                line=line,
                key=f"k{line}",
            )
        )
    return arrow.table_of(found)


def numbers(text):
    return re.findall(r"\S*\d\S*|[一二三两双]", text)


def test_off_by_default():
    found = augment.augment(table(), AugmentSettings(), 1)
    assert (len(found.table), found.made_from, found.methods) == (0, [], [])
    assert found.table.schema == arrow.SCHEMA
    assert found.weights.null_count == len(found.weights) == len(TITLES)


def test_each_record_made_says_from_what_and_how():
    train = table()
    found = augment.augment(train, EVERYTHING, 1)
    by_id = {record.id: record for record in arrow.records_of(train)}
    assert len(found.table) == len(found.made_from) == len(found.methods)
    assert set(found.methods) == {"typos", "dropout", "swap", "paraphrase", "recombine"}
    for record, source in zip(arrow.records_of(found.table), found.made_from, strict=True):
        assert record.id == records.content_id(record.messages)
        assert record.id not in by_id
        assert record.answer == by_id[source].answer
        assert (record.increment, record.file, record.line, record.key) == (
            "winter", "raw/a", by_id[source].line, by_id[source].key,
        )  # fmt: skip
    ids = found.table["id"].to_pylist()
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_no_more_than_params_allow(share):
    found = augment.augment(table(), AugmentSettings(max_share=share, typos=True, dropout=True), 1)
    assert len(found.table) == int(share * len(TITLES))


def test_the_same_every_time_in_any_order_and_other_seeds_differ():
    one = augment.augment(table(), EVERYTHING, 1)
    two = augment.augment(table(TITLES[::-1]), EVERYTHING, 1)
    content = ["id", "messages"]
    assert one.table.select(content).equals(two.table.select(content))
    assert (one.made_from, one.methods) == (two.made_from, two.methods)
    assert augment.augment(table(), EVERYTHING, 2).made_from != one.made_from


def test_prompts_of_the_evaluation_side_are_never_made():
    found = augment.augment(table(), EVERYTHING, 1)
    prompts = {records.content_id(record.prompt) for record in arrow.records_of(found.table)}
    avoid = set(sorted(prompts)[::2])
    again = augment.augment(table(), EVERYTHING, 1, avoid=avoid)
    assert not avoid & {records.content_id(record.prompt) for record in arrow.records_of(again.table)}


def test_only_titles_are_varied():
    messages = [
        {"role": "user", "content": "write about fridges"},
        {"role": "assistant", "content": "fridges are cold"},
    ]
    other = Record(id=records.content_id(messages), kind="sft", messages=messages, increment="i", file="raw/a", line=1)
    found = augment.augment(pa.concat_tables([arrow.table_of([other]), table()]), EVERYTHING, 1)
    assert other.id not in found.made_from
    assert len(found.weights) == 1 + len(TITLES)


@settings(max_examples=300, deadline=None)
@given(TEXT, st.integers(0, 9), st.sampled_from([noise.typos, noise.dropout, noise.swap]))
def test_noise_leaves_numbers_and_marks_alone(text, seed, change):
    changed = change(text, Draws(seed))
    if changed is not None:
        assert numbers(changed) == numbers(text)
        assert changed.count("[PHONE]") == text.count("[PHONE]")
        assert changed == " ".join(changed.split()) != ""


@given(st.text())
def test_pieces_joined_are_the_text(text):
    assert "".join(piece.text for piece in pieces.cut(text)) == text


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("apple iphone 8 plus 64gb silver unlocked", ["apple", "unlocked"]),
        ("Samsung QE55Q7F LED Smart TV", ["Smart"]),
        ("SAMSUNG SMART TV", ["SAMSUNG", "SMART"]),
        ("美的三门冰箱", ["美", "冰", "箱"]),
        ("call [PHONE] today", ["call", "today"]),
        ("wi-fi tp-link router", ["router"]),
    ],
)
def test_what_names_the_product_is_not_free(text, free):
    assert [piece.text for piece in pieces.cut(text) if piece.free] == free


def test_dropout_keeps_two_words():
    assert noise.dropout("fridge freezer", Draws(1)) is None
    for seed in range(50):
        dropped = noise.dropout("white fridge freezer", Draws(seed))
        assert dropped is not None
        assert len(dropped.split()) == 2


def test_a_slip_stays_close():
    for seed in range(200):
        slip = noise.typos("handset", Draws(seed))
        assert slip is not None
        assert slip[0] == "h"
        assert abs(len(slip) - 7) <= 1


def dictionary(tmp_path, text):
    path = tmp_path / "synonyms.tsv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("white fridge", {"white refrigerator", "white icebox"}),
        ("White Fridge", {"White Refrigerator", "White Icebox"}),
        ("FRIDGE x", {"REFRIGERATOR x", "ICEBOX x"}),
        ("fridges minifridge fridge2", {None}),
        ("big fridge freezer", {"big cooler"}),
        ("三门电冰箱", {"三门雪柜"}),
        ("三门冰箱", {"三门冰柜"}),
        ("a冰箱b", {"a冰柜b"}),
    ],
)
def test_synonyms_are_whole_words_and_in_chinese_the_longest_match(tmp_path, text, results):
    path = dictionary(
        tmp_path, "# ours\nfridge\trefrigerator\ticebox\nfridge freezer\tcooler\n\n冰箱\t冰柜\n电冰箱\t雪柜\n"
    )
    known = synonyms.load(path)
    assert {synonyms.replace(text, known, Draws(seed)) for seed in range(40)} == results


def test_every_bad_line_of_a_dictionary_is_named(tmp_path):
    path = dictionary(tmp_path, "fridge\nfridge\tcooler\n64gb\t128gb\n\tx\n")
    with pytest.raises(GraftError) as error:
        synonyms.load(path)
    assert [re.sub(r".*tsv:", "", said) for said in (error.value.message, *error.value.problems)] == [
        "1: no word and synonym with a tab between them",
        "3: other digits: a number that changes is another product",
        "4: no word and synonym with a tab between them",
    ]
    with pytest.raises(GraftError, match="cannot be read"):
        augment.augment(table(), AugmentSettings(max_share=1, synonyms=str(tmp_path / "none.tsv")), 1)


def test_synonyms_are_a_method(tmp_path):
    path = dictionary(tmp_path, "handset\tphone\n")
    found = augment.augment(table(), AugmentSettings(max_share=1, synonyms=str(path)), 1)
    texts = {record.prompt[0]["content"] for record in arrow.records_of(found.table)}
    assert texts == {
        "Which kind?\nsamsung galaxy s9 64gb lilac purple phone",
        "Which kind?\nnokia 105 black feature phone",
    }


def test_paraphrases_stand_above_the_text_or_around_it():
    options = AugmentSettings(max_share=9, paraphrases=("Name it:", "What is {text}?", "Which kind?"))
    found = augment.augment(table(TITLES * 1, "Which kind?"), options, 3)
    texts = {text for text, _ in TITLES}
    for record in arrow.records_of(found.table):
        asked = record.prompt[0]["content"]
        assert any(asked in (f"Name it:\n{text}", f"What is {text}?") for text in texts)


def test_recombination_fills_rare_labels_from_their_own_titles():
    found = augment.augment(table(), AugmentSettings(max_share=9, rare_below=5), 1)
    made = Counter(record.answer for record in arrow.records_of(found.table))
    assert made == {"Phones": 2, "Fridges": 3}  # of one title nothing can be made
    known = {word for text, label in TITLES for word in text.split() if label == "Fridges"}
    for record in arrow.records_of(found.table):
        if record.answer == "Fridges":
            assert set(record.prompt[0]["content"].split("\n")[1].split()) <= known


def test_recombination_keeps_models_whole():
    texts = ["iphone 8 plus 64gb silver phone", "galaxy s9 64gb phone black"]
    for _, text in recombine.titles(texts, 8, "seed"):
        for before, after in pairwise(text.split()):
            assert before != "8" or after == "plus"


@pytest.mark.parametrize("scheme", ["inverse", "effective"])
def test_weights_favour_rare_labels_within_bounds(scheme):
    counts = {"many": 5000, "some": 100, "few": 2}
    found = rare_labels.weights(counts, scheme, 4.0)
    assert 0.25 <= found["many"] < found["some"] <= found["few"] == 4.0
    assert rare_labels.weights({"a": 7, "b": 7}, scheme, 4.0) == {"a": 1.0, "b": 1.0}
    assert rare_labels.weights(counts, "none", 4.0) == {}


def test_effective_number_of_samples():
    # Cui et al.: E = (1 - beta ** n) / (1 - beta); the weights are 1 / E, here scaled to a mean of 1
    found = rare_labels.weights({"a": 1000, "b": 10}, "effective", 100.0)
    effective = {label: (1 - 0.999**count) / 0.001 for label, count in (("a", 1000), ("b", 10))}
    assert found["b"] / found["a"] == pytest.approx(effective["a"] / effective["b"], rel=1e-3)


def test_weights_stand_at_given_and_added_records():
    found = augment.augment(table(), AugmentSettings(max_share=0.5, typos=True, weights="inverse"), 1)
    assert found.weights.null_count == found.table["weight"].null_count == 0
    counted = [*found.weights.to_pylist(), *found.table["weight"].to_pylist()]
    assert sum(counted) / len(counted) == pytest.approx(1, abs=0.01)


def test_key_samples_are_rare_long_or_hardly_told(tmp_path):
    texts = {f"{number:02}": ("x" * (10 + number % 3), "a" if number else "b") for number in range(20)}
    texts["07"] = ("x" * 90, "a")
    predictions = {"11": {"a": 0.5, "b": 0.45}, "12": {"a": 0.9, "b": 0.1}, "13": {"a": 1.0}}
    assert key_samples.choose(texts, 2, predictions) == {"00", "07", "11", "02"}  # 02: of the longest two
    path = tmp_path / "predictions.jsonl"
    train = table()
    ids = train["id"].to_pylist()
    path.write_text("".join(json.dumps({"id": name, "probabilities": {"a": 0.5, "b": 0.5}}) + "\n" for name in ids[:2]))
    found = augment.augment(train, AugmentSettings(max_share=9, typos=True, key_samples=True, predictions=str(path)), 1)
    assert set(found.made_from) <= set(ids[:2])
    assert found.made_from


def test_every_bad_line_of_predictions_is_named(tmp_path):
    path = tmp_path / "predictions.jsonl"
    path.write_text(
        '{"id": "a", "probabilities": {"x": 1}}\n{\n{"id": "b"}\n\n{"id": "c", "probabilities": {"x": "1"}}\n'
    )
    with pytest.raises(GraftError) as error:
        key_samples.load(path)
    assert [said.split(":")[1] for said in (error.value.message, *error.value.problems)] == ["2", "3", "5"]
