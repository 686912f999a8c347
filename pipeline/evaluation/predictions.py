"""reports/predictions.json: what candidate, parent and anchor say of every item; the verdict follows from it alone."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import GraftError

VERSION = 1
SIDES = ("candidate", "parent", "anchor")
LISTS = ("items", "robustness")

Row = dict[str, Any]


def write(path: Path, found: Mapping[str, Any]) -> None:
    """One JSON object; every item stands on a line of its own, so that two files can be compared line by line."""
    head = {name: value for name, value in found.items() if name not in LISTS}
    lines = [f" {_json(name)}: {_json(value)}" for name, value in head.items()]
    lines += [f" {_json(name)}: [" + ",".join(f"\n  {_json(row)}" for row in found[name]) + "]" for name in LISTS]
    files.write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read(path: Path) -> dict[str, Any]:
    """What a stage `evaluate` wrote.

    Raises:
        GraftError: another Graft's.
    """
    found: dict[str, Any] = files.read_json(path)
    if found.get("version") != VERSION:
        raise GraftError(
            f"{path}: version {found.get('version')}, and this Graft reads {VERSION}",
            help="check out the Graft that the release was made with, or release once more from it",
        )
    return found


def rows(found: Mapping[str, Any] | None) -> dict[str, Row]:
    """Every row of a predictions.json by its key, whichever side it is of."""
    return {row["key"]: row for item in _all(found or {}) for side in SIDES if (row := item.get(side))}


def _all(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in LISTS:
        yield from found.get(name, [])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
