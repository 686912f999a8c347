import random

import pytest

from pipeline.evaluation.metrics.slice_metrics import measure


def classified(answer, predicted, confidence=0.5, parent=None):
    row = {"predicted": predicted, "score": -1.0, "confidence": confidence, "truncated": False}
    return {"kind": "classification", "answer": answer, "slices": ["a"], "candidate": row, "parent": parent}


def likely(kind, nats, tokens, **more):
    return {"kind": kind, "slices": ["a"], "candidate": {"kind": kind, "nats": nats, "tokens": tokens, **more}}


def generated(answer, text, **more):
    return likely("sft", 2.0, 4, text=text, unfinished=False, **more) | {"answer": answer}


def pair(chosen, rejected):
    return {
        "kind": "preference",
        "slices": ["a"],
        "candidate": {"kind": "preference", "chosen": chosen, "rejected": rejected},
    }


def custom(**figures):
    item = classified("a", "a")
    return item | {"candidate": item["candidate"] | {"custom": figures}}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param([], {"accuracy": None, "macro_f1": None, "items": 0}, id="no-items"),
        pytest.param(
            [classified("a", "a", 1.0), classified("a", "b", 0.8)],
            {"accuracy": 0.5, "macro_f1": 0.666667, "ece": 0.4, "items": 2},
            id="classification",
        ),
        pytest.param(
            [likely("sft", 6.0, 2), likely("text", 2.0, 2), likely("kto", 90.0, 1, desirable=False)],
            {"loss": 2.0, "perplexity": 7.389056, "tokens": 4, "items": 3},
            id="loss-of-what-is-desirable",
        ),
        pytest.param([likely("text", 0.0, 0)], {"items": 1}, id="no-token-learned"),
        pytest.param(
            [likely("text", 9000.0, 1)],
            {"loss": 9000.0, "perplexity": pytest.approx(1e304, rel=0.1), "tokens": 1, "items": 1},
            id="perplexity-stays-a-number",
        ),
        pytest.param(
            [likely("text", float("nan"), 3), likely("text", 1.0, 3)],
            {"loss": None, "perplexity": None, "tokens": 6, "items": 2},
            id="no-number-is-null",
        ),
        pytest.param(
            [pair(None, -1.0), pair(-1.0, -2.0)],
            {"preference_accuracy": None, "preference_margin": None, "items": 2},
            id="pair-without-number-is-null",
        ),
        pytest.param(
            [pair(-2.0, -3.0), pair(-5.0, -4.0), pair(-1.0, -1.0)],
            {"preference_accuracy": 0.333333, "preference_margin": 0.0, "items": 3},
            id="equal-pair-is-not-right",
        ),
        pytest.param(
            [generated("a red lamp on it", "a red lamp on it"), generated("b", "")],
            {
                "exact_match": 0.5, "bleu": pytest.approx(81.873, abs=1e-3), "chrf": pytest.approx(98.2, abs=1),
                "rouge_l": 0.5, "loss": 0.5, "perplexity": 1.648721, "tokens": 8, "items": 2,
            },
            id="generation",
        ),
        pytest.param(
            [custom(price=[1.0, 3.0], late=[0.5, 0.0]), custom(price=[0.0, 1.0])],
            {"accuracy": 1.0, "macro_f1": 1.0, "ece": 0.5, "price": 0.75, "items": 2},
            id="custom-metrics-are-weighted-means-and-absent-without-weight",
        ),
        pytest.param(
            [classified("a", "a", 1.0), pair(-1.0, -2.0)],
            {
                "accuracy": 1.0, "macro_f1": 1.0, "ece": 0.0, "preference_accuracy": 1.0, "preference_margin": 1.0,
                "items": 2,
            },
            id="several-kinds",
        ),
    ],
)  # fmt: skip
def test_measure(items, expected):
    assert measure(items, "candidate") == expected


def test_another_side_is_measured_by_what_it_said():
    told = {"predicted": "b", "confidence": 1.0}
    items = [classified("a", "a", parent=told), classified("b", "a", parent=told), classified("c", "c")]
    assert measure(items, "parent") == {"accuracy": 0.5, "macro_f1": 0.333333, "ece": 0.5, "items": 2}


def test_language_of_texts_can_be_told():
    items = [generated("红色台灯很好", "红色台灯很不好")]
    assert measure(items, "candidate")["bleu"] > measure(items, "candidate", language="en")["bleu"] == 0.0


def test_order_of_the_items_changes_nothing():
    dice = random.Random(4)  # noqa: S311
    items = []
    for _ in range(100):
        items += [
            classified(dice.choice("abc"), dice.choice("abc"), dice.random()),
            likely("text", dice.random() * 9, dice.randrange(9)),
            generated(" ".join(dice.choices("abcd", k=6)), " ".join(dice.choices("abcd", k=6))),
            pair(-dice.random(), -dice.random()),
            custom(price=[dice.random(), dice.random()]),
        ]
    before = measure(items, "candidate")
    for _ in range(3):
        dice.shuffle(items)
        assert measure(items, "candidate") == before
