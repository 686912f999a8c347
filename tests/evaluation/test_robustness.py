import random

from pipeline.evaluation.metrics import robustness
from pipeline.evaluation.metrics.robustness import VariedItem


def item(n: int, right: bool = True, slices=("winter",), parent=None, **more) -> dict:
    return {
        "id": f"{n:03d}", "kind": "classification", "slices": list(slices), "answer": "Toy",
        "candidate": said(right), "parent": None if parent is None else said(parent), **more,
    }  # fmt: skip


def variant(n: int, right: bool, kind: str = "typos", strength: float = 0.1, parent=None) -> dict:
    return {
        "source": f"{n:03d}", "kind": kind, "strength": strength, "slices": [], "answer": "Toy",
        "candidate": said(right), "parent": None if parent is None else said(parent),
    }  # fmt: skip


def said(right: bool) -> dict:
    return {"predicted": "Toy" if right else ""}


def test_no_variants_no_figures():
    assert robustness.summary([], [item(0)]) is None
    assert robustness.details([], [item(0)]) == {}


def test_drop_is_against_the_same_items_unperturbed():
    items = [item(0), item(1), item(2, right=False), item(3, right=False)]  # the last has no variant: it does not count
    found = robustness.summary([variant(0, True), variant(1, False), variant(2, False)], items)
    assert found["candidate"]["typos"] == {
        "items": 3, "accuracy": 0.333333, "drop": 0.333333, "worst_slice": None, "worst_drop": None,
    }  # fmt: skip
    assert found["parent"] is None
    whole = robustness.details([variant(0, True), variant(1, False), variant(2, False)], items)["all"]["typos"]
    assert (whole["items"], whole["unperturbed"], whole["accuracy"]) == (3, 0.666667, 0.333333)
    assert whole["low"] < whole["drop"] < whole["high"]


def test_an_item_counts_once_however_many_strengths_there_are():
    few = [variant(0, False), variant(1, True)]
    many = [variant(0, False, strength=s) for s in (0.1, 0.2, 0.3)] + [variant(1, True)]
    items = [item(0), item(1)]
    assert robustness.summary(few, items)["candidate"] == robustness.summary(many, items)["candidate"]


def test_worst_case_is_right_in_every_variant_of_every_kind():
    variants = [variant(0, True), variant(0, False, "case"), variant(1, True), variant(1, True, "case")]
    found = robustness.details(variants, [item(0), item(1)])["all"]
    assert list(found) == ["all", "case", "typos"]
    assert (found["all"]["accuracy"], found["all"]["worst_case"]) == (0.75, 0.5)
    assert found["typos"]["worst_case"] == 1.0


def test_worst_slice_has_enough_items():
    def built(count):
        items = [item(n, slices=["winter" if n else "spring", "label=Toy"]) for n in range(count)]
        return robustness.summary([variant(n, n > 2) for n in range(count)], items)["candidate"]["typos"]

    assert (built(9)["worst_slice"], built(9)["worst_drop"]) == (None, None)
    assert (built(12)["worst_slice"], built(12)["worst_drop"]) == ("label=Toy", 0.25)  # spring has one item alone


def test_details_name_every_slice_and_kind():
    items = [item(0, slices=["a", "b"]), item(1, slices=["b"])]
    found = robustness.details([variant(0, False), variant(1, True, "case")], items)
    kinds = {name: list(found[name]) for name in found}
    assert kinds == {"a": ["all", "typos"], "all": ["all", "case", "typos"], "b": ["all", "case", "typos"]}
    assert found["a"]["typos"]["drop"] == 1.0
    assert found["b"]["all"]["drop"] == 0.5


def test_the_parent_is_measured_where_it_was_asked():
    items = [item(0, parent=True), item(1, parent=False), item(2)]
    variants = [variant(0, True, parent=False), variant(1, True, parent=False), variant(2, True)]
    found = robustness.summary(variants, items)
    assert found["candidate"]["typos"]["items"] == 3
    assert (found["parent"]["typos"]["items"], found["parent"]["typos"]["drop"]) == (2, 0.5)


def test_items_that_share_a_cluster_are_not_independent():
    def width(cluster):
        sources = [VariedItem(slices=(), cluster=cluster(n), right=True, varied=[n % 20 > 4]) for n in range(100)]
        low, high = robustness.interval(sources)
        return high - low

    assert width(lambda n: str(n % 20)) > 1.8 * width(str)


def test_the_interval_holds_the_true_drop_in_95_of_100():
    dice, held = random.Random(7), 0  # noqa: S311
    for _ in range(2000):
        sources = []
        for n in range(60):
            right = dice.random() < 0.9
            varied = [(right and dice.random() < 0.9) or (not right and dice.random() < 0.1)]
            sources.append(VariedItem(slices=(), cluster=str(n), right=right, varied=varied))
        low, high = robustness.interval(sources)
        held += low <= 0.9 - (0.81 + 0.01) <= high
    assert 0.94 <= held / 2000 <= 0.99


def test_no_difference_in_few_items_is_no_certainty():
    few = [VariedItem(slices=(), cluster=str(n), right=True, varied=[True]) for n in range(10)]
    assert robustness.interval(few)[1] > 0.2
    assert robustness.interval(few * 100)[1] > 0.2  # still ten clusters
    many = [VariedItem(slices=(), cluster=str(n), right=True, varied=[True]) for n in range(1000)]
    assert robustness.interval(many)[1] < 0.005
