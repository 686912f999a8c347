import random
from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest

from pipeline.gate import bootstrap, paired, scores
from pipeline.gate.values import Book, applies, value
from tests.gate.made import content_id, row, said


def macro_f1(pairs):
    """By its definition: over the labels that occur among the answers."""
    right = Counter(answer for answer, guess in pairs if answer == guess)
    support, predicted = Counter(answer for answer, _ in pairs), Counter(guess for _, guess in pairs)
    return sum(2 * right[label] / (support[label] + predicted[label]) for label in support) / len(support)


def classified(items, labels="abcdefgh", seed=0):
    """Items whose answers and both predictions are drawn; "" is a label that nobody knows."""
    draw = random.Random(seed)  # noqa: S311
    return [
        said(number, ["s"], True, True)
        | {"answer": draw.choice(labels)}
        | {"candidate": row(draw.choice([*labels, ""])), "parent": row(draw.choice(labels))}
        for number in range(items)
    ]  # fmt: skip


def spoken(nats, parent, tokens=10, **more):
    return [
        {"id": content_id(number), "kind": "text", "slices": ["s"], **more}
        | {"candidate": {"nats": ours, "tokens": tokens}, "parent": {"nats": theirs, "tokens": tokens}}
        for number, (ours, theirs) in enumerate(zip(nats, parent, strict=True))
    ]


def compared(metric, items, **more):
    found = paired.compare(metric, items, "parent", confidence=0.95, same=False, book=Book(None), **more)
    assert found is not None
    return found


def test_macro_f1_of_every_sample_equals_its_definition():
    items = classified(40)
    kinds = [((value("macro_f1", item, "candidate"), value("macro_f1", item, "parent")),) for item in items]
    counts = np.random.default_rng(0).multinomial(40, [1 / 40] * 40, size=30).astype(float)
    found = scores.difference("macro_f1", kinds)(counts)
    for drawn, difference in zip(counts, found, strict=True):
        pairs = [pair for kind, times in zip(kinds, drawn, strict=True) for pair in kind * int(times)]
        expected = macro_f1([ours for ours, _ in pairs]) - macro_f1([theirs for _, theirs in pairs])
        assert difference == pytest.approx(expected)


def test_ten_thousand_labels_cost_memory_for_what_occurs_only():
    items = classified(300, labels=[f"label {number}" for number in range(10_000)])
    assert compared("macro_f1", items).low <= 0


def test_order_of_items_has_no_say():
    items = classified(30)
    assert compared("macro_f1", items) == compared("macro_f1", items[::-1])


def test_loss_is_nats_over_tokens_and_its_bound_the_normal_one_where_items_are_many():
    draw = np.random.default_rng(1)
    nats = draw.gamma(4, 5, size=800)
    found = compared("loss", spoken(nats + draw.normal(0.5, 3, size=800), nats))
    assert found.reference == pytest.approx(nats.mean() / 10)
    error = (found.spread / 800) ** 0.5
    assert error == pytest.approx(0.3 / 800**0.5, rel=0.1)
    z = NormalDist().inv_cdf(0.95)
    assert found.high == pytest.approx(found.difference + z * error, abs=0.3 * error)
    assert found.better < 0.001
    assert found.worse == 1


def test_weighted_metric_of_ones_own_is_a_mean_by_weights():
    items = [
        said(1, ["s"], True, True, candidate={"custom": {"price": [2.0, 10]}}, parent={"custom": {"price": [1.0, 10]}}),
        said(2, ["s"], True, True, candidate={"custom": {"price": [0.0, 30]}}, parent={"custom": {"price": [1.0, 30]}}),
    ]
    found = compared("price", items)
    assert (found.candidate, found.reference, found.difference) == (0.5, 1.0, -0.5)


def test_few_items_are_never_proof():
    assert compared("loss", spoken([11.0, 12.5, 13.1], [10.0, 11.0, 12.0])).better == 2**-3
    alone = compared("loss", spoken([11.0], [10.0]))
    assert (alone.low, alone.high, alone.better) == (None, None, 1.0)


def test_no_change_among_few_items_leaves_macro_f1_as_open_as_accuracy():
    items = [said(number, ["s"], True, True) for number in range(12)]
    assert compared("macro_f1", items).low == pytest.approx(compared("accuracy", items).low)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_change_of_every_item_is_a_change_though_no_sample_differs_from_another(sign):
    items = [said(number, ["s"], sign > 0, sign < 0) for number in range(200)]
    found = compared("macro_f1", items)
    assert found.difference == pytest.approx(sign * abs(found.difference))
    assert found.difference == pytest.approx(found.candidate - found.reference)
    assert sign * found.low > 0
    assert sign * found.high > 0
    assert (found.worse if sign < 0 else found.better) < 0.01


def test_variants_of_one_source_count_as_one():
    once = [said(number, ["s"], number % 10 != 0, number % 7 != 0) for number in range(200)]
    five = [item | {"id": f"{item['id']}{copy}", "cluster": item["id"]} for item in once for copy in range(5)]
    single, many = compared("accuracy", once), compared("accuracy", five)
    assert (single.method, many.method, many.clusters, many.items) == ("tango", "bootstrap", 200, 1000)
    assert many.low == pytest.approx(single.low, abs=0.01)


def test_bounds_of_skewed_scores_cover_what_they_should():
    draw = np.random.default_rng(2)
    nats = draw.lognormal(0, 1, size=(300, 40)) - np.exp(0.5)
    high = [bootstrap.resample(range(40), means(sample), 40, index, 0.95).high for index, sample in enumerate(nats)]
    assert 0.03 <= np.mean(np.array(high) < 0) <= 0.14  # skewed to the right, 40 items: a mean's bound is a little low


def means(sample):
    return lambda counts: counts @ sample / counts.sum(axis=1)


@pytest.mark.parametrize(
    "missing", [{"nats": float("nan"), "tokens": 3}, {"tokens": 3}, {"nats": None, "tokens": 3}, None]
)
def test_what_is_no_number_has_no_value(missing):
    [item] = spoken([1.0], [1.0])
    assert value("loss", item | {"candidate": missing}, "candidate") is None
    assert (
        paired.compare("loss", [item | {"parent": missing}], "parent", confidence=0.95, same=False, book=Book(None))
        is None
    )


def test_metrics_apply_by_kind():
    assert [applies(name, said(1, [], True)) for name in ("accuracy", "macro_f1", "loss", "bleu")] == [
        True, True, False, False,
    ]  # fmt: skip
    [talk] = spoken([1.0], [1.0])
    assert applies("loss", talk)
    assert not applies("loss", talk | {"candidate": talk["candidate"] | {"desirable": False}})
    assert not applies("exact_match", talk | {"answer": "yes"})
    assert applies("exact_match", talk | {"answer": "yes", "candidate": {"text": "no"}})
    assert not applies("price", talk)


def test_generated_texts_are_resampled_by_their_statistics():
    pytest.importorskip("pipeline.evaluation.metrics.generation")
    texts = [("a big red cat sat on the mat", "a big red cat sat on a mat"), ("one two three four five", "one two")]
    items = [
        {"id": content_id(number), "kind": "sft", "slices": ["s"], "answer": answer}
        | {"candidate": {"text": answer}, "parent": {"text": said}}
        for number, (answer, said) in enumerate(texts * 20)
    ]
    for metric in ("bleu", "chrf", "rouge_l"):
        found = compared(metric, items)
        assert found.candidate == pytest.approx(1 if metric == "rouge_l" else 100)
        assert 0 < found.low <= found.difference <= found.high
    assert compared("exact_match", items).method == "tango"
