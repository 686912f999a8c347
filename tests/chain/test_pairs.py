"""Two releases compared from what each said of the same items."""

import math
from typing import Any

import pytest

from pipeline.chain.compare import pairs, release_table
from pipeline.chain.compare.release_comparison import Diff

Row = dict[str, Any]


def item(name: str, row: Row, *slices: str, **more: Any) -> Row:
    return {"id": name, "kind": "classification", "slices": list(slices or ("winter",)), "candidate": row, **more}


def label(name: str, predicted: str, *slices: str, answer: str = "Toy") -> Row:
    return item(name, {"predicted": predicted, "score": -1.0, "truncated": False}, *slices, answer=answer)


def told(*items: Row) -> pairs.Items:
    return {one["id"]: one for one in items}


def rows(before: pairs.Items, after: pairs.Items) -> dict[tuple[str, str], pairs.Slice]:
    return {(row.name, row.metric): row for row in pairs.slices(before, after)}


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [
        pytest.param(0, 0, 1.0, id="nothing-turned"),
        pytest.param(5, 5, 1.0, id="even"),
        pytest.param(10, 0, 2 / 1024, id="one-sided"),
        pytest.param(1, 5, 14 / 64, id="exact-tail"),
        pytest.param(3, 9, 2 * sum(math.comb(12, k) for k in range(4)) / 2**12, id="as-the-sum-of-combinations"),
        pytest.param(0, 3000, 0.0, id="beyond-the-smallest-number"),
    ],
)
def test_mcnemar_is_the_exact_binomial_test(fixed: int, broken: int, p: float) -> None:
    assert pairs.mcnemar(fixed, broken) == pytest.approx(p)
    assert pairs.mcnemar(broken, fixed) == pytest.approx(p)


def test_an_item_counts_in_each_of_its_slices_and_once_in_all() -> None:
    before = told(label("a", "Book", "winter", "golden"), label("b", "Toy"))
    after = told(label("a", "Toy", "winter", "golden"), label("b", "Book"))
    found = rows(before, after)
    assert [name for name, _ in found] == ["all", "golden", "winter"]
    everything, golden = found["all", "accuracy"], found["golden", "accuracy"]
    assert (everything.items, everything.fixed, everything.broken, everything.p_value) == (2, 1, 1, 1.0)
    assert (golden.items, golden.before, golden.after, golden.fixed, golden.broken) == (1, 0.0, 1.0, 1, 0)
    fixed, broken = pairs.turned(before, after, {"a": "a kettle"})
    assert [(e.slices, e.text, e.answer, e.before, e.after) for e in fixed] == [
        (["winter", "golden"], "a kettle", "Toy", "Book", "Toy")
    ]
    assert [e.id for e in broken] == ["b"]


def test_item_that_was_wrong_twice_is_neither_fixed_nor_broken() -> None:
    assert pairs.turned(told(label("a", "Book")), told(label("a", "Pen")), {}) == ([], [])


def test_items_of_one_side_count_there_and_are_not_compared() -> None:
    found = rows(told(label("a", "Toy")), told(label("a", "Toy"), label("b", "Book"), label("c", "Toy", "spring")))
    winter, spring = found["winter", "accuracy"], found["spring", "accuracy"]
    assert (winter.items, winter.before, winter.after, winter.change) == (1, 1.0, 0.5, 0.0)
    assert (spring.items, spring.before, spring.after, spring.change, spring.p_value) == (0, None, 1.0, None, None)


def test_generated_answers_are_compared_by_exact_match_and_have_a_loss_too() -> None:
    def answer(text: str, nats: float) -> Row:
        return item(
            "a", {"kind": "sft", "nats": nats, "tokens": 4, "truncated": False, "text": text}, answer="Yes, it is."
        )

    before, after = told(answer("No.", 8.0)), told(answer(" Yes, it  is.\n", 2.0))
    found = rows(before, after)
    assert (found["all", "exact_match"].fixed, found["all", "exact_match"].after) == (1, 1.0)
    loss = found["all", "loss"]
    assert (loss.before, loss.after, loss.change, loss.fixed, loss.p_value, loss.items) == (
        2.0,
        0.5,
        -1.5,
        None,
        None,
        1,
    )
    [example], _ = pairs.turned(before, after, {})
    assert (example.before, example.answer) == ("No.", "Yes, it is.")
    assert pairs.said({**after["a"], "candidate": after["a"]["candidate"] | {"desirable": False}}) is None


def test_loss_is_the_mean_over_tokens_of_what_is_desirable() -> None:
    def text(name: str, nats: float, tokens: int, **more: Any) -> Row:
        return item(name, {"kind": "kto", "nats": nats, "tokens": tokens, "truncated": False, **more})

    before = told(text("a", 3.0, 1), text("b", 1.0, 3, desirable=True), text("c", 99.0, 1, desirable=False))
    found = rows(before, before)
    assert list(found) == [("all", "loss"), ("winter", "loss")]
    assert (found["all", "loss"].before, found["all", "loss"].items) == (1.0, 2)
    assert pairs.turned(before, before, {}) == ([], [])


def test_preference_is_right_where_the_chosen_answer_is_likelier() -> None:
    def pair(chosen: float, rejected: float) -> Row:
        return item("a", {"kind": "preference", "chosen": chosen, "rejected": rejected, "truncated": False})

    before, after = told(pair(-3.0, -3.0)), told(pair(-1.5, -2.0))
    found = rows(before, after)["all", "preference_accuracy"]
    assert (found.before, found.after, found.fixed) == (0.0, 1.0, 1)
    [example], _ = pairs.turned(before, after, {})
    assert (example.after, example.answer) == ("the chosen one, by 0.50 nats", "the chosen one")


def test_no_items_at_all_is_a_defined_result() -> None:
    assert pairs.slices({}, {}) == []
    assert pairs.turned({}, {}, {}) == ([], [])


def test_what_the_parents_model_said_later_counts_for_it() -> None:
    """Items of the child's new slice were scored with the parent when the child was evaluated."""
    parent, child = {"weights": "1"}, {"weights": "2"}
    old = {"models": {"candidate": parent, "parent": None}, "items": [label("a", "Toy")]}
    new_item = label("b", "Toy", "spring") | {"parent": {"predicted": "Book", "score": -1.0}}
    new = {"models": {"candidate": child, "parent": parent}, "items": [label("a", "Pen"), new_item]}
    before = pairs.items(old, new)
    assert {key: one["candidate"]["predicted"] for key, one in before.items()} == {"a": "Toy", "b": "Book"}
    assert pairs.items(new, old).keys() == {"a", "b"}
    assert rows(before, pairs.items(new, old))["spring", "accuracy"].fixed == 1


def test_another_models_rows_never_count() -> None:
    old = {"models": {"candidate": {"weights": "1"}}, "items": []}
    new = {
        "models": {"candidate": {"weights": "2"}, "parent": {"weights": "3"}},
        "items": [label("a", "Toy") | {"parent": {}}],
    }
    assert pairs.items(old, new) == {}
    assert pairs.items({"items": []}, new) == {}


def diff(**parts: Any) -> Diff:
    nothing: dict[str, Any] = {
        name: [] for name in ("params", "lock", "data", "training", "bytes", "slices", "fixed", "broken", "notes")
    }
    return Diff(before="v1.0.0", after="v1.1.0", **{**nothing, **parts})


def test_examples_are_shown_by_slice_and_in_one_line() -> None:
    before = told(*(label(f"{name}{n}", "Book", name) for name in ("spring", "winter") for n in range(5)))
    after = told(*(label(f"{name}{n}", "Toy", name) for name in ("spring", "winter") for n in range(5)))
    fixed, _ = pairs.turned(before, after, {"spring0": "two\nlines " + "x" * 500})
    for render in (release_table.table, release_table.markdown):
        said = "\n".join(render(diff(fixed=fixed, slices=pairs.slices(before, after))))
        assert "fixed: 10" in said
        assert said.count("Book") == 2 * release_table.SHOWN
        assert "and 4 more" in said
        assert "two lines x" in said
        assert max(map(len, said.splitlines())) < 200


def test_ten_thousand_slices_do_not_flood_the_table() -> None:
    said = told(*(label(str(n), "Toy", f"label={n}|x") for n in range(10_000)))
    found = diff(slices=pairs.slices(said, said))
    assert len(found.slices) == 10_001
    for render in (release_table.table, release_table.markdown):
        lines = "\n".join(render(found)).splitlines()
        assert len(lines) < 100
        assert any("9,941 more" in line for line in lines)
    assert "label=0\\|x" in "\n".join(release_table.markdown(found))
