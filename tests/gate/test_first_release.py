"""What a first release must show: more than the untuned base, and a bound for every kind of records."""

import math
import random
from typing import Any

import pytest

from pipeline.common import schema
from pipeline.gate.broken import upper
from pipeline.gate.decide import decide
from tests.gate.made import content_id, gate, model, predictions, row

FLOORS = {"all": {"accuracy": {"at_least": 0.5, "may_drop": 0.02}}, "each_slice": {}, "slices": {}}
SHIPPED = {
    "all": {"loss": {"at_most": None, "may_rise": 0.05}, "preference_accuracy": {"at_least": 0.0, "may_drop": 0.03}},
    "each_slice": {},
    "slices": {},
}
BOUNDED = {
    "all": {"loss": {"at_most": 3.5, "may_rise": 0.05}, "preference_accuracy": {"at_least": 0.5, "may_drop": 0.03}},
    "each_slice": {},
    "slices": {},
}
ACCEPT = {"unchecked": "accept", "unchecked_reason": "read by hand, 40 answers"}


def first(items: list[dict[str, Any]]) -> dict[str, Any]:
    found = predictions(items, parent=None)
    found["models"]["base"] = model("base")
    return found


def item(number: int, kind: str, ours: dict[str, Any], base: dict[str, Any] | None) -> dict[str, Any]:
    sides = {"candidate": {"truncated": False} | ours, "parent": None, "anchor": None}
    return {"id": content_id(number), "kind": kind, "slices": ["s"], "answer": "a", **sides, "base": base}


def labelled(items: int, right: int, base_right: int) -> list[dict[str, Any]]:
    return [
        item(n, "classification", row("a" if n < right else "b"), row("a" if n >= items - base_right else "b"))
        for n in range(items)
    ]


def spoken(kind: str, items: int, gain: float, noise: float = 0.3) -> list[dict[str, Any]]:
    """Answers or texts of 10 tokens, 4 nats each under the base and `gain` fewer now."""
    draw = random.Random(1)  # noqa: S311
    return [
        item(
            n, kind,
            {"nats": 10 * (4 - gain + draw.gauss(0, noise)), "tokens": 10} | ({"text": "b"} if kind == "sft" else {}),
            {"nats": 40.0, "tokens": 10, "truncated": False},
        )
        for n in range(items)
    ]  # fmt: skip


def preferred(items: int, right: int, base_right: int) -> list[dict[str, Any]]:
    rows = [{"chosen": -1.0, "rejected": -2.0, "truncated": False}]
    rows += [{"chosen": -2.0, "rejected": -1.0, "truncated": False}]
    return [item(n, "preference", rows[n >= right], rows[n < items - base_right]) for n in range(items)]


@pytest.mark.parametrize(
    ("items", "rules"),
    [
        (labelled(240, 200, 40), FLOORS), (spoken("sft", 60, 1.0), BOUNDED), (spoken("text", 60, 1.0), BOUNDED),
        (preferred(60, 55, 20), BOUNDED),
    ],
    ids=["labels", "answers", "texts", "preferences"],
)  # fmt: skip
def test_a_first_release_that_is_better_than_the_base_and_has_a_floor_passes(items, rules):
    found = decide(first(items), gate(rules))
    assert schema.problems(found, "verdict") == []
    assert (found["verdict"], found["decision"], found["warnings"]) == ("pass", "pass", [])
    assert [check["status"] for check in found["checks"] if check["against"] == "base"] == ["pass"]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (labelled(240, 150, 150), "all accuracy: 0.6250, not shown to be better than the untuned base's 0.6250"),
        (labelled(240, 140, 180), "it is worse"),
        (labelled(12, 8, 6), "12 items leave it open"),
        (spoken("sft", 60, 0.0, 0.0), "training changed next to nothing"),
        (spoken("text", 60, 1e-6, 0.0), "training changed next to nothing"),  # better, and on every item alike
        (preferred(60, 40, 40), "all preference_accuracy: 0.6667, not shown to be better"),
    ],
)
def test_what_is_no_better_than_the_base_is_refused_unless_somebody_answers_for_it(items, said):
    rules = FLOORS | {"all": FLOORS["all"] | BOUNDED["all"]}
    rules["all"]["loss"] = {"at_most": 9.0, "may_rise": 0.05}
    found = decide(first(items), gate(rules))
    assert (found["verdict"], found["decision"]) == ("fail", "refused")
    assert any(said in reason for reason in found["reasons"]), found["reasons"]
    accepted = decide(first(items), gate(rules, **ACCEPT))
    assert (accepted["verdict"], accepted["decision"]) == ("unchecked", "pass")
    assert any(said in line for line in accepted["warnings"])
    assert "gate.unchecked is accept: read by hand, 40 answers" in accepted["warnings"]
    assert schema.problems(accepted, "verdict") == []


@pytest.mark.parametrize(
    ("items", "kind"),
    [(spoken("sft", 60, 1.0), "answers"), (spoken("text", 60, 1.0), "texts"), (preferred(60, 55, 20), "preferences")],
)
def test_what_no_bound_can_refuse_is_unchecked_and_named(items, kind):
    found = decide(first(items), gate(SHIPPED))
    assert (found["verdict"], found["decision"]) == ("unchecked", "refused")
    [reason] = found["reasons"]
    assert reason.startswith(f"{kind}: no bound checks ")
    assert "gate.rules.all" in reason
    assert schema.problems(found, "verdict") == []
    assert decide(first(items), gate(SHIPPED, **ACCEPT))["decision"] == "pass"
    assert decide(first(items), gate(SHIPPED, unchecked="accept"))["decision"] == "refused"  # without a reason


def test_one_kind_with_a_floor_does_not_check_another():
    answers = [{**one, "id": content_id(1000 + n)} for n, one in enumerate(spoken("sft", 60, 1.0))]
    found = decide(first([*labelled(200, 180, 20), *answers]), gate(FLOORS))
    assert found["reasons"] == [reason for reason in found["reasons"] if reason.startswith("answers: ")]
    assert found["verdict"] == "unchecked"


def test_a_later_candidate_that_nothing_checks_says_so_and_is_let_pass():
    items = [{**one, "parent": one["candidate"]} for one in labelled(200, 180, 20)]
    found = decide(predictions(items), gate({"all": {}, "each_slice": {}, "slices": {}}))
    assert (found["verdict"], found["decision"]) == ("unchecked", "pass")
    assert found["warnings"][0].startswith("classifications: no bound checks accuracy, macro_f1")


def test_no_better_than_the_base_is_accepted_in_no_more_than_5_percent():
    draw, accepted, runs = random.Random(3), 0, 400  # noqa: S311
    rules = {"all": {"accuracy": {"at_least": 0.01, "may_drop": 0.1}}, "each_slice": {}, "slices": {}}
    for _ in range(runs):
        items = [
            item(n, "classification", row("ab"[draw.random() < 0.5]), row("ab"[draw.random() < 0.5])) for n in range(80)
        ]
        found = decide(first(items), gate(rules))
        accepted += found["decision"] == "pass"
    assert accepted <= 0.05 * runs


@pytest.mark.parametrize(("share", "verdict"), [(0.5, "losses"), (0.1, "pass")])
@pytest.mark.parametrize("where", ["training", "evaluation"])
def test_what_the_length_cut_is_said_and_refuses_beyond_the_share_allowed(share, verdict, where):
    items = spoken("sft", 60, 1.0)
    found = first(items) | {"params": {"candidate": {"train": {"max_cut_share": 0.2}}}}
    if where == "training":
        left_out = round(40 * share)
        found["training"] = {"examples": 100 - left_out, "cut": round(60 * share), "left_out": left_out}
    for one in items[: round(60 * share)] if where == "evaluation" else ():
        one["candidate"]["truncated"] = True
    decided = decide(found, gate(BOUNDED))
    assert decided["verdict"] == verdict
    said = decided["reasons"] if verdict == "losses" else decided["warnings"]
    assert said[0].startswith("of 100 training examples" if where == "training" else "of 60 evaluation items")
    assert schema.problems(decided, "verdict") == []


def test_classifications_keep_their_answer_whatever_is_cut():
    items = labelled(240, 200, 40)
    for one in items:
        one["candidate"]["truncated"] = True
    assert decide(first(items), gate(FLOORS))["verdict"] == "pass"


def flipped(items: int, fixed: int, broken: int) -> list[dict[str, Any]]:
    outcomes = [(True, False)] * fixed + [(False, True)] * broken + [(True, True)] * (items - fixed - broken)
    return [
        item(n, "classification", row("a" if ours else "b"), None) | {"parent": row("a" if theirs else "b")}
        for n, (ours, theirs) in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("fixed", "broken", "status"), [(0, 0, "pass"), (200, 200, "fail"), (60, 60, "fail"), (20, 20, "inconclusive")]
)
def test_a_flip_budget_refuses_what_an_even_accuracy_hides(fixed, broken, status):
    rules = {"all": {"accuracy": {"at_least": 0.1, "may_drop": 0.5, "may_break": 0.02}}, "each_slice": {}, "slices": {}}
    found = decide(predictions(flipped(1000, fixed, broken)), gate(rules))
    [check] = [check for check in found["checks"] if check["metric"] == "accuracy_broken"]
    assert check["status"] == status
    assert found["verdict"] == (status if status != "pass" else "pass")
    assert schema.problems(found, "verdict") == []
    assert (check["sources"], check["discordant"]) == (1000 - fixed, broken)
    if status != "pass":
        assert f"that v1.0.0 had right {broken:,} are wrong now" in found["reasons"][0]


def test_the_parents_own_model_breaks_nothing_however_few_the_items():
    rules = {"all": {"accuracy": {"at_least": 0.1, "may_drop": 0.5, "may_break": 0.02}}, "each_slice": {}, "slices": {}}
    assert decide(predictions(flipped(9, 0, 0), same=True), gate(rules))["verdict"] == "pass"


def test_a_value_that_is_no_number_is_not_compared_with_the_base_in_silence():
    items = labelled(240, 200, 40)
    items[0]["candidate"] = row("a", float("nan"))
    found = decide(first(items), gate({"all": {}, "each_slice": {}, "slices": {}}, **ACCEPT))
    assert found["reasons"] == ["all accuracy: not measured on every item that the untuned base was asked"]


def test_the_bound_of_broken_answers_is_the_exact_one():
    assert upper(0, 100, 0.95) == pytest.approx(1 - 0.05 ** (1 / 100), abs=1e-9)  # Clopper-Pearson, by hand
    bound = upper(5, 50, 0.95)
    chance = sum(math.comb(50, k) * bound**k * (1 - bound) ** (50 - k) for k in range(6))
    assert chance == pytest.approx(0.05, abs=1e-9)  # at the bound, five or fewer are as rare as that
    assert upper(50, 50, 0.95) == 1.0
