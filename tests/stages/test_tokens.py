"""Tokens kept by content: the same as made anew, whatever happened to the files."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.model.chat import chat as chats
from pipeline.training.examples import encoding, tokens
from tests import templates as shapes
from tests.stages.test_objectives import said

KINDS = ("classification", "sft", "preference", "kto", "text")
RECORDS = [said(number, kind) for number in range(4) for kind in KINDS]


@pytest.fixture
def chat(tiny_base: Path) -> chats.Chat:
    return chats.load(tiny_base, shapes.BARE)


def silent(chat: chats.Chat) -> chats.Chat:
    """The same, but it can tokenise nothing."""
    return replace(chat, tokenizer=SimpleNamespace(chat_template=chat.template))


def test_what_is_read_is_what_would_be_made_and_nothing_is_tokenised_twice(chat, tmp_path):
    fresh = encoding.encode(chat, RECORDS)
    assert tokens.encode(chat, RECORDS, tmp_path) == fresh
    assert tokens.encode(silent(chat), RECORDS, tmp_path) == fresh
    assert tokens.encode(silent(chat), RECORDS[::-1], tmp_path) == fresh[::-1]
    more = [*RECORDS[3:6], said(99, "sft")]
    with pytest.raises(AttributeError):
        tokens.encode(silent(chat), more, tmp_path)
    assert tokens.encode(chat, more, tmp_path) == encoding.encode(chat, more)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-9]), id="cut"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes().replace(b"\1", b"\2", 1)), id="one-byte-flipped"),
    ],
)
def test_damaged_file_is_made_again(chat, tmp_path, damage):
    fresh = tokens.encode(chat, RECORDS, tmp_path)
    (path,) = tmp_path.glob("*/*.arrow")
    whole = path.read_bytes()
    damage(path)
    assert tokens.encode(chat, RECORDS, tmp_path) == fresh
    assert path.read_bytes() == whole


def test_other_template_or_tokenizer_reads_nothing_of_the_first(chat, tiny_base, tmp_path):
    tokens.encode(chat, RECORDS, tmp_path)
    other = chats.load(tiny_base, shapes.CHATML)
    assert tokens.encode(other, RECORDS, tmp_path) == encoding.encode(other, RECORDS)
    changed = tmp_path / "base"
    changed.mkdir()
    for path in tiny_base.iterdir():
        (changed / path.name).write_bytes(path.read_bytes() + (b" " if path.name == "tokenizer_config.json" else b""))
    assert tokens.fingerprint(replace(chat, folder=changed)) != tokens.fingerprint(chat)


def test_what_was_not_used_for_longest_goes_first(chat, tmp_path, monkeypatch):
    for number, record in enumerate(RECORDS[:3]):
        tokens.encode(chat, [record], tmp_path)
        newest = max(tmp_path.glob("*/*.arrow"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (number, number))
    size = max(path.stat().st_size for path in tmp_path.glob("*/*.arrow"))
    monkeypatch.setattr(tokens, "LIMIT", 2 * size)
    tokens.encode(silent(chat), RECORDS[:1], tmp_path)  # the oldest is used again
    tokens.encode(silent(chat), [RECORDS[0], RECORDS[2]], tmp_path)
    with pytest.raises(AttributeError):
        tokens.encode(silent(chat), [RECORDS[1]], tmp_path)


@pytest.mark.slow  # each process loads transformers
def test_several_processes_tokenise_to_the_same(chat, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "PART", 10)
    assert tokens.encode(chat, RECORDS, tmp_path, workers=2) == encoding.encode(chat, RECORDS)
