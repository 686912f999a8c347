"""The gate on scores of answers, which not every answer has."""

import pytest

from pipeline.common import schema
from pipeline.gate.decide import decide
from tests.gate.made import content_id, gate, predictions, status

RULE = {"judge": {"at_least": 3.0, "may_drop": 0.5}}
ALL = gate({"all": RULE, "each_slice": {}, "slices": {}})
EACH = gate({"all": {}, "each_slice": RULE, "slices": {}})
SCALE = {"candidate": {"evaluate": {"judge": {"scale": [1, 5]}, "language": None}}}


def item(number, ours, theirs, name="winter"):
    def row(text, score):
        return {"key": text, "nats": 1.0, "tokens": 2, "text": text, "judge": {"key": text, "score": score}}

    sides = {"candidate": row("ours", ours), "parent": row("theirs", theirs), "anchor": None}
    return {"id": content_id(number), "kind": "sft", "slices": [name], "answer": "a"} | sides


def verdict(items, params=ALL, **more):
    found = decide(predictions(items, **more) | {"params": SCALE}, params)
    assert schema.problems(found, "verdict") == []
    return found


def check(found, against, name="all"):
    [one] = [one for one in found["checks"] if (one["slice"], one["against"]) == (name, against)]
    return one


def test_floor_counts_what_is_judged_and_the_comparison_what_both_sides_have():
    items = [item(n, 4.0, 4.0 if n % 2 else None) for n in range(200)] + [item(999, None, 1.0)]
    found = verdict(items)
    assert (check(found, "floor")["items"], check(found, "floor")["candidate"]) == (200, 4.0)
    assert (check(found, "parent")["items"], check(found, "parent")["reference"]) == (100, 4.0)
    assert found["verdict"] == "pass"


def test_a_clear_drop_fails_and_no_drop_passes():
    worse = [item(n, 3.0 + n % 2, 4.0 + n % 2) for n in range(100)]
    assert status(verdict(worse), "all", metric="judge") == "fail"
    same = [item(n, 3.0 + n % 2, 3.0 + n % 2) for n in range(100)]
    assert status(verdict(same), "all", metric="judge") == "pass"


def test_few_equal_scores_prove_nothing():
    found = verdict([item(n, 4.0, 4.0) for n in range(5)])
    assert status(found, "all", metric="judge") == "inconclusive"
    assert check(found, "parent")["needed"] > 5


@pytest.mark.parametrize(
    ("ours", "theirs", "against", "said"),
    [
        (None, 4.0, "floor", "all judge: no answer is judged; `make judge` asks for scores"),
        (None, None, "floor", "all judge: no answer is judged; `make judge` asks for scores"),
        (4.0, None, "parent", "all judge: of no item both answers are judged, the candidate's and v1.0.0's; "
                              "`make judge` asks for scores"),
    ],
)  # fmt: skip
def test_a_rule_on_scores_that_nobody_gave_refuses(ours, theirs, against, said):
    found = verdict([item(n, ours, theirs) for n in range(50)])
    assert found["reasons"] == [said]
    assert check(found, against)["status"] == "fail"


def test_a_slice_without_scores_is_undecided_unless_it_matters():
    items = [item(n, 4.0, 4.0, "winter") for n in range(200)]
    items += [item(1000 + n, 4.0, None, "spring") for n in range(20)]
    found = verdict(items, EACH)
    assert (check(found, "parent", "spring")["status"], found["undecided"]) == ("undecided", ["spring"])
    assert found["verdict"] == "pass"
    assert verdict(items, EACH | {"critical": ["spring"]})["verdict"] == "fail"


def test_a_rule_for_slices_that_nobody_judged_refuses():
    found = verdict([item(n, None, None) for n in range(50)], EACH)
    assert found["reasons"][0] == "judge: no item has it; `make judge` asks for scores"


def test_the_verdict_does_not_hang_on_the_order_of_items():
    items = [item(n, 1.0 + n % 5, 1.0 + (n * 7) % 5) for n in range(60)]
    assert verdict(items) == verdict(items[::-1])
