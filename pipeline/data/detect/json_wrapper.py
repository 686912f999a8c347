"""JSON documents whose one object is there to hold the rows: {"data": [{...}]}, {"response": {"docs": [{...}]}}."""

import json
import re
from pathlib import Path
from typing import Any

from pipeline.common import documents
from pipeline.common.errors import GraftError
from pipeline.data.reading import document

_OBJECTS = re.compile(r"\[\s*\{")
_TURN = re.compile(r"\[\s*\{\s*\"(?:role|from|content|value)\"")  # of a conversation: the object is one row
_PANDAS = "pandas: to_json(FILE, orient='records', lines=True)"


def key(path: Path, head: str) -> str | None:
    """The key of the only array of objects that a document's only object holds; None where objects are the rows.

    Args:
        path: the file, for a message.
        head: its first characters.

    Raises:
        GraftError: there are several such arrays, or the document holds columns, not rows.
    """
    if not head.lstrip().startswith("{"):
        return None
    end = document.end(head)
    if end is not None and head[end:].strip():
        return None  # objects follow each other
    arrays = [
        name for name, place in document.arrays(head) if _OBJECTS.match(head, place) and not _TURN.match(head, place)
    ]
    outer = [name for name in arrays if "." not in name] or arrays
    if len(outer) == 1:
        return outer[0]
    whole = _whole(head)
    if outer:
        counts = [f"{name}{_counted(whole, name)}" for name in outer]
        raise GraftError(
            f"{path}: several arrays of objects", counts, help="name the one: --set rows=KEY; one at a time"
        )
    if isinstance(whole, dict) and _is_of_columns(whole):
        raise GraftError(f"{path}: JSON of columns, not of rows", help=_PANDAS)
    if isinstance(whole, dict) and whole and all(isinstance(value, list | dict) for value in whole.values()):
        raise GraftError(
            f"{path}: a JSON object that holds no array of objects; its keys: {', '.join(whole)}",
            help=_PANDAS if "columns" in whole else "one object a line, or an array of objects",
        )
    return None


def _whole(head: str) -> Any:
    try:
        return json.loads(head)
    except (ValueError, RecursionError):
        return None


def _counted(whole: Any, name: str) -> str:
    held = documents.at_dotted(whole, name)
    return f": {len(held):,} elements" if isinstance(held, list) else ""


def _is_of_columns(value: dict[str, Any]) -> bool:
    """What pandas' to_json() makes: {"title": {"0": ..., "1": ...}, ...}; or lists of equal length."""
    parts = list(value.values())
    if len(parts) < 2 or not all(isinstance(part, type(parts[0])) and part for part in parts):
        return False
    if isinstance(parts[0], dict):
        return all(part.keys() == parts[0].keys() for part in parts)
    plain = isinstance(parts[0], list) and all(not isinstance(one, dict) for part in parts for one in part)
    return plain and len({len(part) for part in parts}) == 1 and len(parts[0]) > 1
