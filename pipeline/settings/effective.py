"""params.yaml and the defaults in code -> every effective value."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.common import documents, params, schema, sources, yaml
from pipeline.common.errors import GraftError
from pipeline.settings import sections

PATH = Path("params.yaml")
HELP = "graft lock --show prints every key with its meaning and range"


def load() -> dict[str, dict[str, Any]]:
    """Effective values of the working tree, by section, after the *whole* file passed its schema.

    Raises:
        GraftError: params.yaml is missing, not YAML, or breaks schemas/params.schema.json.
    """
    return copy.deepcopy(_checked(PATH.read_bytes() if PATH.is_file() else b""))


def of_commit(read: Callable[[str], bytes | None], revision: str) -> dict[str, dict[str, Any]]:
    """Effective values of a commit: what its params.yaml says, then what its stage `settings` recorded, then defaults.

    Keys that this Graft does not know stay: another one may have written them.

    Args:
        read: path -> the commit's file; None: it has none.
        revision: for messages.

    Raises:
        GraftError: it has neither file, or one that cannot be read.
    """
    recorded, given = read(params.PATH.as_posix()), read(PATH.as_posix())
    where = f"{revision}:{PATH}"
    if given is None:
        raise GraftError(f"{where}: no such file", help="use the Graft that its own commit holds")
    values = yaml.parse(given, where)
    if values is not None and not isinstance(values, Mapping):
        raise GraftError(f"{where}: no sections with keys", help="use the Graft that its own commit holds")
    defaults = documents.parse_object(recorded, f"{revision}:{params.PATH}") if recorded is not None else {}
    return sections.fill(sections.merged(defaults, values or {}))


@cache
def _checked(_content: bytes) -> dict[str, dict[str, Any]]:
    """The file, read and checked once for each content that it has: that takes a tenth of a second."""
    document = yaml.load_unchecked(PATH)
    given = {} if document is None else document
    plain = _plain(given)
    if isinstance(plain, dict):
        plain = {name: {} if value is None else value for name, value in plain.items()}  # a section emptied by hand
    found = schema.problems(plain, "params", lambda keys: yaml.line_of(document, keys))
    if not found:
        filled: dict[str, dict[str, Any]] = sections.fill(plain)
        found = list(_beyond_schema(filled))
    if found:
        raise GraftError(f"{PATH}: {found[0]}", found[1:], help=HELP)
    return filled


def _beyond_schema(filled: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What a JSON Schema cannot say of the values."""
    prepare, judge = filled["prepare"], filled["evaluate"]["judge"]
    if prepare["min_chars"] > prepare["max_chars"]:
        yield f"$.prepare.min_chars: {prepare['min_chars']} is more than max_chars, {prepare['max_chars']}"
    if judge and judge["scale"][0] >= judge["scale"][1]:
        yield f"$.evaluate.judge.scale: {judge['scale']}: the lowest score comes first, then the highest"
    if filled["train"]["parent"]["average"] and not filled["train"]["validation"]["share"]:
        yield "$.train.parent.average: chooses by the validation part: $.train.validation.share must be above 0"
    for path in _strings(filled):
        if path.startswith(("data/augment/", "data/templates/")) and sources.is_leaving(path):
            yield f"{path}: named as an editor's copy is, of which no change would be noticed; rename it"
    for name in ("targets", "modules"):
        if isinstance(pattern := filled["train"][name], str):
            try:
                re.compile(pattern)
            except re.error as error:
                yield f"$.train.{name}: {pattern!r} is no regular expression: {error}"


def _strings(value: Any) -> Iterator[str]:
    """Every text among the values."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(item)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):  # ruamel's scalars remember their spelling
        if isinstance(value, kind):
            return kind(value)
    return value
