"""What differs from what the parent was judged by: nothing is missed, and what has no effect is not named."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipeline.common import schema
from pipeline.gate import changes
from pipeline.gate.basis import Basis
from pipeline.report import rule_words
from tests.gate.made import content_id, gate, predictions, row, said

RULES: dict[str, Any] = {
    "all": {"accuracy": {"at_least": 0.6, "may_drop": 0.02}, "loss": {"at_most": None, "may_rise": 0.05}},
    "each_slice": {"accuracy": {"at_least": 0.5, "may_drop": 0.05}},
    "slices": {"golden-a": {"accuracy": {"at_least": 0.9, "may_drop": 0.0}}},
}
CODE = {"pipeline/gate/decide.py": "1", "pipeline/common/files.py": "1"}
FILES = {"metrics/price.py": "1", "metrics/ratings.csv": "1", "pipeline/common/files.py": "1"}


def item(number: int, *names: str, right: bool = True, answer: str = "a", **more: Any) -> dict[str, Any]:
    """A golden item; its question is its number, its id changes with its answer."""
    id_ = content_id(number) if answer == "a" else content_id(1000 + number)
    return said(number, names, right, right) | {"id": id_, "answer": answer, "question": str(number), **more}


def basis(section: Mapping[str, Any], *items: Mapping[str, Any], **more: Any) -> Basis:
    golden = {entry["id"]: {**entry, "golden": entry["slices"]} for entry in items}
    parts = {
        "gate_code": CODE,
        "evaluated": FILES,
        "settings": {"evaluate": {"max_items": None, "batch_size": 64}},
        **more,
    }
    return Basis(gate=section, golden=golden, **parts)


def compared(ours: Basis, theirs: Basis) -> dict[str, Any]:
    content = changes.compare(ours, theirs, "v1.0.0", predictions(ours.golden.values()))
    assert schema.problems(content, "changes") == []
    return content


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    section = gate(copy.deepcopy(RULES))
    edit(section)
    return section


def rule(section: dict[str, Any], scope: str = "all", metric: str = "accuracy") -> dict[str, Any]:
    return section["rules"][scope][metric]


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        pytest.param(lambda s: rule(s).update(at_least=0.1), ["all.accuracy.at_least: 0.6 → 0.1 looser"], id="floor"),
        pytest.param(lambda s: rule(s).update(at_least=0.7), ["all.accuracy.at_least: 0.6 → 0.7 stricter"], id="up"),
        pytest.param(lambda s: rule(s).pop("at_least"), ["all.accuracy.at_least: 0.6 → none looser"], id="no-floor"),
        pytest.param(lambda s: rule(s).update(may_drop=1), ["all.accuracy.may_drop: 0.02 → 1 looser"], id="margin"),
        pytest.param(
            lambda s: rule(s, metric="loss").update(at_most=2.0),
            ["all.loss.at_most: none → 2.0 stricter"],
            id="ceiling",
        ),
        pytest.param(
            lambda s: s["rules"]["each_slice"].clear(),
            ["each_slice.accuracy: at_least 0.5, may_drop 0.05 → none looser"],
            id="rule-gone",
        ),
        pytest.param(  # what was asked of every slice is asked of two alone
            lambda s: s["rules"].update(each_slice={}, slices=s["rules"]["slices"] | {"b": RULES["each_slice"]}),
            [
                "each_slice.accuracy: at_least 0.5, may_drop 0.05 → none looser",
                "slices.b: none → its own rules stricter",
            ],
            id="moved-to-a-slice",
        ),
        pytest.param(
            lambda s: s["rules"]["slices"].clear(),
            [
                "slices.golden-a.accuracy.at_least: 0.9 → 0.5 looser",
                "slices.golden-a.accuracy.may_drop: 0.0 → 0.05 looser",
            ],
            id="slice-rule-gone",
        ),
        pytest.param(  # a slice with rules of its own has none of each_slice's
            lambda s: s["rules"]["slices"].update(b={}),
            ["slices.b.accuracy: at_least 0.5, may_drop 0.05 → none looser"],
            id="slice-let-off",
        ),
        pytest.param(lambda s: s.update(confidence=0.6), ["confidence: 0.95 → 0.6 looser"], id="confidence"),
        pytest.param(lambda s: s.update(fail_alpha=0.001), ["fail_alpha: 0.025 → 0.001 looser"], id="alpha"),
        pytest.param(lambda s: s.update(inconclusive="warn"), ["inconclusive: block → warn looser"], id="policy"),
        pytest.param(lambda s: s.update(critical=["x"]), ['critical: [] → ["x"] stricter'], id="critical"),
        pytest.param(lambda s: s.update(anchor="v1.0.0"), ["anchor: none → v1.0.0 stricter"], id="anchor"),
        pytest.param(
            lambda s: s.update(override={"who": "Li", "why": "seen", "release": "v1.0.0"}),
            ["override: none → who Li, why seen, release v1.0.0 looser"],
            id="override",
        ),
        pytest.param(lambda s: s.update(examples=9), ["examples: 0 → 9 None"], id="examples"),
    ],
)
def test_changed_rule_is_named_with_both_values_and_its_direction(edit, named):
    content = compared(basis(edited(edit)), basis(gate(RULES)))
    lines = rule_words.lines(content)
    settings = [
        f"{line.removeprefix('gate.').removeprefix('rules.').partition(' (')[0]} {setting['effect']}"
        for line, setting in zip(lines, content["rules"], strict=False)
    ]
    assert settings == named
    assert content["under_parent_rules"] is not None


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda s: s["rules"].update(dict(reversed(s["rules"].items()))), id="order-of-rules"),
        pytest.param(lambda s: rule(s, metric="loss").pop("at_most"), id="null-bound-left-out"),
        pytest.param(lambda s: rule(s).update(at_most=None), id="null-bound-stated"),
        pytest.param(lambda s: s.pop("confidence"), id="default-left-out"),
        pytest.param(lambda s: rule(s, "slices", "golden-a")["accuracy"].update(may_drop=0), id="0-for-0.0"),
    ],
)
def test_rule_of_the_same_effect_is_not_named(edit):
    content = compared(basis(edited(edit)), basis(gate(RULES)))
    assert not changes.differs(content)
    assert (content["under_parent_rules"], rule_words.title(content, {}), rule_words.lines(content)) == (None, "", [])


def test_order_of_critical_slices_and_of_lists_says_nothing():
    ours, theirs = (gate(RULES, critical=order) for order in (["a", "b"], ["b", "a"]))
    lists = (
        {"slice_by": ["label", "month"], "custom": "metrics.a:f"},
        {"slice_by": ["month", "label"], "custom": ["metrics.a:f"]},
    )
    assert not changes.differs(
        compared(basis(ours, settings={"evaluate": lists[0]}), basis(theirs, settings={"evaluate": lists[1]}))
    )


def test_golden_items_are_named_by_id_even_where_their_number_stays():
    before = [item(1, "golden-a"), item(2, "golden-a"), item(3, "golden-a"), item(4, "golden-b", must_pass=True)]
    after = [
        item(1, "golden-a", answer="b"),
        item(5, "golden-a"),
        item(3, "golden-b"),
        item(4, "golden-b", cluster="c"),
    ]
    content = compared(basis(gate(RULES), *after), basis(gate(RULES), *before))
    assert [(entry["slice"], entry["added"], entry["removed"], entry["changed"]) for entry in content["golden"]] == [
        ("golden-a", [content_id(5)], sorted([content_id(2), content_id(3)]), []),
        ("golden-b", [content_id(3)], [], [content_id(4)]),
    ]
    [pair] = content["golden"][0]["relabelled"]
    assert pair == {"before": content_id(1), "after": content_id(1001), "answer_before": "a", "answer_after": "b"}
    assert content["must_pass"] == {"gained": [], "lost": [content_id(4)]}
    assert content["under_parent_rules"]["not_scored"] == [content_id(2)]
    text = "\n".join(rule_words.lines(content))
    assert all(content_id(number)[:16] in text for number in (1, 2, 3, 4, 5))


def test_relabelling_that_hides_a_wrong_answer_fails_by_the_parents_labels():
    before = [item(number, "golden-a", right=False) for number in range(20)]
    after = [item(number, "golden-a", answer="b") | {"candidate": row("b"), "parent": row("b")} for number in range(20)]
    content = compared(basis(gate(RULES), *after), basis(gate(RULES), *before))
    assert content["under_parent_rules"]["verdict"] == "fail"
    assert rule_words.title(content, {"verdict": "pass", "decision": "pass"}) == (
        "Changed since v1.0.0: golden items. By v1.0.0's rules the verdict is fail, not pass."
    )


def test_lost_must_pass_mark_counts_by_the_parents_rules():
    lenient = gate({"all": {}, "each_slice": {}, "slices": {}})
    before, after = item(1, "golden-a", right=False, must_pass=True), item(1, "golden-a", right=False)
    content = compared(basis(lenient, after), basis(lenient, before))
    assert content["must_pass"] == {"gained": [], "lost": [content_id(1)]}
    assert "must-pass" in content["under_parent_rules"]["reasons"][0]


def test_files_are_named_by_kind_and_shared_code_once():
    code = {"pipeline/gate/decide.py": "2", "pipeline/common/files.py": "2", "pipeline/gate/new.py": "1"}
    files = {"metrics/price.py": "2", "pipeline/common/files.py": "2", "data/templates/a.jinja": "1"}
    content = compared(basis(gate(RULES), gate_code=code, evaluated=files), basis(gate(RULES)))
    assert rule_words.lines(content)[:3] == [
        "evaluation file: data/templates/a.jinja added, metrics/ratings.csv removed",
        "metric code: metrics/price.py changed, pipeline/common/files.py changed",
        "gate code: pipeline/gate/decide.py changed, pipeline/gate/new.py added",
    ]


def test_evaluation_settings_are_named_but_for_those_of_the_machine():
    settings = {"evaluate": {"max_items": 50, "batch_size": 8}, "assemble": {"slice_items": 5}}
    content = compared(basis(gate(RULES), settings=settings), basis(gate(RULES)))
    assert rule_words.lines(content)[:-3] == ["assemble.slice_items: none → 5", "evaluate.max_items: none → 50"]


def test_anchor_that_was_given_up_is_named_and_not_counted_against_the_candidate():
    content = compared(
        basis(gate(RULES), item(1, "golden-a")), basis(gate(RULES, anchor="v0.9.0"), item(1, "golden-a"))
    )
    assert "gate.anchor: v0.9.0 → none (looser than v1.0.0's)" in rule_words.lines(content)
    assert content["under_parent_rules"]["not_compared"] == ["anchor v0.9.0"]
    assert not [reason for reason in content["under_parent_rules"]["reasons"] if "gate.anchor" in reason]


def test_parent_of_an_older_graft_says_so_and_golden_items_are_compared_all_the_same():
    theirs = basis(gate(RULES), item(1, "golden-a"), gate_code=None, evaluated=None)
    theirs = Basis(gate=None, gate_code=None, evaluated=None, settings=None, golden=theirs.golden)
    content = compared(basis(gate(RULES)), theirs)
    assert content["golden"][0]["removed"] == [content_id(1)]
    title = rule_words.title(content, {})
    assert title.startswith("Changed since v1.0.0: golden items. v1.0.0 does not record its rules and code")


def test_no_parent_has_no_rules():
    content = changes.compare(basis(gate(RULES)), None, "adopted", predictions([]))
    assert (content["parent"], rule_words.title(content, {}), rule_words.lines(content)) == (None, "", [])
