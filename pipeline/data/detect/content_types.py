"""What rows hold, by the names of their keys: instructions, conversations, preferences, texts, or a table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.data.contents.row_content import plain_text

Rows = Sequence[Mapping[str, Any]]
_ASK, _ANSWER = ("instruction", "prompt"), ("output", "response", "completion")
_TALKS = ("messages", "conversations", "conversation")
_TEXTS = ("text", "content", "document", "raw_content")
_LONG = 200  # characters of a text that is no title


def content(rows: Rows) -> tuple[str, dict[str, str]]:
    """The content of rows, and what its keys are called where that is not usual."""
    there = Counter(key for row in rows for key, value in row.items() if value is not None)
    names = {key for key, count in there.items() if count > 0.5 * len(rows)}
    talk = next((name for name in _TALKS if name in names and _are_messages(rows, name)), None)
    asks = bool(names.intersection(_ASK)) and bool(names.intersection(_ANSWER))
    if {"chosen", "rejected"} <= names:
        return "preference", {}
    if (talk or asks) and ("kto_tag" in names or any(_is_truth(rows, name) for name in ("label", "desirable"))):
        return "kto", {}
    if talk:
        return _layout(rows, talk), {}
    if asks:
        return "alpaca", {}
    if {"question", "answer"} <= names:
        return "alpaca", {"instruction": "question", "output": "answer"}
    return "table", {}


def text_key(rows: Rows) -> str | None:
    """The key of rows that are texts and nothing else: the only one, or long ones under a usual name."""
    strings = {key for row in rows for key, value in row.items() if isinstance(value, str)}
    named = next((name for name in _TEXTS if name in strings), None)
    if named is None:
        return None
    lengths = [len(row[named]) for row in rows if isinstance(row.get(named), str)]
    return named if strings == {named} or sum(lengths) > _LONG * len(lengths) else None


def few_answers(rows: Rows, keys: Mapping[str, str]) -> bool:
    """Whether instructions are answered by few labels that come again and again: a classification."""
    names = (keys["output"],) if "output" in keys else _ANSWER
    said = (plain_text(row.get(name)) for row in rows for name in names)
    answers = [answer for answer in said if isinstance(answer, str)]
    return len(answers) >= 20 and 1 < len(set(answers)) <= 0.2 * len(answers) and max(map(len, answers)) <= _LONG


def _layout(rows: Rows, name: str) -> str:
    from_ = sum("from" in message for row in rows for message in _first(row, name))
    return "sharegpt" if from_ > 0.5 * len(rows) else "messages"


def _are_messages(rows: Rows, name: str) -> bool:
    return sum(bool(_first(row, name)) for row in rows) > 0.5 * len(rows)


def _first(row: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """The first message of a row, if it has any."""
    value = row.get(name)
    return value[:1] if isinstance(value, list) and value and isinstance(value[0], Mapping) else []


def _is_truth(rows: Rows, name: str) -> bool:
    values = [row[name] for row in rows if row.get(name) is not None]
    return bool(values) and all(
        isinstance(value, bool) or (isinstance(value, str) and value.casefold() in ("true", "false"))
        for value in values
    )
