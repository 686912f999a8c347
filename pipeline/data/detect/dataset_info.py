"""LLaMA-Factory's dataset_info.json: what an entry says about its file, as increment.yaml says it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.contents import turns
from pipeline.data.reading.filespec import FileSpec

_KEYS = {  # their name of a column -> ours
    "prompt": "instruction",
    "query": "input",
    "response": "output",
    "kto_tag": "desirable",
    **{name: name for name in ("history", "system", "tools", "images", "messages", "chosen", "rejected")},
}
_ROLES = {
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": turns.CALL,
    "system_tag": "system",
}
_PARTS = {"role_tag": "role", "content_tag": "content"}
_OTHERS = (  # keys that are read, and those of where the file comes from
    *("file_name", "formatting", "ranking", "columns", "tags"),
    *("file_sha1", "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"),
)
_UNREAD = {  # what they do with it -> what to do instead
    "num_samples": "all rows of the file are taken; cut the file to so many, and take the key out",
    "split": "the file is taken whole; hand in the file of that split, and take the key out",
    "subset": "the file is taken whole; hand in the file of that subset, and take the key out",
}
_WHOLE = ("split", "train")  # what an entry says by default
_FORMATTING = {"alpaca": "alpaca", "sharegpt": "sharegpt", "openai": "messages"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What one entry says."""

    content: str
    text: str | None = None  # of plain texts
    keys: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)

    def applied(self, spec: FileSpec) -> dict[str, Any]:
        """The fields of a file's entry in increment.yaml that change."""
        text = (self.text or spec.text) if self.content == "text" and spec.format != "txt" else None
        return {"content": self.content, "text": text, "keys": self.keys, "roles": self.roles}


def entry(path: Path, source: Path, name: str | None = None) -> Entry:
    """The entry of a file.

    Args:
        path: dataset_info.json.
        source: the file; the entry is the one with its file_name.
        name: of the entry, in place of that.

    Raises:
        GraftError: no such entry, or it says what is not understood.
    """
    entries = _read(path)
    fitting = [key for key, value in entries.items() if (key == name if name else _file(value) == source.name)]
    if len(fitting) != 1:
        wanted = f"entry {name!r}" if name else f"entry with the file_name {source.name!r}"
        known = fitting or entries
        raise GraftError(
            f"{path}: {'more than one' if fitting else 'no'} {wanted}",
            [f"entries: {', '.join(known)}"],
            help="name it: --set entry=NAME",
        )
    return _entry(entries[fitting[0]], f"{path}: {fitting[0]}")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise GraftError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise GraftError(f"{path}: not JSON: {error}") from None
    if not isinstance(document, dict) or not all(isinstance(value, dict) for value in document.values()):
        raise GraftError(f"{path}: not an object of entries", help="as LLaMA-Factory's data/dataset_info.json")
    return document


def _file(value: Mapping[str, Any]) -> str:
    return PurePosixPath(str(value.get("file_name", ""))).name


def _entry(value: Mapping[str, Any], place: str) -> Entry:
    formatting = value.get("formatting", "alpaca")
    columns, tags = value.get("columns") or {}, value.get("tags") or {}
    asked = {name: said for name, said in value.items() if said and name not in _OTHERS and (name, said) != _WHOLE}
    problems = [f"{name}: {_UNREAD.get(name, 'not understood; take it out')}" for name in asked]
    problems += [f"columns.{name}: not supported" for name in columns if name not in _KEYS]
    problems += [f"tags.{name}: not supported" for name in tags if name not in {**_ROLES, **_PARTS}]
    if formatting not in _FORMATTING:
        problems.insert(0, f"formatting: {formatting!r} is none of {', '.join(_FORMATTING)}")
    if problems:
        raise GraftError(f"{place}: {problems[0]}", problems[1:])
    keys = {_KEYS[name]: str(column) for name, column in columns.items() if column}
    if formatting == "alpaca" and set(keys) == {"instruction"} and not value.get("ranking"):
        return Entry(content="text", text=keys["instruction"])
    if formatting != "alpaca" and keys and "messages" not in keys:
        keys["messages"] = "conversations"
    keys |= {_PARTS[name]: str(tag) for name, tag in tags.items() if name in _PARTS}
    roles = {str(tag): _ROLES[name] for name, tag in tags.items() if name in _ROLES}
    return Entry(
        content="preference" if value.get("ranking") else "kto" if "desirable" in keys else _FORMATTING[formatting],
        keys=keys,
        roles={tag: role for tag, role in roles.items() if turns.ROLES.get(tag) != role},
    )
