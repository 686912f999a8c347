"""What changed in params between two releases, key by key."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "not there"


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(key with dots, value before, value after) of every setting that differs, sorted by key."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        (key, old.get(key, ABSENT), new.get(key, ABSENT))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _flat(section: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{place}{key}.")
        else:
            yield f"{place}{key}", json.dumps(value, ensure_ascii=False, sort_keys=True)
