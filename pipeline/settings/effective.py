"""params.yaml and the defaults in code -> every effective value."""

import copy
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.common import documents, files, params, schema, yaml
from pipeline.common.errors import GraftError
from pipeline.settings import beyond_schema, by_task, gate_rules, sections

PATH = Path("params.yaml")
SCHEMA = "params"
HELP = "graft lock --show prints every key with its meaning and range"
_OLDER = "use the Graft that its own commit holds"


def load(task: str | None = None) -> dict[str, dict[str, Any]]:
    """Effective values of the working tree, by section, after the *whole* file passed its schema.

    Args:
        task: of the increment that defaults follow from; None: of the open one.

    Raises:
        GraftError: params.yaml is missing, not YAML, or breaks schemas/params.schema.json.
    """
    content = PATH.read_bytes() if PATH.is_file() else b""
    return copy.deepcopy(_checked(content, task or by_task.task(by_task.of_tree)))


def require_files() -> None:
    """Check that the files which params.yaml names are here, and not only when the stage that reads them runs.

    Raises:
        GraftError: some are not; or as `load`.
    """
    document = yaml.load_unchecked(PATH)
    _refuse(beyond_schema.missing_files(load()), document)


def of_commit(read: Callable[[str], bytes | None], revision: str) -> dict[str, dict[str, Any]]:
    """Effective values of a commit, every key of this Graft included; arguments and errors as `recorded`'s."""
    return sections.complete(recorded(read, revision))


def recorded(read: Callable[[str], bytes | None], revision: str) -> dict[str, Any]:
    """What a commit's stage `settings` recorded; of an older Graft's commit, what its params.yaml says, whole.

    Keys that this Graft does not know stay: another one may have written them.

    Args:
        read: path -> the commit's file; None: it has none.
        revision: for messages.

    Raises:
        GraftError: it has neither file, or one that cannot be read.
    """
    if (written := read(params.PATH.as_posix())) is not None:
        return documents.parse_object(written, f"{revision}:{params.PATH}")
    given, where = read(PATH.as_posix()), f"{revision}:{PATH}"
    if given is None:
        raise GraftError(f"{where}: no such file", help=_OLDER)
    values = yaml.parse(given, where)
    if values is not None and not isinstance(values, Mapping):
        raise GraftError(f"{where}: no sections with keys", help=_OLDER)
    return dict(values or {})


@cache
def _checked(content: bytes, task: str | None) -> dict[str, dict[str, Any]]:
    """The file, read and checked once for each content that it has and task: that takes a tenth of a second."""
    document = yaml.load_unchecked(PATH)
    whole = files.read_json(schema.SCHEMAS / f"{SCHEMA}.schema.json")
    given = _without_empty_sections({} if document is None else _plain(document), whole, whole["$defs"])
    _refuse([beyond_schema.reworded(fault, given, whole) for fault in schema.faults(given, SCHEMA)], document)
    filled: dict[str, dict[str, Any]] = sections.fill(given, task)
    lines = content.decode().splitlines()
    _refuse([*_empty_rules(given, document, lines), *beyond_schema.problems(filled, whole)], document)
    return filled


def _refuse(found: list[schema.Fault], document: Any) -> None:
    if found:
        problems = schema.lines(found, lambda keys: yaml.line_of(document, keys))
        raise GraftError(f"{PATH}: {problems[0]}", problems[1:], help=HELP)


def _without_empty_sections(value: Any, part: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    """Sections whose keys are all commented out, null to YAML, are left out at every level.

    Args:
        value: what params.yaml says.
        part: of the schema, for the value.
        named: the schema's $defs.
    """
    if not isinstance(value, dict):
        return value
    parts = {name: _resolved(inner, named) for name, inner in _resolved(part, named).get("properties", {}).items()}
    return {
        name: _without_empty_sections(inner, parts.get(name, {}), named)
        for name, inner in value.items()
        if inner is not None or parts.get(name, {}).get("type") != "object"
    }


def _resolved(part: Mapping[str, Any], named: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = named[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    return found


def _empty_rules(given: Any, document: Any, lines: list[str]) -> list[schema.Fault]:
    """Rules with nothing after the colon: to remove one by commenting out its bounds would go unseen."""
    empty = []
    for path in gate_rules.removed((given.get("gate") or {}).get("rules") or {}):
        place = document
        for key in path[:-1]:
            place = place[key]
        line, column = place.lc.value(path[-1])
        if line >= len(lines) or lines[line][column : column + 1] not in tuple("~nN"):
            empty.append((path, "is empty: write null to remove the rule, or {} for the default's bounds"))
    return empty


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {"null" if key is None else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):  # ruamel's scalars remember their spelling
        if isinstance(value, kind):
            return kind(value)
    return value
