import copy
import random

import pytest

from pipeline.common import schema
from pipeline.gate import values
from pipeline.gate.decide import decide
from tests.gate.made import RULES, counted, gate, model, predictions, row, said, status

NAN = float("nan")
ONLY_ALL = RULES | {"each_slice": {}}
FLOOR = {"all": {"accuracy": {"at_least": 0.6, "may_drop": 0.02}}, "each_slice": {}, "slices": {}}
LOSS = {"all": {"loss": {"at_most": 2.0, "may_rise": 0.1}}, "each_slice": {}, "slices": {}}


def outcome(found):
    assert schema.problems(found, "verdict") == []
    return found["verdict"], found["decision"]


def spoken(nats, parent, items=400, noise=0.01):
    draw = random.Random(0)  # noqa: S311
    return [
        {"id": f"{number:064x}", "kind": "text", "slices": ["talk"]}
        | {
            side: {"nats": mean * 10 + draw.gauss(0, noise), "tokens": 10, "truncated": False}
            for side, mean in (("candidate", nats), ("parent", parent))
        }
        for number in range(items)
    ]


# Three states


def test_unchanged_and_many_passes():
    found = decide(predictions(counted("winter", 3000, 30, 30)), gate())
    assert outcome(found) == ("pass", "pass")
    assert (found["reasons"], found["warnings"], found["undecided"]) == ([], [], [])


def test_tiny_set_is_inconclusive_with_what_it_can_tell_and_what_is_needed():
    found = decide(predictions(counted("winter", 12, 0, 1)), gate())
    assert outcome(found) == ("inconclusive", "refused")
    assert found["reasons"] == [
        "all accuracy: 0.9167 beside v1.0.0's 1.0000, at worst -0.3012, may drop 0.0200: "
        "12 items can tell a difference of 0.2072; needed are about 1,289"
    ]
    assert found["undecided"] == ["winter"]
    [check] = [check for check in found["checks"] if (check["slice"], check["against"]) == ("all", "parent")]
    assert (check["needed"], check["detectable"], check["method"]) == (1289, 0.207206, "tango")


def test_label_shuffled_increment_fails_and_its_slices_are_named():
    draw = random.Random(0)  # noqa: S311
    labels = ["Toy", "Book", "Garden", "Pet"]
    items = []
    for name, shuffled, start in (("2026-01-winter", False, 0), ("2026-03-shuffled", True, 1000)):
        for number in range(start, start + 400):
            answer = draw.choice(labels)
            guess = draw.choice(labels) if shuffled or draw.random() < 0.2 else answer
            item = said(number, [name], True, True, answer=answer)
            items.append(item | {"candidate": row(guess), "parent": row(answer if draw.random() < 0.95 else "Toy")})
    rules = {"all": {"accuracy": {"at_least": 0.3, "may_drop": 0.02}, "macro_f1": {"at_least": 0.3, "may_drop": 0.03}}}
    found = decide(predictions(items), gate(rules | {"each_slice": rules["all"], "slices": {}}))
    assert outcome(found) == ("fail", "refused")
    for metric in ("accuracy", "macro_f1"):
        assert any(reason.startswith(f"2026-03-shuffled {metric}: ") for reason in found["reasons"])
        assert status(found, "2026-03-shuffled", metric=metric) == "fail"


def test_a_decline_that_is_proven_but_within_the_margin_is_allowed():
    found = decide(predictions(counted("winter", 20_000, 10, 110)), gate())
    [check] = [check for check in found["checks"] if (check["slice"], check["against"]) == ("winter", "parent")]
    assert check["p_value"] < 0.001
    assert outcome(found) == ("pass", "pass")


def test_same_weights_pass_whatever_their_number():
    found = decide(predictions(counted("winter", 3, wrong=1), same=True), gate())
    assert outcome(found) == ("pass", "pass")
    assert {check["method"] for check in found["checks"] if check["against"] == "parent"} == {"identical"}


def test_same_answers_of_other_weights_are_judged():
    assert outcome(decide(predictions(counted("winter", 3)), gate())) == ("inconclusive", "refused")
    assert outcome(decide(predictions(counted("winter", 3000)), gate())) == ("pass", "pass")


# Slices


def test_small_slice_is_listed_and_blocks_only_if_proven_worse():
    many = counted("winter", 3000, 30, 30)
    found = decide(predictions([*many, *counted("tiny", 10, 0, 3)]), gate())
    assert (*outcome(found), found["undecided"]) == ("pass", "pass", ["tiny"])
    found = decide(predictions([*many, *counted("tiny", 30, 0, 9)]), gate())
    assert (*outcome(found), status(found, "tiny")) == ("fail", "refused", "fail")


def test_critical_slice_must_be_shown_not_to_be_worse():
    items = [*counted("winter", 3000, 30, 30), *counted("tiny", 10)]
    assert status(decide(predictions(items), gate()), "tiny") == "undecided"
    found = decide(predictions(items), gate(critical=["tiny"]))
    assert (*outcome(found), status(found, "tiny")) == ("inconclusive", "refused", "inconclusive")


def test_slice_that_is_big_enough_must_show_it_by_itself():
    items = [*counted("winter", 400, 13, 27), *counted("other", 20), *counted("new", 3000, 60)]
    found = decide(predictions(items), gate())
    assert (status(found, "all"), status(found, "winter"), status(found, "other")) == (
        "pass", "inconclusive", "undecided",
    )  # fmt: skip
    assert outcome(found) == ("inconclusive", "refused")


def test_one_of_many_big_slices_may_miss_its_bound_by_chance():
    even = [item for number in range(9) for item in counted(f"s{number}", 400, 20, 20)]
    found = decide(predictions([*even, *counted("odd", 400, 15, 25)]), gate())
    assert (*outcome(found), status(found, "odd")) == ("pass", "pass", "undecided")
    found = decide(predictions([*even, *counted("odd", 400, 10, 27)]), gate())
    assert status(found, "odd") == "inconclusive"


def test_no_discordant_pair_among_five_items_is_not_big_enough():
    found = decide(predictions([*counted("winter", 5000, 1, 1), *counted("five", 5)]), gate())
    assert status(found, "five") == "undecided"


def test_item_of_several_slices_counts_once_in_all():
    items = [item | {"slices": ["winter", "label=a", "all"]} for item in counted("winter", 50)]
    found = decide(predictions(items), gate())
    assert {check["items"] for check in found["checks"]} == {50}
    assert {check["slice"] for check in found["checks"]} == {"all", "winter", "label=a"}


# Anchor


def chain(releases, items=2000, step=20):
    """Each release breaks `step` more items than the one before; of release n: its answers."""
    return [[index >= step * n for index in range(items)] for n in range(releases + 1)]


def test_ten_declines_that_each_pass_add_up_against_the_anchor():
    answers = chain(10)
    verdicts = []
    for n in range(1, 11):
        items = [
            said(index, ["winter"], answers[n][index], answers[n - 1][index], answers[0][index])
            for index in range(len(answers[0]))
        ]
        against_parent = decide(predictions(items, f"v1.{n - 1}.0"), gate())
        assert against_parent["verdict"] == "pass"  # one point each, two allowed
        verdicts.append(decide(predictions(items, f"v1.{n - 1}.0", "v1.0.0"), gate(anchor="v1.0.0")))
    assert verdicts[0]["verdict"] == "pass"
    assert verdicts[-1]["verdict"] == "fail"
    assert status(verdicts[-1], "all", "anchor") == "fail"
    assert status(verdicts[-1], "all", "parent") == "pass"
    assert "proven worse than the anchor v1.0.0's 1.0000" in verdicts[-1]["reasons"][0]


def test_anchor_that_is_the_parent_is_judged_once():
    items = [said(index, ["winter"], True, True, True) for index in range(50)]
    found = decide(predictions(items, "v1.0.0", "v1.0.0"), gate(anchor="v1.0.0"))
    assert {check["against"] for check in found["checks"]} == {"floor", "parent"}


def test_anchor_that_was_not_measured_refuses():
    found = decide(predictions(counted("winter", 3000), "v1.1.0"), gate(anchor="v1.0.0"))
    assert outcome(found) == ("fail", "refused")
    assert found["reasons"] == ["gate.anchor: v1.0.0 was not measured; `graft lock` resolves it"]


# Floors, must-pass, what is missing


@pytest.mark.parametrize(
    ("wrong", "reasons"),
    [
        pytest.param(4, [], id="floor-itself-passes"),
        pytest.param(5, ["all accuracy: 0.5000, needs at least 0.6000"], id="below-the-floor-fails"),
    ],
)
def test_first_release_is_held_to_floors_only(wrong, reasons):
    items = [said(index, ["winter"], index >= wrong) for index in range(10)]
    found = decide(predictions(items, parent=None), gate(FLOOR))
    assert (outcome(found)[1], found["reasons"]) == ("refused" if reasons else "pass", reasons)
    assert {check["against"] for check in found["checks"]} == {"floor"}


def test_floor_holds_within_the_margin():
    found = decide(predictions(counted("winter", 3000, 0, 10, wrong=1300)), gate(FLOOR))
    assert found["reasons"] == ["all accuracy: 0.5633, needs at least 0.6000"]


def test_must_pass_item_that_is_wrong_fails_at_any_accuracy():
    items = counted("winter", 3000)
    items[7] |= {"must_pass": True, "slices": ["must-pass"]}
    assert outcome(decide(predictions(items), gate())) == ("pass", "pass")
    items[7]["candidate"] = row("b")
    found = decide(predictions(items), gate())
    assert outcome(found) == ("fail", "refused")
    assert found["reasons"] == [f"must-pass: 1 item of 1 wrong: {items[7]['id'][:12]}"]


def test_must_pass_holds_for_the_first_release_and_where_nothing_is_generated():
    item = {"id": "f" * 64, "kind": "text", "slices": ["m"], "must_pass": True, "candidate": {"nats": 1.0, "tokens": 3}}
    found = decide(predictions([item], parent=None), gate({"all": {}, "each_slice": {}, "slices": {}}))
    assert outcome(found) == ("fail", "refused")
    assert found["reasons"] == [
        "must-pass: 1 item of 1 neither right nor wrong: ffffffffffff; "
        "an answer needs evaluate.max_new_tokens, a plain text has none"
    ]


@pytest.mark.parametrize(
    "candidate", [None, row("a", NAN), row("a") | {"predicted": None}, {"key": "0"}], ids=["none", "nan", "null", "no"]
)
def test_value_that_is_missing_or_no_number_fails(candidate):
    items = counted("winter", 3000)
    items[0]["candidate"] = candidate
    found = decide(predictions(items), gate())
    assert outcome(found) == ("fail", "refused")
    assert found["reasons"][0] == "all accuracy: an item's value is missing or no number"


def test_item_that_the_parent_was_not_asked_fails():
    items = counted("winter", 3000)
    items[0]["parent"] = None
    assert decide(predictions(items), gate())["reasons"] == [
        "all accuracy: not measured for v1.0.0 on every item",
        "winter accuracy: not measured for v1.0.0 on every item",
    ]


@pytest.mark.parametrize(
    ("rules", "more", "reason"),
    [
        (
            {"slices": {"gone": FLOOR["all"]}}, {},
            "gone accuracy: not measured: there is no such slice, only all, winter",
        ),
        ({"slices": {"winter": LOSS["all"]}}, {}, "winter loss: not measured"),
        ({"all": {"bleu": {"at_least": 20, "may_drop": 1}}}, {}, "all bleu: not measured"),
        (
            {"all": {"price": {"at_most": 2, "may_rise": 1}}}, {},
            "all price: not measured: no item has such a metric; Graft's own are accuracy, bleu, chrf, exact_match, "
            "loss, macro_f1, preference_accuracy, rouge_l",
        ),
        (
            {"each_slice": {"acuracy": {"at_least": 2, "may_drop": 1}}}, {},
            "acuracy: no item has it; evaluate.custom measures metrics of your own",
        ),
        ({}, {"critical": ["gone"]}, "gone: declared critical, and there is no such slice, only all, winter"),
        (
            {"slices": {"winter": {"accuracy": {"at_least": 0.5}}}}, {"critical": ["winter"]},
            "winter: declared critical, and no rule holds it against the parent; give one may_drop or may_rise",
        ),
    ],
)  # fmt: skip
def test_what_was_asked_for_and_not_measured_fails(rules, more, reason):
    found = decide(predictions(counted("winter", 3000)), gate(RULES | rules, **more))
    assert outcome(found) == ("fail", "refused")
    assert found["reasons"] == [reason]


def test_golden_items_that_are_gone_are_missed_aloud_and_block_nothing():
    found = predictions(counted("winter", 3000)) | {"golden": {"parent": {"golden-best": 28, "winter": 3000}}}
    told = decide(found, gate())
    assert outcome(told) == ("pass", "pass")
    assert told["warnings"] == ["golden-best: v1.0.0 was evaluated on 28 items, this candidate on 0"]


def test_a_bootstrap_without_any_spread_proves_nothing_of_few_items():
    """One item that both get wrong, each in its own way, changes no macro-F1: 27 items are still few."""
    items = counted("shoes", 27, wrong=1)
    items[0]["candidate"] = row("c")
    rules = {"all": {"macro_f1": {"at_least": 0.0, "may_drop": 0.02}}, "each_slice": {}, "slices": {}}
    assert outcome(decide(predictions(items), gate(rules))) == ("inconclusive", "refused")


def test_no_items_at_all_fail():
    found = decide(predictions([], parent=None), gate(FLOOR))
    assert found["reasons"] == ["all accuracy: not measured"]


def test_candidate_that_no_rule_judged_is_refused():
    found = decide(predictions(spoken(1.0, 1.0, 10), parent=None), gate(FLOOR))
    assert outcome(found) == ("fail", "refused")
    assert found["reasons"] == ["no rule judged the candidate: measured are loss, and gate.rules speaks of accuracy"]
    assert outcome(decide(predictions([], parent=None), gate({"all": {}, "each_slice": {}, "slices": {}})))[1] == "pass"


# Kinds without labels


@pytest.mark.parametrize(
    ("nats", "parent", "verdict"),
    [(1.5, 1.5, "pass"), (1.55, 1.5, "pass"), (1.65, 1.5, "fail"), (2.1, 2.1, "fail"), (1.2, 1.5, "pass")],
)
def test_loss_may_rise_by_its_margin_and_stays_below_its_ceiling(nats, parent, verdict):
    found = decide(predictions(spoken(nats, parent)), gate(LOSS))
    assert outcome(found)[0] == verdict


def test_noisy_loss_of_few_items_is_inconclusive():
    found = decide(predictions(spoken(1.52, 1.5, items=20, noise=3)), gate(LOSS))
    assert outcome(found) == ("inconclusive", "refused")
    assert "20 items can tell a difference of" in found["reasons"][0]


def test_preferences_and_metrics_of_ones_own_are_judged():
    pair = {"id": "0", "kind": "preference", "slices": ["p"]}
    items = [
        pair
        | {"id": f"{index:064x}"}
        | {
            side: {"chosen": -1.0, "rejected": -2.0, "custom": {"price": [value, 1 + index % 3]}}
            for side, value in (("candidate", 3.0 + index % 2), ("parent", 1.0 + index % 2))
        }
        for index in range(500)
    ]
    rules = {
        "all": {
            "preference_accuracy": {"at_least": 0.9, "may_drop": 0.03}, "price": {"at_most": None, "may_rise": 0.5}
        },
        "each_slice": {}, "slices": {},
    }  # fmt: skip
    found = decide(predictions(items), gate(rules))
    assert status(found, "all", metric="preference_accuracy") == "pass"
    assert status(found, "all", metric="price") == "fail"


def test_one_item_of_a_score_tells_nothing_and_says_so():
    found = decide(predictions(spoken(1.6, 1.5, items=1)), gate(LOSS))
    assert outcome(found) == ("inconclusive", "refused")
    assert found["reasons"][0].endswith("may rise 0.1000: nothing to tell from 1 item")


def test_margin_of_0_is_shown_by_no_number_of_items():
    rules = {"all": {"accuracy": {"at_least": 0, "may_drop": 0}}, "each_slice": {}, "slices": {}}
    found = decide(predictions(counted("winter", 5000, 10, 10)), gate(rules))
    assert found["reasons"][0].endswith("may drop 0.0000: no number of items shows a margin of 0")


def test_enough_items_and_still_in_doubt_says_so():
    found = decide(predictions(counted("winter", 2000, 89, 111)), gate())
    assert found["reasons"][0].endswith("2,000 items would do, were the two alike; a decline is likely, and not proven")


# Policy


OVERRIDE = {"who": "Li", "why": "seasonal titles, checked by hand", "release": "v1.0.0"}


@pytest.mark.parametrize(
    ("more", "decision", "said"),
    [
        ({}, "refused", []),
        ({"inconclusive": "warn"}, "pass", []),
        (
            {"inconclusive": "override"}, "refused",
            ["gate.inconclusive is override, and gate.override is empty: who, why, release"],
        ),
        (
            {"inconclusive": "override", "override": OVERRIDE}, "pass",
            ["overridden by Li: seasonal titles, checked by hand"],
        ),
        (
            {"inconclusive": "override", "override": OVERRIDE | {"release": "v0.9.0"}}, "refused",
            ["gate.override names v0.9.0, and this candidate's parent is v1.0.0: it does not count"],
        ),
        (
            {"inconclusive": "override", "override": {"who": " ", "because": "x"}}, "refused",
            ["gate.override does not count: who, why, release must say something; because is unknown"],
        ),
        ({"override": OVERRIDE}, "refused", ["gate.override does not count: gate.inconclusive is block"]),
    ],
)  # fmt: skip
def test_policy_for_inconclusive(more, decision, said):
    found = decide(predictions(counted("winter", 12, 0, 1)), gate(**more))
    assert outcome(found) == ("inconclusive", decision)
    assert (found["reasons"] + found["warnings"])[0].startswith("all accuracy: 0.9167 beside v1.0.0's")
    assert found["warnings"][decision == "pass" :] == said


@pytest.mark.parametrize("policy", ["warn", "override"])
def test_failure_is_never_overridden(policy):
    found = decide(predictions(counted("winter", 100, 0, 60)), gate(inconclusive=policy, override=OVERRIDE))
    assert outcome(found) == ("fail", "refused")


def test_override_that_was_not_needed_says_nothing():
    found = decide(predictions(counted("winter", 3000)), gate(inconclusive="override", override=OVERRIDE))
    assert (found["override"]["state"], found["warnings"]) == ("not needed", [])


# The function


def test_verdict_is_a_function_of_predictions_and_params_alone():
    found = predictions(counted("winter", 300, 20, 25) + spoken(1.5, 1.52))
    before = copy.deepcopy(found)
    rules = {"all": RULES["all"] | {"macro_f1": {"at_least": 0, "may_drop": 0.1}} | LOSS["all"], "each_slice": {}}
    params = gate(rules | {"slices": {}})
    first = decide(found, params)
    assert found == before
    found["items"].reverse()
    assert decide(found, params) == first


def test_verdict_contradicting_its_own_reasons_breaks_the_schema():
    found = decide(predictions(counted("winter", 100, 0, 60)), gate())
    assert schema.problems(found, "verdict") == []
    assert schema.problems(found | {"reasons": []}, "verdict") != []
    assert schema.problems(found | {"decision": "pass"}, "verdict") != []


def test_models_that_differ_in_one_field_are_other_models():
    found = predictions(counted("winter", 3), same=True)
    found["models"]["candidate"] = model("parent") | {"dtype": "bfloat16"}
    assert decide(found, gate())["verdict"] == "inconclusive"


def test_new_labels_that_no_parent_knows_say_nothing_of_how_many_items_an_old_slice_needs():
    old = counted("old", 400, 10, 30)
    new = counted("new", 1500, 1425, 0, 75)
    alone, beside = (decide(predictions(items), gate()) for items in (old, [*old, *new]))
    [first], [second] = (
        [check["needed"] for check in found["checks"] if (check["slice"], check["against"]) == ("old", "parent")]
        for found in (alone, beside)
    )
    assert second <= 1.1 * first
    assert status(beside, "old") == status(alone, "old") != "undecided"


def test_a_model_that_gives_no_numbers_fails_whatever_the_floor():
    items = [said(number, ["winter"], True, None) for number in range(50)]
    items[7]["candidate"] = row("") | {"score": None, "confidence": 0.0}
    rules = {"all": {"accuracy": {"at_least": 0.0, "may_drop": 0.02}}, "each_slice": {}, "slices": {}}
    found = decide(predictions(items, parent=None), gate(rules))
    assert outcome(found) == ("fail", "refused")
    assert "no number" in found["reasons"][0]


def test_a_metric_without_any_weight_is_not_measured():
    items = [said(number, ["winter"], True, None) for number in range(50)]
    for item in items:
        item["candidate"] |= {"custom": {"returns": [0.0, 0.0]}}
    rules = {"all": {"returns": {"at_most": 0.5, "may_rise": None}}, "each_slice": {}, "slices": {}}
    assert outcome(decide(predictions(items, parent=None), gate(rules))) == ("fail", "refused")


@pytest.mark.parametrize(
    ("kind", "answer", "said", "expected"),
    [
        ("classification", "A", {"predicted": "A"}, True), ("classification", "A", {"predicted": ""}, False),
        ("sft", "42", {"text": " 42\n"}, True), ("sft", "42", {"text": "about 42"}, False),
        ("preference", "", {"chosen": -1.0, "rejected": -2.0}, True),
        ("preference", "", {"chosen": -2.0, "rejected": -2.0}, False),
        ("text", "", {"nats": 3.0, "tokens": 2}, None), ("classification", "A", None, None),
    ],
)  # fmt: skip
def test_what_is_right(kind, answer, said, expected):
    item = {"id": "0" * 64, "kind": kind, "answer": answer, "candidate": {}, "parent": said}
    assert values.right(item, "parent") is expected


def test_variants_of_few_texts_are_told_as_sources():
    items = [said(number, ["winter"], True, True, cluster=str(number % 20)) for number in range(1000)]
    found = decide(predictions(items), gate())
    assert outcome(found) == ("inconclusive", "refused")
    assert "20 sources of 1,000 items can tell" in found["reasons"][0]
    [check] = [check for check in found["checks"] if (check["slice"], check["against"]) == ("all", "parent")]
    assert (check["items"], check["sources"]) == (1000, 20)
    assert check["needed"] > 20
