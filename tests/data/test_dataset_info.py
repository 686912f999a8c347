"""Entries of LLaMA-Factory's dataset_info.json, as increment.yaml has them."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.errors import GraftError
from pipeline.data.detect import dataset_info
from pipeline.data.detect.dataset_info import Entry


def entry(tmp_path: Path, value: Any, name: str | None = None) -> Entry:
    path = tmp_path / "dataset_info.json"
    path.write_text(json.dumps({"other": {"file_name": "other.json"}, "mine": value}))
    return dataset_info.entry(path, tmp_path / "mine.json", name)


FILE = {"file_name": "data/mine.json"}
TALK = FILE | {"formatting": "sharegpt"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(FILE, Entry(content="alpaca"), id="nothing-said"),
        pytest.param(
            FILE | {"columns": {"prompt": "q", "query": "", "response": "a"}},
            Entry(content="alpaca", keys={"instruction": "q", "output": "a"}),
            id="columns",
        ),
        pytest.param(FILE | {"columns": {"prompt": "text"}}, Entry(content="text", text="text"), id="plain-text"),
        pytest.param(
            FILE | {"ranking": True, "columns": {"prompt": "instruction", "chosen": "good", "rejected": "bad"}},
            Entry(content="preference", keys={"instruction": "instruction", "chosen": "good", "rejected": "bad"}),
            id="ranking",
        ),
        pytest.param(
            FILE | {"columns": {"prompt": "p", "response": "r", "kto_tag": "ok"}},
            Entry(content="kto", keys={"instruction": "p", "output": "r", "desirable": "ok"}),
            id="kto",
        ),
        pytest.param(
            TALK | {"columns": {"messages": "conversations", "tools": "tools"}},
            Entry(content="sharegpt", keys={"messages": "conversations", "tools": "tools"}),
            id="tools",
        ),
        pytest.param(
            TALK
            | {
                "columns": {"messages": "messages", "images": "images"},
                "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "Shop"},
            },
            Entry(
                content="sharegpt",
                keys={"messages": "messages", "images": "images", "role": "role", "content": "content"},
                roles={"Shop": "assistant"},
            ),
            id="tags",
        ),
        pytest.param(
            TALK | {"columns": {"tools": "functions"}},
            Entry(content="sharegpt", keys={"messages": "conversations", "tools": "functions"}),
            id="messages-where-they-usually-are",
        ),
        pytest.param(FILE | {"formatting": "openai"}, Entry(content="messages"), id="openai"),
    ],
)
def test_entry(tmp_path, value, expected):
    assert entry(tmp_path, value) == expected


def test_entry_by_its_name(tmp_path):
    assert entry(tmp_path, {"hf_hub_url": "org/name"}, "mine").content == "alpaca"


@pytest.mark.parametrize(
    ("value", "name", "problem"),
    [
        pytest.param({"file_name": "else.json"}, None, r"no entry with the file_name(.|\n)*other, mine", id="file"),
        pytest.param(FILE, "yours", "no entry 'yours'", id="name"),
        pytest.param(FILE | {"formatting": "x"}, None, "mine: formatting: 'x' is none of alpaca", id="formatting"),
        pytest.param(FILE | {"columns": {"videos": "v"}}, None, "mine: columns.videos: not supported", id="column"),
        pytest.param(TALK | {"tags": {"x_tag": "v"}}, None, "mine: tags.x_tag: not supported", id="tag"),
        pytest.param(["x"], None, "not an object of entries", id="list"),
    ],
)  # fmt: skip
def test_refused(tmp_path, value, name, problem):
    with pytest.raises(GraftError, match=problem):
        entry(tmp_path, value, name)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(tmp_path, content):
    (tmp_path / "info.json").write_bytes(content)
    with pytest.raises(GraftError, match="not JSON"):
        dataset_info.entry(tmp_path / "info.json", tmp_path / "mine.json")
    with pytest.raises(GraftError, match="No such file"):
        dataset_info.entry(tmp_path / "absent.json", tmp_path / "mine.json")


@pytest.mark.parametrize("more", [{"split": "test"}, {"subset": "x"}, {"samples_ratio": 0.5}, {"weight": 2}])
def test_keys_that_say_what_is_not_done_are_named(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(GraftError, match=f"mine: {next(iter(more))}: "):
        entry(tmp_path, FILE | more)
    assert entry(tmp_path, FILE | {"split": "train", "hf_hub_url": "a/b"}).content == "alpaca"


def test_of_several_entries_for_a_file_one_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "info.json").write_text(json.dumps({"a": FILE, "b": FILE | {"ranking": True}}))
    with pytest.raises(GraftError, match=r"(?s)more than one entry .*entries: a, b.*--set entry=NAME"):
        dataset_info.entry(tmp_path / "info.json", tmp_path / "mine.json")
    assert dataset_info.entry(tmp_path / "info.json", tmp_path / "mine.json", "b").content == "preference"
