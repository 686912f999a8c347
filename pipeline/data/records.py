"""The record: one training example in canonical form, named by the hash of its content."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Messages = Sequence[Mapping[str, str]]  # [{"role": "user", "content": ...}, ..., {"role": "assistant", ...}]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A conversation that ends with the answer to learn; schemas/record.schema.json."""

    id: str  # SHA-256 of the canonical messages, 64 hex digits
    messages: Messages
    increment: str  # which increment brought it
    file: str  # source file inside the increment, such as raw/titles.csv
    line: int  # line in that file, from 1

    @property
    def answer(self) -> str:
        """What the model must say: the content of the last message."""
        return self.messages[-1]["content"]

    @property
    def prompt(self) -> Messages:
        """What the model is given: all messages but the last."""
        return self.messages[:-1]


def content_id(messages: Messages) -> str:
    """SHA-256 over the canonical JSON of messages: the same content has the same id everywhere.

    Of all messages it is the record's id; of the prompt alone it decides the record's side, so
    that one question never stands in train and in evaluation with two different answers.
    """
    canonical = json.dumps(
        [{"content": message["content"], "role": message["role"]} for message in messages],
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=True,
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def classification(text: str, label: str, instruction: str = "") -> list[dict[str, str]]:
    """Messages of a classification example: the text (below the instruction, if any), then its label."""
    question = f"{instruction}\n{text}" if instruction else text
    return [{"role": "user", "content": question}, {"role": "assistant", "content": label}]
