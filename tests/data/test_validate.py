"""Finished records of every kind against their schema."""

import pytest

from pipeline.common import schema
from pipeline.data.prepare.validate import problem

USER, ASSISTANT = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
CALL = {"role": "assistant", "content": "", "tool_calls": "[]"}
TEXT = {"role": "text", "content": "a"}


def record(**more):
    plain = {"id": "0" * 64, "messages": [USER, ASSISTANT], "increment": "i", "file": "raw/a", "line": 1}
    return {**plain, **more}


VALID = {
    "as-before-kinds": record(),
    "classification": record(kind="classification", key="B1", date="2026-01-01", weight=2.5),
    "sft": record(
        kind="sft", tools="[]", images=["a.png"], messages=[USER, CALL, {"role": "tool", "content": ""}, ASSISTANT]
    ),
    "loss-weight": record(kind="sft", messages=[USER, {**ASSISTANT, "weight": 0}]),
    "preference": record(kind="preference", rejected=[ASSISTANT]),
    "kto": record(kind="kto", desirable=False),
    "text": record(kind="text", messages=[TEXT]),
}
INVALID = {
    "no-answer": record(messages=[USER]),
    "empty": record(messages=[USER, {"role": "assistant", "content": ""}]),
    "null": record(key=None),
    "unknown-key": record(extra=1),
    "unknown-kind": record(kind="dpo"),
    "id": record(id="x"),
    "line": record(line=0),
    "text-with-an-answer": record(kind="text"),
    "text-role-elsewhere": record(kind="sft", messages=[TEXT, ASSISTANT]),
    "tools-of-a-classification": record(tools="[]"),
    "preference-without-rejected": record(kind="preference"),
    "rejected-elsewhere": record(kind="sft", rejected=[ASSISTANT]),
    "rejected-by-the-user": record(kind="preference", rejected=[USER]),
    "kto-without-desirable": record(kind="kto"),
    "desirable-elsewhere": record(desirable=True),
}


@pytest.mark.parametrize("name", VALID)
def test_valid(name):
    assert problem(VALID[name]) is None
    assert schema.problems(VALID[name], "record") == []


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name):
    found = problem(INVALID[name])
    assert found == schema.problems(INVALID[name], "record")[0]
    assert found.startswith("$")


def test_one_answer_for_each_record_in_order():
    found = [problem(one) for one in (record(), record(line=0), record())]
    assert found == [None, "$.line: must be at least 1, is 0", None]
