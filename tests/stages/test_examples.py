"""Records -> examples: which tokens are learned, token by token."""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import orjson
import pytest
from transformers import AutoTokenizer

from pipeline.common.errors import GraftError
from pipeline.data.records import records
from pipeline.data.records.records import Record
from pipeline.model.chat import chat as chats
from pipeline.model.chat import templates
from pipeline.training.examples import examples, packing
from pipeline.training.examples.example import Encoding, Example
from tests import templates as shapes

SFT = Encoding(objective="sft", max_length=10_000, truncation="start")
DPO = replace(SFT, objective="dpo")
TALK = [
    ("user", "hi"), ("assistant", "<think>greet</think>\n\nhello"), ("user", "bye"), ("assistant", "see you"),
]  # fmt: skip


@pytest.fixture(scope="session")
def tokenizers(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base's tokenizer with Llama 3's special tokens, too."""
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|begin|>", "<|header|>", "<|/header|>", "<|eot|>"]})
    tokenizer.save_pretrained(folder)
    return folder


def talk(*turns: tuple[str, str], kind: str = "sft", line: int = 1, **more) -> Record:
    messages = [{"role": role, "content": content} for role, content in turns]
    return made(messages, kind, line, **more)


def made(messages, kind="sft", line=1, **more) -> Record:
    id_ = records.content_id(messages, {"kind": kind, **more})
    return Record(id=id_, kind=kind, messages=messages, increment="winter", file="raw/a.jsonl", line=line, **more)


def learned(chat: chats.Chat, example: Example) -> list[str]:
    """The texts that are learned, each run of tokens decoded."""
    runs = groupby(zip(example.learned, example.tokens, strict=True), key=lambda pair: pair[0])
    return [chat.tokenizer.decode([token for _, token in run]) for is_learned, run in runs if is_learned]


def whole(chat: chats.Chat, example: Example) -> str:
    text: str = chat.tokenizer.decode(list(example.tokens))
    return text


def test_chatml_learns_every_answer_and_its_end_and_nothing_else(tokenizers):
    chat = chats.load(tokenizers, shapes.CHATML)
    (example,) = examples.make(chat, [talk(*TALK)], SFT).examples
    assert learned(chat, example) == ["<think>greet</think>\n\nhello<|im_end|>", "see you<|im_end|>"]
    assert whole(chat, example) == (
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>greet</think>\n\nhello<|im_end|>\n"
        "<|im_start|>user\nbye<|im_end|>\n<|im_start|>assistant\nsee you<|im_end|>"
    )


def test_llama_shape_learns_the_trimmed_answers(tokenizers):
    chat = chats.load(tokenizers, shapes.LLAMA3)
    (example,) = examples.make(chat, [talk(("user", "hi"), ("assistant", " hello\n"))], SFT).examples
    assert whole(chat, example) == (
        "<|begin|><|header|>user<|/header|>\n\nhi<|eot|><|header|>assistant<|/header|>\n\nhello<|eot|>"
    )
    assert learned(chat, example) == ["hello<|eot|>"]
    (example,) = examples.make(chat, [talk(*TALK)], SFT).examples
    assert learned(chat, example) == ["<think>greet</think>\n\nhello<|eot|>", "see you<|eot|>"]


def test_answers_that_the_template_rewrites_later_are_learned_as_they_were_given(tokenizers):
    chat = chats.load(tokenizers, shapes.THINKING)
    first, second = examples.make(chat, [talk(*TALK)], SFT).examples
    assert learned(chat, first) == ["<think>greet</think>\n\nhello<|im_end|>"]
    assert whole(chat, first).startswith("<|im_start|>system\nBe good.<|im_end|>\n<|im_start|>user\nhi")
    assert learned(chat, second) == ["see you<|im_end|>"]
    assert "<|im_start|>assistant\nhello<|im_end|>" in whole(chat, second)
    assert second.id + "/1" == first.id


def test_same_template_shares_one_sequence_where_nothing_is_rewritten(tokenizers):
    chat = chats.load(tokenizers, shapes.THINKING)
    (example,) = examples.make(chat, [talk(("user", "hi"), ("assistant", "hello"), *TALK[2:])], SFT).examples
    assert learned(chat, example) == ["hello<|im_end|>", "see you<|im_end|>"]


def test_answer_after_a_thought_that_only_the_prompt_opens_is_found(tokenizers):
    chat = chats.load(tokenizers, shapes.OPENED)
    first, second = examples.make(chat, [talk(*TALK)], SFT).examples[:1] * 2
    assert first == second
    assert learned(chat, first) == ["hello<|im_end|>", "see you<|im_end|>"]
    (tag,) = examples.make(chat, [talk(("user", "hi"), ("assistant", "<table>"))], SFT).examples
    assert learned(chat, tag) == ["<table><|im_end|>"]


def test_template_without_an_end_of_turn_learns_the_end_of_text_one_answer_at_a_time(tokenizers):
    chat = chats.load(tokenizers, shapes.BARE)
    first, second = examples.make(chat, [talk(("user", "hi"), ("assistant", "hello"), *TALK[2:])], SFT).examples
    assert (whole(chat, first), learned(chat, first)) == ("user: hi\nassistant: hello<|im_end|>", ["hello<|im_end|>"])
    assert whole(chat, second) == "user: hi\nassistant: hello\nuser: bye\nassistant: see you<|im_end|>"
    assert learned(chat, second) == ["see you<|im_end|>"]


@pytest.mark.parametrize("shape", ["MARKED", "ONLY_MARKED"])
def test_marked_template_learns_the_same_with_the_end_that_the_marks_leave_out(tokenizers, shape):
    chat, same = chats.load(tokenizers, getattr(shapes, shape)), chats.load(tokenizers, shapes.CHATML)
    conversation = talk(*TALK)
    assert examples.make(chat, [conversation], SFT) == examples.make(same, [conversation], SFT)


@pytest.mark.parametrize("shape", ["CHATML", "MARKED", "LLAMA3", "THINKING"])
def test_message_of_weight_zero_is_read_and_not_learned(tokenizers, shape):
    chat = chats.load(tokenizers, getattr(shapes, shape))
    messages = [dict(message) for message in talk(("user", "hi"), ("assistant", "hello"), *TALK[2:]).messages]
    messages[1]["weight"] = 0.0
    (example,) = examples.make(chat, [made(messages)], SFT).examples
    assert learned(chat, example) == [f"see you{chat.end_text}"]
    assert "hello" in whole(chat, example)
    messages[3]["weight"] = 0.0
    assert examples.make(chat, [made(messages)], SFT) == examples.Made(dropped=1)


@pytest.mark.parametrize(("role", "weight"), [(1, 0.5), (0, 1.0)])
def test_other_weights_are_refused_with_file_and_line(tokenizers, role, weight):
    messages = [dict(message) for message in talk(*TALK).messages]
    messages[role]["weight"] = weight
    with pytest.raises(GraftError, match=r"winter/raw/a.jsonl:1: a message of (user|assistant) with weight"):
        examples.make(chats.load(tokenizers, shapes.CHATML), [made(messages)], SFT)


@pytest.mark.parametrize("shape", ["CHATML", "LLAMA3", "THINKING", "MARKED", "BARE"])
def test_learned_tokens_decode_to_exactly_the_answers(tokenizers, shape):
    chat = chats.load(tokenizers, getattr(shapes, shape))
    answers = ["ok", "naïve 日本語 🎉", "a: b\nassistant: c", "<|im_start", "two\n\nlines", "{{x}} {% y %}"]
    turns = [turn for answer in answers for turn in (("user", f"say {answer}"), ("assistant", answer))]
    found = examples.make(chat, [talk(*turns)], SFT).examples
    end = chat.end_text or "<|im_end|>"
    assert [text for example in found for text in learned(chat, example)] == [answer + end for answer in answers]
    for example in found:
        assert not example.learned[0]
        assert len(example.learned) == len(example.tokens)


def test_single_turn_is_exactly_what_a_classification_is(tokenizers):
    chat = chats.load(tokenizers, shapes.CHATML)
    turns = [("system", "be short"), ("user", "which?"), ("assistant", "Garden Tools")]
    (one,), (other,) = (
        examples.make(chat, [talk(*turns, kind=kind)], SFT).examples for kind in ("classification", "sft")
    )
    assert (one.tokens, one.learned) == (other.tokens, other.learned)


CALLS = [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def call() -> Record:
    messages = [
        {"role": "system", "content": "be short"}, {"role": "user", "content": "warm in Rome?"},
        {"role": "assistant", "content": "", "tool_calls": orjson.dumps(CALLS).decode()},
        {"role": "tool", "content": '{"celsius": 30}'}, {"role": "assistant", "content": "yes"},
    ]  # fmt: skip
    return made(messages, tools=orjson.dumps(TOOLS).decode())


def test_tools_are_shown_and_calls_are_learned(tokenizers):
    chat = chats.load(tokenizers, templates.text("chatml"))
    (example,) = examples.make(chat, [call()], SFT).examples
    assert learned(chat, example) == [
        '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call><|im_end|>', "yes<|im_end|>",
    ]  # fmt: skip
    text = whole(chat, example)
    assert text.startswith(
        '<|im_start|>system\nbe short\n\nTools:\n{"type": "function", "function": {"name": "weather"'
    )
    assert '<|im_start|>tool\n{"celsius": 30}<|im_end|>' in text


def test_arguments_are_text_where_a_template_takes_them_for_text(tokenizers):
    chat = chats.load(tokenizers, shapes.WRITTEN)
    (example,) = examples.make(chat, [call()], SFT).examples
    assert learned(chat, example) == ['weather{"city": "Rome"}<|im_end|>', "yes<|im_end|>"]


def test_template_that_shows_no_text_is_refused(tokenizers):
    with pytest.raises(GraftError, match="the template leaves out what is answered"):
        examples.make(chats.load(tokenizers, shapes.PARTS), [talk(*TALK)], SFT)


def test_template_that_leaves_out_tools_is_refused(tokenizers):
    with pytest.raises(GraftError) as error:
        examples.make(chats.load(tokenizers, shapes.CHATML), [call(), talk(*TALK)], SFT)
    assert "cannot render 1 of 2 conversations" in error.value.message
    assert error.value.problems == ("winter/raw/a.jsonl:1: the template leaves out the tools weather",)


def test_what_a_template_refuses_is_named_with_file_and_line(tokenizers):
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + shapes.CHATML
    unfit = talk(("system", "x"), ("user", "y"), ("assistant", "z"), line=7)
    with pytest.raises(GraftError) as error:
        examples.make(chats.load(tokenizers, strict), [unfit], SFT)
    assert error.value.problems == ("winter/raw/a.jsonl:7: no system",)


def test_undesirable_answers_are_left_out_and_counted(tokenizers):
    chat = chats.load(tokenizers, shapes.CHATML)
    good, bad = talk(*TALK, kind="kto", desirable=True), talk(*TALK[2:], kind="kto", desirable=False)
    found = examples.make(chat, [good, bad], SFT)
    assert ([example.id for example in found.examples], found.undesirable) == ([good.id], 1)


@pytest.mark.parametrize(
    ("objective", "kind", "takes"),
    [("sft", "text", "pretrain"), ("sft", "preference", "dpo"), ("pretrain", "sft", "sft"), ("dpo", "kto", "sft")],
)
def test_other_kinds_are_refused_with_their_count_and_what_takes_them(tokenizers, objective, kind, takes):
    chat, asked = chats.load(tokenizers, shapes.CHATML), replace(SFT, objective=objective)
    with pytest.raises(GraftError) as error:
        examples.make(chat, [talk(*TALK, kind=kind)], asked)
    assert error.value.problems == (f"1 records of kind {kind}: {takes}",)


def preference(prompt=TALK[:3], chosen="see you", rejected="no") -> Record:
    rejected = [{"role": "assistant", "content": rejected}]
    return talk(*prompt, ("assistant", chosen), kind="preference", rejected=rejected)


def test_pair_shares_its_prompt_and_learns_the_two_answers(tokenizers):
    chat = chats.load(tokenizers, shapes.THINKING)
    (pair,) = examples.make(chat, [preference()], replace(SFT, objective="dpo")).examples
    assert pair.rejected is not None
    assert learned(chat, pair) == ["see you<|im_end|>"]
    assert learned(chat, pair.rejected) == ["no<|im_end|>"]
    assert whole(chat, pair).removesuffix("see you<|im_end|>") == whole(chat, pair.rejected).removesuffix(
        "no<|im_end|>"
    )


LONG = [("system", "be short"), *[(role, f"{role} {n}") for n in range(5) for role in ("user", "assistant")]]


def cut(tokenizers, size, truncation, record=None, objective="sft"):
    chat = chats.load(tokenizers, shapes.CHATML)
    asked = Encoding(objective=objective, max_length=size, truncation=truncation)
    found = examples.make(chat, [record or talk(*LONG)], asked)
    return chat, found


def test_start_loses_whole_leading_turns_first_and_keeps_the_system_message(tokenizers):
    chat, found = cut(tokenizers, 110, "start")
    (example,) = found.examples
    assert example.truncated
    assert whole(chat, example).startswith("<|im_start|>system\nbe short<|im_end|>\n<|im_start|>user\nuser 3<|im_end|>")
    assert learned(chat, example) == ["assistant 3<|im_end|>", "assistant 4<|im_end|>"]
    assert len(example.tokens) <= 110


def test_start_then_loses_the_prompts_first_tokens_and_keeps_the_answer_whole(tokenizers):
    chat, found = cut(tokenizers, 20, "start")
    (example,) = found.examples
    assert len(example.tokens) == 20
    assert learned(chat, example) == ["assistant 4<|im_end|>"]


def test_start_names_answers_that_do_not_fit(tokenizers):
    with pytest.raises(GraftError, match=r"answers fill train\.max_length\n  winter/raw/a.jsonl:1: 12 tokens"):
        cut(tokenizers, 12, "start")


def test_end_loses_the_end_and_learns_what_is_left_without_an_end_of_turn(tokenizers):
    chat, found = cut(tokenizers, 51, "end")
    (example,) = found.examples
    assert (len(example.tokens), example.truncated) == (51, True)
    assert learned(chat, example) == ["assistan"]
    assert cut(tokenizers, 30, "end")[1] == examples.Made(dropped=1)


def test_drop_leaves_out_and_error_names(tokenizers):
    assert cut(tokenizers, 110, "drop")[1] == examples.Made(dropped=1)
    assert len(cut(tokenizers, 400, "drop")[1].examples) == 1
    with pytest.raises(GraftError, match=r"longer than train.max_length\n  winter/raw/a.jsonl:1: \d+ tokens"):
        cut(tokenizers, 110, "error")


def test_pair_is_cut_alike_so_that_its_prompts_stay_equal(tokenizers):
    record = preference(prompt=LONG[:-1], chosen="a longer answer", rejected="no")
    for size in (90, 30):
        chat, found = cut(tokenizers, size, "start", record, objective="dpo")
        (pair,) = found.examples
        assert pair.rejected is not None
        prompts = [one.tokens[: one.learned.index(True)] for one in (pair, pair.rejected)]
        assert prompts[0] == prompts[1]
        assert max(len(pair.tokens), len(pair.rejected.tokens)) <= size
        assert learned(chat, pair) == ["a longer answer<|im_end|>"]


def test_fit_cuts_whatever_must_be_measured(tokenizers):
    chat, found = cut(tokenizers, 20, "fit", talk(("user", "hi"), ("assistant", "x" * 50)))
    (example,) = found.examples
    assert (len(example.tokens), example.truncated) == (20, True)
    assert learned(chat, example) == ["x" * 10]


def test_windows_hold_every_token_once_in_order():
    made = packing.windows([("a", [1, 2, 3]), ("b", [4, 5, 6, 7, 8, 9, 10])], 4)
    assert made == [("a", [1, 2, 3, 4]), ("b", [5, 6, 7, 8]), ("b/1", [9, 10])]
    assert packing.windows([("a", [1, 2, 3, 4, 5])], 4) == [("a", [1, 2, 3, 4])]
    assert packing.windows([], 4) == []


def test_texts_are_packed_each_ended_by_the_end_of_text_and_learned_whole(tokenizers):
    chat = chats.load(tokenizers, None)
    texts = [talk(("text", "x" * n), kind="text") for n in (5, 30, 12)]
    asked = Encoding(objective="pretrain", max_length=20, truncation="start")
    found = examples.make(chat, texts, asked).examples
    assert found == examples.make(chat, texts[::-1], asked).examples
    assert [len(example.tokens) for example in found] == [20, 20, 10]
    text = "".join(whole(chat, example) for example in found)
    assert text == "".join(record.answer + "<|endoftext|>" for record in sorted(texts, key=lambda one: one.id))
    assert all(example.learned == [False] + [True] * (len(example.tokens) - 1) for example in found)


def test_texts_that_are_drawn_more_often_come_again_after_all_others(tokenizers):
    chat = chats.load(tokenizers, None)
    texts = sorted((talk(("text", "x" * n), kind="text") for n in (5, 30)), key=lambda record: record.id)
    often = [replace(texts[0], weight=2.0), texts[1]]
    found = examples.encode(chat, often, Encoding(objective="pretrain", max_length=1000, truncation="start"))
    assert [whole(chat, example) for example in found] == [
        "".join(record.answer + "<|endoftext|>" for record in [*texts, texts[0]])
    ]


def test_records_with_images_are_refused(tokenizers):
    with pytest.raises(GraftError, match=r"winter/raw/a.jsonl:1: holds images"):
        examples.encode(chats.load(tokenizers, shapes.CHATML), [talk(*TALK, images=["raw/images/a.png"])], SFT)


# What each leaves out, and what is said of it.
QUIET_SYSTEM = shapes.CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")
OWN = templates.text("chatml") or ""
QUIET_RESULTS = OWN.replace("message.content -}}", "(message.content if message.role != 'tool' else '') -}}")
QUIET_ARGUMENTS = OWN.replace("{{- call.function.arguments | tojson + '}", "{{- '{}}")
QUIET_USER = """{% for m in messages %}{{ '<|im_start|>' ~ (m.content if m.role == 'assistant') ~ '<|im_end|>' }}\
{% endfor %}{{ '<|im_start|>' if add_generation_prompt }}"""
SHORT = shapes.CHATML.replace("m.content", "m.content[:9]")
FAKED = [
    {"role": "user", "content": "weather at home"},
    {"role": "assistant", "content": "the weather", "tool_calls": orjson.dumps(CALLS).decode()},
]  # fmt: skip


@pytest.mark.parametrize(
    ("template", "record", "said"),
    [
        (QUIET_SYSTEM, talk(("system", "hi"), ("user", "hi"), ("assistant", "x")), "message 1, of system"),
        (QUIET_USER, talk(*TALK), "message 1, of user, message 3, of user"),
        (QUIET_USER, preference(), "message 1, of user, message 3, of user"),
        (QUIET_RESULTS, call(), "message 4, of tool"),
        (QUIET_ARGUMENTS, call(), "the arguments of calls of weather"),
        (shapes.CHATML, made(FAKED), "calls of weather, the arguments of calls of weather"),
        (shapes.CHATML, talk(("user", "weather"), TALK[1], tools=orjson.dumps(TOOLS).decode()), "the tool weather"),
        (QUIET_USER, talk(("user", "im"), TALK[1], kind="classification"), "message 1, of user"),
        (SHORT, talk(("user", "a longer one"), TALK[1], kind="classification"), "message 1, of user"),
    ],
)  # fmt: skip
def test_what_a_template_leaves_out_is_named_and_other_text_cannot_stand_in_for_it(tokenizers, template, record, said):
    with pytest.raises(GraftError) as error:
        examples.make(chats.load(tokenizers, template), [record], SFT if record.kind != "preference" else DPO)
    assert error.value.problems[0] == f"winter/raw/a.jsonl:1: the template leaves out {said}"


@pytest.mark.parametrize("kind", ["sft", "classification"])
@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages[1].content }}", "the template "),
        ("{% if messages[0].role == 'system' %}{{ 1 / 0 }}{% endif %}" + shapes.CHATML, "division by zero"),
        (
            "{% if messages[0].role == 'system' %}{{ messages[9].content.x }}{% endif %}" + shapes.CHATML,
            "has no element 9",
        ),
    ],
)
def test_template_without_a_prompt_or_that_fails_is_refused_with_file_and_line(tokenizers, kind, template, said):
    record = talk(("system", "a"), ("user", "b"), ("assistant", "c"), kind=kind, line=7)
    with pytest.raises(GraftError, match=r"train: the chat template cannot render 1 of 1") as error:
        examples.make(chats.load(tokenizers, template), [record], SFT)
    assert error.value.problems[0].startswith("winter/raw/a.jsonl:7: ")
    assert said in error.value.problems[0]


def test_prompt_without_tokens_is_refused(tokenizers):
    for kind in ("sft", "classification"):
        record = talk(("user", ""), ("assistant", "c"), kind=kind)
        with pytest.raises(GraftError, match=r"a.jsonl:1: the template writes nothing before the answer"):
            examples.make(chats.load(tokenizers, "{% for m in messages %}{{ m.content }}{% endfor %}"), [record], SFT)


def test_template_that_writes_results_of_tools_as_json_shows_them(tokenizers):
    as_json = OWN.replace(
        "message.content -}}", "(message.content | tojson if message.role == 'tool' else message.content) -}}"
    )
    assert examples.make(chats.load(tokenizers, as_json), [call()], SFT).examples
