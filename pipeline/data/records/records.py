"""The record: one training example in canonical form, named by the hash of its content."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

Message = Mapping[str, Any]  # {"role": "user", "content": ...}; tool_calls and weight where there are any
Messages = Sequence[Message]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A conversation that ends with the answer to learn, or a text; schemas/record.schema.json."""

    id: str  # SHA-256 of the canonical content, 64 hex digits
    kind: str = "classification"  # classification | sft | preference | kto | text
    messages: Messages
    rejected: Messages | None = None  # preference: what is worse than the last message
    desirable: bool | None = None  # kto
    tools: str | None = None  # canonical JSON
    images: Sequence[str] | None = None
    key: str | None = None  # names an item over time
    date: str | None = None
    weight: float | None = None  # how often it is drawn in an epoch; None: once
    increment: str  # which increment brought it
    file: str  # source file inside the increment, such as raw/titles.csv
    line: int  # line in that file, from 1

    @property
    def answer(self) -> str:
        """What the model must say: the content of the last message."""
        return str(self.messages[-1]["content"])

    @property
    def prompt(self) -> Messages:
        """What the model is given: all messages but the last."""
        return self.messages[:-1]


def canonical(messages: Messages, more: Mapping[str, Any] | None = None) -> bytes:
    """Canonical JSON of messages, and of what else belongs to the content; null values say nothing.

    Lone surrogates cannot be written: rows that hold them are rejected before.
    """
    plain = [{key: value for key, value in message.items() if value is not None} for message in messages]
    rest = {key: value for key, value in (more or {}).items() if value is not None}
    return orjson.dumps([plain, rest] if rest else plain, option=orjson.OPT_SORT_KEYS)


def content_id(messages: Messages, more: Mapping[str, Any] | None = None) -> str:
    """SHA-256 over the canonical JSON of messages: the same content has the same id everywhere.

    Of all messages (and `more`) it is the record's id; of the prompt alone it decides the record's side, so
    that one question never stands in train and in evaluation with two different answers.
    """
    return hashlib.sha256(canonical(messages, more)).hexdigest()


def classification(text: str, label: str, instruction: str = "") -> list[dict[str, str]]:
    """Messages of a classification example: the text (below the instruction, if any), then its label."""
    question = f"{instruction}\n{text}" if instruction else text
    return [{"role": "user", "content": question}, {"role": "assistant", "content": label}]
