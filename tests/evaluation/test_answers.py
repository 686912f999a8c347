"""Generated answers: batched, cut and ended, they are what the model says one prompt at a time."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline.common.errors import GraftError
from pipeline.data.records import records
from pipeline.data.records.records import Record
from pipeline.evaluation.predict import answers
from pipeline.model.chat import chat
from tests.conftest import ROOT

BASE = ROOT / "examples/base"


def spoken(question: str, **more) -> Record:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": "yes"} | more]
    return Record(
        id=records.content_id(messages), kind="sft", messages=messages, increment="a", file="raw/a.jsonl", line=1
    )


@pytest.fixture(scope="module")
def asked():
    """The shipped base, and its tokenizer with its chat template."""
    return AutoModelForCausalLM.from_pretrained(BASE).eval(), chat.load(BASE)


QUESTIONS = ["Which?", "What is a blender for, and where does one put it?", "Toys " * 20, "Name a colour"]


def generate(asked, many, **more):
    model, talk = asked
    options = {"max_length": 200, "max_new_tokens": 12, "size": 8} | more
    return answers.generate(model, talk, [spoken(question) for question in many], **options)


def test_batched_answers_are_those_of_one_prompt_at_a_time(asked):
    model, talk = asked
    for question, row in zip(QUESTIONS, generate(asked, QUESTIONS), strict=True):
        ids = talk.prompts([[{"role": "user", "content": question}]])[0]
        said: list[int] = []
        while len(said) < 12 and talk.end_of_turn not in said:
            with torch.inference_mode():
                said.append(int(model(torch.tensor([ids + said])).logits[0, -1].argmax()))
        ended = talk.end_of_turn in said
        text = talk.tokenizer.decode(said[: len(said) - ended], skip_special_tokens=True)
        assert row == {"text": text, "unfinished": not ended, "truncated": False}


def test_a_longer_prompt_is_cut_and_told(asked):
    rows = generate(asked, QUESTIONS, max_length=40)
    assert [row["truncated"] for row in rows] == [False, False, True, False]


def test_no_room_for_a_prompt_is_one_message(asked):
    with pytest.raises(GraftError, match=r"evaluate\.max_new_tokens: 100000 leave no room"):
        generate(asked, QUESTIONS, max_new_tokens=100_000)


def test_calls_and_what_is_not_learned_are_not_generated():
    assert answers.answerable(spoken("a"))
    assert not answers.answerable(spoken("a", tool_calls="[]" * 2))
    assert not answers.answerable(spoken("a", weight=0))


def test_no_records_no_answers(asked):
    assert generate(asked, []) == []
