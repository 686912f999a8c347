"""What rows of each layout become, and why some become nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.detect import detect
from pipeline.data.reading.filespec import FileSpec
from tests.reading import increment, read

SHARED = Path(__file__).parents[3] / "shared" / "data" / "llamafactory"
SYSTEM, ASK, ANSWER = ("system", "be brief"), ("user", "hi"), ("assistant", "hello")
CALL = '[{"function":{"arguments":{"city":"Rome"},"name":"weather"},"type":"function"}]'
TOOLS = '[{"function":{"name":"weather","parameters":{}},"type":"function"}]'


def row(tmp_path: Path, values: dict[str, Any], content: str, task: str = "sft", **spec: Any) -> dict[str, Any]:
    path = tmp_path / "raw" / "file"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values))
    (found,) = read(path, FileSpec(format="jsonl", content=content, **spec), about=increment(task))
    return found


def said(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in messages]


def talk(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in turns]


def sharegpt(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"from": role, "value": content} for role, content in turns]


@pytest.mark.parametrize(
    ("values", "content", "expected"),
    [
        pytest.param({"instruction": "hi", "output": "hello"}, "alpaca", [ASK, ANSWER], id="alpaca"),
        pytest.param({"instruction": "hi", "input": "", "output": "hello"}, "alpaca", [ASK, ANSWER], id="blank-input"),
        pytest.param(
            {"instruction": "say", "input": "it", "output": "it", "system": "be brief", "history": [["hi", "hello"]]},
            "alpaca",
            [SYSTEM, ASK, ANSWER, ("user", "say\nit"), ("assistant", "it")],
            id="alpaca-with-all",
        ),
        pytest.param(
            {"prompt": "hi", "query": None, "response": "hello"}, "alpaca", [ASK, ANSWER], id="query-response"
        ),
        pytest.param({"prompt": "hi", "completion": "hello"}, "alpaca", [ASK, ANSWER], id="prompt-completion"),
        pytest.param(
            {"prompt": talk(ASK), "completion": talk(ANSWER)},
            "alpaca",
            [ASK, ANSWER],
            id="prompt-and-completion-of-messages",
        ),
        pytest.param(
            {"conversations": sharegpt(("system", "be brief"), ("human", "hi"), ("gpt", "hello"))},
            "sharegpt",
            [SYSTEM, ASK, ANSWER],
            id="sharegpt",
        ),
        pytest.param(
            {"system": "be brief", "conversations": sharegpt(("human", "hi"), ("gpt", "hello"))},
            "sharegpt",
            [SYSTEM, ASK, ANSWER],
            id="system-in-its-column",
        ),
        pytest.param(
            {"messages": talk(("developer", "be brief"), ASK, ANSWER)}, "messages", [SYSTEM, ASK, ANSWER], id="openai"
        ),
        pytest.param(
            {"messages": talk(("user", [{"type": "text", "text": "h"}, {"type": "text", "value": "i"}]), ANSWER)},
            "messages",
            [ASK, ANSWER],
            id="parts",
        ),
        pytest.param({"text": "some words"}, "text", [("text", "some words")], id="text"),
    ],
)
def test_messages(tmp_path, values, content, expected):
    found = row(tmp_path, values, content, "text" if content == "text" else "sft")
    assert (found["problem"], found["kind"]) == (None, "text" if content == "text" else "sft")
    assert said(found["messages"]) == expected


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(
            {
                "conversations": sharegpt(
                    ("human", "hi"),
                    ("function_call", '{"name": "weather", "arguments": {"city": "Rome"}}'),
                    ("observation", "sunny"),
                    ("gpt", "hello"),
                ),
                "tools": '[{"name": "weather", "parameters": {}}]',
            },
            id="sharegpt",
        ),
        pytest.param(
            {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {
                                "id": "call_1",
                                "type": "function",
                                "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
                            }
                        ],
                    },
                    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
                    {"role": "assistant", "content": "hello"},
                ],
                "tools": [{"type": "function", "function": {"name": "weather", "parameters": {}}}],
            },
            id="openai",
        ),
        pytest.param(
            {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "tool_call", "value": '{"name": "weather", "arguments": {"city": "Rome"}}'}
                        ],
                    },
                    {"role": "tool", "content": [{"type": "text", "value": "sunny"}]},
                    {"role": "assistant", "content": "hello"},
                ],
                "tools": '[{"name": "weather", "parameters": {}}]',
            },
            id="parts",
        ),
    ],
)
def test_calls_of_tools_are_the_same_whatever_the_layout(tmp_path, values):
    found = row(tmp_path, values, "messages")
    assert found["problem"] is None
    assert said(found["messages"]) == [ASK, ("assistant", ""), ("tool", "sunny"), ANSWER]
    assert [turn["tool_calls"] for turn in found["messages"]] == [None, CALL, None, None]
    assert found["tools"] == TOOLS


def test_weights_are_kept_where_they_change_something(tmp_path):
    messages = [
        {"role": "user", "content": "hi", "loss_weight": 0.0},
        {"role": "assistant", "content": "hello", "weight": 0},
        {"role": "user", "content": "again"},
        {"role": "assistant", "content": "hello", "loss_weight": 1.0},
    ]
    found = row(tmp_path, {"messages": messages}, "messages")
    assert [turn["weight"] for turn in found["messages"]] == [None, 0, None, None]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"instruction": "hi", "chosen": "hello", "rejected": "no"}, id="alpaca"),
        pytest.param({"prompt": "hi", "chosen": "hello", "rejected": "no"}, id="trl"),
        pytest.param(
            {"prompt": talk(ASK), "chosen": talk(ANSWER), "rejected": talk(("assistant", "no"))}, id="trl-messages"
        ),
        pytest.param({"chosen": talk(ASK, ANSWER), "rejected": talk(ASK, ("assistant", "no"))}, id="both-whole"),
        pytest.param(
            {"prompt": "hi", "chosen": talk(ASK, ANSWER), "rejected": talk(ASK, ("assistant", "no"))}, id="prompt-again"
        ),
        pytest.param(
            {
                "conversations": sharegpt(("human", "hi")),
                "chosen": {"from": "gpt", "value": "hello"},
                "rejected": {"from": "gpt", "value": "no"},
            },
            id="sharegpt",
        ),
        pytest.param(
            {"messages": talk(ASK), "chosen": talk(ANSWER)[0], "rejected": talk(("assistant", "no"))[0]}, id="messages"
        ),
    ],
)
def test_preferences(tmp_path, values):
    found = row(tmp_path, values, "preference", "preference")
    assert (found["problem"], found["kind"]) == (None, "preference")
    assert (said(found["messages"]), said(found["rejected"])) == ([ASK, ANSWER], [("assistant", "no")])


@pytest.mark.parametrize("name", ["label", "kto_tag", "desirable"])
@pytest.mark.parametrize(
    ("label", "expected"), [(True, True), (False, False), ("true", True), ("False", False), (1, True)]
)
def test_kto(tmp_path, name, label, expected):
    found = row(tmp_path, {"messages": talk(ASK, ANSWER), name: label}, "kto", "kto")
    assert (found["problem"], found["kind"], found["desirable"]) == (None, "kto", expected)
    assert row(tmp_path, {"prompt": "hi", "completion": "hello", name: label}, "kto", "kto")["desirable"] is expected


@pytest.mark.parametrize(("output", "expected"), [(0, "0"), (1.0, "1"), (2.5, "2.5"), (True, "true")])
def test_numbers_are_texts(tmp_path, output, expected):
    found = row(tmp_path, {"instruction": 5, "output": output}, "alpaca", "sft")
    assert said(found["messages"]) == [("user", "5"), ("assistant", expected)]


@pytest.mark.parametrize(
    ("values", "content", "problem"),
    [
        pytest.param({}, "alpaca", "no instruction", id="nothing"),
        pytest.param({"instruction": " ", "output": "x"}, "alpaca", "no instruction", id="blank"),
        pytest.param({"instruction": {"a": 1}, "output": "x"}, "alpaca", "instruction is not a string", id="object"),
        pytest.param({"instruction": "a", "output": float("nan")}, "alpaca", "no output", id="nan"),
        pytest.param({"instruction": "hi"}, "alpaca", "no output", id="no-output"),
        pytest.param({"instruction": "hi", "output": ""}, "alpaca", "empty output", id="empty-output"),
        pytest.param(
            {"instruction": "hi", "output": "x", "history": [["a"]]}, "alpaca", "history is no list of pairs", id="h"
        ),
        pytest.param({"messages": []}, "messages", "no messages", id="no-messages"),
        pytest.param({"messages": "hi"}, "messages", "no messages", id="messages-a-string"),
        pytest.param({"messages": ["hi"]}, "messages", "a message is no object", id="message-a-string"),
        pytest.param({"messages": talk(("narrator", "hi"))}, "messages", "unknown role", id="role"),
        pytest.param({"messages": talk((None, "hi"))}, "messages", "unknown role", id="no-role"),
        pytest.param({"messages": talk(ASK, ("assistant", ""))}, "messages", "empty message", id="empty"),
        pytest.param({"messages": talk(ASK, ("assistant", 3))}, "messages", "content is not a string", id="content"),
        pytest.param({"messages": talk(ASK)}, "messages", "does not end with an answer", id="no-answer"),
        pytest.param(
            {"messages": talk(ASK, ANSWER, ASK)}, "messages", "does not end with an answer", id="ends-with-user"
        ),
        pytest.param({"messages": talk(ASK, ASK, ANSWER)}, "messages", "turns do not alternate", id="two-users"),
        pytest.param({"messages": talk(ASK, ANSWER, ANSWER)}, "messages", "turns do not alternate", id="two-answers"),
        pytest.param({"messages": talk(ANSWER)}, "messages", "does not begin with the user", id="answer-first"),
        pytest.param(
            {"messages": talk(ASK, SYSTEM, ANSWER)}, "messages", "a system message is not the first", id="system"
        ),
        pytest.param(
            {"messages": talk(ASK, ("tool", "x"), ANSWER)}, "messages", "turns do not alternate", id="tool-unasked"
        ),
        pytest.param(
            {"messages": talk(SYSTEM, ASK, ANSWER), "system": "x"}, "messages", "two system messages", id="systems"
        ),
        pytest.param(
            {"conversations": sharegpt(("human", "hi"), ("function_call", "weather(Rome)"))},
            "sharegpt",
            "a tool call is not JSON",
            id="call",
        ),
        pytest.param(
            {"messages": talk(ASK, ANSWER), "tools": "[oops"}, "messages", "the tools are not JSON", id="tools"
        ),
        pytest.param({"messages": talk(ASK, ANSWER), "tools": [{}]}, "messages", "a tool has no name", id="tool-name"),
        pytest.param(
            {"messages": talk(("user", [{"type": "audio", "url": "a.wav"}]), ANSWER)},
            "messages",
            "unknown kind of content",
            id="audio",
        ),
        pytest.param({"instruction": "hi", "chosen": "a"}, "preference", "no rejected", id="no-rejected"),
        pytest.param(
            {"instruction": "hi", "chosen": "a", "rejected": "a"},
            "preference",
            "chosen and rejected are the same",
            id="same",
        ),
        pytest.param(
            {"messages": talk(ASK, ANSWER), "chosen": "a", "rejected": "b"},
            "preference",
            "does not end with a question",
            id="q",
        ),
        pytest.param({"messages": talk(ASK, ANSWER)}, "kto", "no label", id="kto-no-label"),
        pytest.param(
            {"messages": talk(ASK, ANSWER), "label": "good"}, "kto", "label is neither true nor false", id="kto-label"
        ),
        pytest.param({"words": "x"}, "text", "no text", id="text"),
    ],
)
def test_problems(tmp_path, values, content, problem):
    task = content if content in ("preference", "kto", "text") else "sft"
    found = row(tmp_path, values, content, task)
    assert (found["problem"], found["messages"], found["kind"]) == (problem, [], None)


def test_classification_is_one_question_and_one_label(tmp_path):
    found = row(tmp_path, {"instruction": "Which?", "input": "red lamp", "output": "Lamps"}, "alpaca", "classification")
    assert found["kind"] == "classification"
    assert said(found["messages"]) == [("user", "Which?\nred lamp"), ("assistant", "Lamps")]
    more = row(tmp_path, {"messages": talk(ASK, ANSWER, ASK, ANSWER)}, "messages", "classification")
    assert more["problem"] == "not one question and one answer"


def test_columns_and_roles_as_the_files_entry_names_them(tmp_path):
    spec = {
        "keys": {"messages": "talk", "role": "who", "content": "what", "system": "rules"},
        "roles": {"Kunde": "user", "Shop": "assistant"},
    }
    values = {"rules": "be brief", "talk": [{"who": "Kunde", "what": "hi"}, {"who": "Shop", "what": "hello"}]}
    assert said(row(tmp_path, values, "sharegpt", **spec)["messages"]) == [SYSTEM, ASK, ANSWER]
    only = {"keys": {"instruction": "instruction", "output": "output"}}
    found = row(tmp_path, {"instruction": "hi", "input": "left out", "output": "hello"}, "alpaca", **only)
    assert said(found["messages"]) == [ASK, ANSWER]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"t": "lamp", "b": "Acme", "l": "x"}, "lamp by Acme", id="both"),
        pytest.param({"t": "lamp", "l": "x"}, "lamp by ", id="one-missing"),
        pytest.param({"t": 12, "b": "Acme", "l": "x"}, "12 by Acme", id="number"),
        pytest.param({"l": "x"}, "no text", id="none"),
        pytest.param({"t": ["lamp"], "l": "x"}, "text is not a string", id="list"),
        pytest.param({"t": "{b}", "b": "Acme", "l": "x"}, "{b} by Acme", id="braces-in-a-value"),
    ],
)
def test_template(tmp_path, values, expected):
    found = row(tmp_path, values, "table", "classification", template="{t} by {b}", label="l")
    assert (found["problem"] or found["messages"][0]["content"]) == expected


def photo(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"png")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("images/a.png", ["images/a.png"], id="below-raw"),
        pytest.param("a.png", ["images/a.png"], id="below-images"),
        pytest.param("photos/a.png", ["images/a.png"], id="the-folder-that-was-copied"),
        pytest.param("absent.png", "image not found", id="absent"),
        pytest.param("images", "image not found", id="a-folder"),
        pytest.param("x" * 5000, "image not found", id="endless"),
        pytest.param("", "image not found", id="empty"),
        pytest.param("../secret.png", "image path leaves the folder", id="up"),
        pytest.param("images/../../secret.png", "image path leaves the folder", id="up-inside"),
        pytest.param("/etc/passwd", "image path leaves the folder", id="absolute"),
        pytest.param("C:\\a.png", "image path leaves the folder", id="windows"),
        pytest.param("images/link.png", "image path leaves the folder", id="link-outside"),
        pytest.param("https://shop.example/a.png", "an image is no file", id="url"),
        pytest.param("data:image/png;base64,AAAA", "an image is no file", id="data"),
    ],
)
def test_images_by_path(tmp_path, name, expected):
    photo(tmp_path, "raw/images/a.png")
    photo(tmp_path, "secret.png")
    (tmp_path / "raw/images/link.png").symlink_to(tmp_path / "secret.png")
    found = row(tmp_path, {"messages": talk(("user", "<image>hi"), ANSWER), "images": [name]}, "messages")
    assert (found["problem"] or found["images"]) == expected
    parts = [{"type": "image_url", "image_url": {"url": name}}, {"type": "text", "text": "hi"}]
    found = row(tmp_path, {"messages": talk(("user", parts), ANSWER)}, "messages")
    assert (found["problem"] or found["images"]) == expected
    if found["problem"] is None:
        assert found["messages"][0]["content"] == "<image>hi"


def test_images_that_are_no_paths(tmp_path):
    found = row(tmp_path, {"instruction": "hi", "output": "hello", "images": {"bytes": "AAAA"}}, "alpaca")
    assert found["problem"] == "images are not paths"


@pytest.mark.skipif(not SHARED.exists(), reason="the demo files are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "task", "count"),
    [
        ("alpaca_en_demo.json", "sft", 999),
        ("alpaca_zh_demo.json", "sft", 1000),
        ("identity.json", "sft", 91),
        ("glaive_toolcall_en_demo.json", "sft", 300),
        ("v1_sft_demo.jsonl", "sft", 500),
        ("c4_demo.jsonl", "text", 300),
        ("wiki_demo.txt", "text", 30),
        ("dpo_en_demo.json", "preference", 299),
        ("kto_en_demo.json", "kto", 300),
    ],
)
def test_demo_files_are_detected_and_every_row_is_usable(name, task, count):
    spec = detect.detect(SHARED / name)
    assert detect.task(SHARED / name, spec) == task
    assert [found["problem"] for found in read(SHARED / name, spec, about=increment(task))] == [None] * count
