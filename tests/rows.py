"""Batches of rows as readers yield them, made by hand."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from pipeline.data.records import arrow


def message(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": None, "weight": None, **more}


def title(text: str, label: str = "a label", **more: Any) -> dict[str, Any]:
    return {"kind": "classification", "messages": [message("user", text), message("assistant", label)], **more}


def sft(*turns: str, **more: Any) -> dict[str, Any]:
    roles = ["user", "assistant"] * len(turns)
    return {"kind": "sft", "messages": [message(role, turn) for role, turn in zip(roles, turns, strict=False)], **more}


def plain(text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "text", "messages": [message("text", text)], **more}


def batch(rows: Iterable[dict[str, Any]]) -> pa.RecordBatch:
    numbered = [{"file": "raw/a", "line": line, "raw": "", **row} for line, row in enumerate(rows, 1)]
    return pa.RecordBatch.from_pylist(numbered, arrow.ROWS)


def outcome(row: dict[str, Any]) -> Any:
    """The problem of a row, or the contents of its messages."""
    return row["problem"] or [each["content"] for each in row["messages"]]
