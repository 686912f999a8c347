"""reports/predictions.json: what candidate, parent and anchor say of every item; the verdict follows from it alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.common import files
from pipeline.common.errors import GraftError

VERSION = 1
SIDES = ("candidate", "parent", "anchor")
BASE = "base"  # the side of the untuned base, which a first release is held against; absent elsewhere
LISTS = {"items": ("id", "kind"), "robustness": ("source", "kind")}  # and the texts that each entry has
SHOWN = 5  # problems named at once
REPAIR = "it was changed after it was written: `dvc checkout` brings back what DVC recorded"

Row = dict[str, Any]


def write(path: Path, found: Mapping[str, Any]) -> None:
    """One JSON object; every item stands on a line of its own, so that two files can be compared line by line."""
    head = {name: value for name, value in found.items() if name not in LISTS}
    lines = [f" {_json(name)}: {_json(value)}" for name, value in head.items()]
    lines += [f" {_json(name)}: [" + ",".join(f"\n  {_json(row)}" for row in found[name]) + "]" for name in LISTS]
    files.write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read(path: Path) -> dict[str, Any]:
    """What a stage `evaluate` wrote; see `parse`."""
    if not path.is_file():
        raise GraftError(f"{path}: no such file", help="dvc repro evaluate makes it")
    return parse(path.read_bytes(), str(path))


def parse(content: bytes, name: str) -> dict[str, Any]:
    """A predictions.json, of a shape that can be compared; what models say is judged by the gate.

    Args:
        content: of the file.
        name: what to call it in words.

    Raises:
        GraftError: damaged, changed by hand, or another Graft's.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise GraftError(f"{name}: no JSON: {error}", help=REPAIR) from error
    if not isinstance(found, dict):
        raise GraftError(f"{name}: no JSON object", help=REPAIR)
    if found.get("version") != VERSION:
        raise GraftError(
            f"{name}: version {found.get('version')}, and this Graft reads {VERSION}",
            help="use the Graft that its own commit holds, or release once more",
        )
    if problems := list(islice(_problems(found), SHOWN)):
        raise GraftError(f"{name}: {'; '.join(problems)}", help=REPAIR)
    return found


def _problems(found: Mapping[str, Any]) -> Iterator[str]:
    models = found.get("models")
    if not isinstance(models, dict) or not isinstance(models.get("candidate"), dict | None):
        yield "models: what was compared is not named"
    for name, texts in LISTS.items():
        if not isinstance(found.get(name), list):
            yield f"{name}: no list"
            continue
        known = set[str]()
        for number, item in enumerate(found[name], start=1):
            yield from (f"{name}, item {number}: {problem}" for problem in _wrong(item, texts, known))


def _wrong(item: Any, texts: Sequence[str], known: set[str]) -> Iterator[str]:
    """What is wrong with one entry; `known`: ids of those before, to which its own is added."""
    if not isinstance(item, dict):
        yield "no object"
        return
    yield from (f"{key}: no text" for key in texts if not isinstance(item.get(key), str))
    slices = item.get("slices")
    if not isinstance(slices, list) or not all(isinstance(slice_, str) for slice_ in slices):
        yield "slices: no list of names"
    yield from (f"{side}: no object" for side in (*SIDES, BASE) if not isinstance(item.get(side), dict | None))
    if isinstance(item.get("id"), str):
        if item["id"] in known:
            yield "its id stands there twice"
        known.add(item["id"])


def rows(found: Mapping[str, Any] | None) -> dict[str, Row]:
    """Every row of a predictions.json by its key, whichever side it is of."""
    return {row["key"]: row for item in _all(found or {}) for side in (*SIDES, BASE) if (row := item.get(side))}


def _all(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in LISTS:
        yield from found.get(name, [])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
