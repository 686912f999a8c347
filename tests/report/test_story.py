"""The sentence that a verdict leads with: each rule on predictions that the gate decided itself."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.gate.decide import decide
from pipeline.report import markdown, story
from pipeline.report.facts import Facts
from tests.gate.made import content_id, gate, model, predictions, row
from tests.report.conftest import candidate

NEW = "2026-02-spring"
RULES = {
    "all": {"accuracy": {"at_least": 0.1, "may_drop": 0.02}},
    "each_slice": {"accuracy": {"at_least": 0.1, "may_drop": 0.05}},
    "slices": {},
}


def facts(found: dict[str, Any], release: str | None = "v1.0.0", **more: Any) -> Facts:
    section = gate(**{"rules": RULES, **more})
    return replace(
        candidate("pass"),
        verdict=decide(found, section),
        gate=section,
        predictions=found,
        release=release,
        increment=NEW,
    )


def labelled(name: str, items: int, right: float, before: float | None, answers: str = "ab") -> list[dict[str, Any]]:
    """A slice, by the shares that candidate and parent have right."""
    made = []
    for n in range(items):
        answer = answers[n % len(answers)]
        wrong = "z"
        ours = row(answer if n < round(right * items) else wrong)
        theirs = None if before is None else row(answer if n < round(before * items) else wrong)
        head = {"id": content_id(hash_of(name) + n), "kind": "classification", "slices": [name], "answer": answer}
        made.append({**head, "candidate": ours, "parent": theirs, "anchor": None})
    return made


def hash_of(name: str) -> int:
    return sum(map(ord, name)) * 10_000


def old(right: float, before: float = 0.95) -> list[dict[str, Any]]:
    return [*labelled("2026-01-winter", 800, right, before), *labelled("golden-best", 400, right, before)]


def against_base(found: dict[str, Any], share: float) -> dict[str, Any]:
    found["models"]["base"] = model("base")
    for n, item in enumerate(found["items"]):
        item["base"] = row(item["answer"] if n < share * len(found["items"]) else "z")
    return found


MISLABELLED = predictions([*old(0.9), *labelled(NEW, 400, 0.09, 0.12)])
FORGOT = predictions(
    [*labelled("2026-01-winter", 800, 0.7, 0.95), *labelled("b", 800, 0.95, 0.95), *labelled(NEW, 400, 0.9, 0.3)]
)
EVERYWHERE = predictions([*old(0.6), *labelled(NEW, 400, 0.5, 0.8)])
FEW = predictions(labelled("2026-01-winter", 12, 0.9, 1.0))
GOOD = predictions([*old(0.95), *labelled(NEW, 2000, 0.9, 0.9)])


def one_label() -> dict[str, Any]:
    items = labelled("2026-01-winter", 1200, 1.0, 1.0, "abcdef")
    for item in [item for item in items if item["answer"] == "c"][:100] + [i for i in items if i["answer"] == "d"][:20]:
        item["candidate"] = row("z")
    return predictions([*items, *labelled(NEW, 400, 0.9, 0.95)])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (facts(MISLABELLED), "The new data looks mislabelled: 9% right on 2026-02-spring, elsewhere 90%."),
        (facts(FORGOT), "It learned the new data and forgot older: 2026-01-winter fell from 95% to 70%."),
        (facts(EVERYWHERE), "It is worse on every slice, most on 2026-01-winter (95% to 60%): this looks like the"),
        (facts(one_label()), "Most of what broke is one label: 100 of 140 broken items are 'c'."),
        (facts(FEW), "Nobody can say whether it is worse: all accuracy 100% before, 92% now, and 12 items"),
        (facts(GOOD), "It is as good as v1.0.0 on what was asked: accuracy 92%, 92% before."),
    ],
    ids=["mislabelled", "forgot", "everywhere", "one label", "few", "good"],
)  # fmt: skip
def test_the_first_rule_that_holds_speaks(told: Facts, said: str) -> None:
    assert story.sentence(told).startswith(said)
    assert said.split(":", maxsplit=1)[0] in markdown.render(told)


def first(right: float, base: float) -> dict[str, Any]:
    return against_base(predictions(labelled(NEW, 400, right, None), parent=None), base)


@pytest.mark.parametrize(
    ("found", "more", "said"),
    [
        (first(0.9, 0.2), {}, "It is better than the untuned base: accuracy 90%, 20% there."),
        (first(0.2, 0.2), {}, "Training brought nothing that shows: accuracy 20%, and the base alone 20%;"),
        (
            first(0.5, 0.2), {"rules": RULES | {"all": {"accuracy": {"at_least": 0.8, "may_drop": 0.02}}}},
            "It is not good enough yet: accuracy 50%, where gate.rules ask for 80%.",
        ),
        (
            first(0.9, 0.2), {"rules": {"all": {}, "each_slice": {}, "slices": {}}},
            "It is better than the untuned base (accuracy 90%, 20%), but nothing says what is good enough",
        ),
        (
            first(0.9, 0.2) | {"training": {"examples": 10, "cut": 9, "left_out": 0}}
            | {"params": {"candidate": {"train": {"max_cut_share": 0.2}}}}, {},
            "Too much of the data was cut",
        ),
    ],
    ids=["better", "no better", "floor", "unchecked", "losses"],
)  # fmt: skip
def test_of_a_first_release(found: dict[str, Any], more: dict[str, Any], said: str) -> None:
    assert story.sentence(facts(found, release=None, **more)).startswith(said)


def test_a_new_slice_that_was_right_before_is_not_called_mislabelled() -> None:
    found = predictions([*old(0.95), *labelled(NEW, 400, 0.2, 0.9)])
    assert "mislabelled" not in story.sentence(facts(found))
