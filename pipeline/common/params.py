"""params.yaml -> the frozen dataclass of one stage."""

import copy
import dataclasses
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pipeline.common import yaml
from pipeline.common.errors import GraftError

PATH = Path("params.yaml")
Section = TypeVar("Section")


def load(name: str, section: type[Section]) -> Section:
    """One section of params.yaml, after the *whole* file passed its schema.

    Args:
        name: the section's name, which is its stage's.
        section: frozen dataclass whose fields are the section's keys.

    Raises:
        GraftError: params.yaml is missing, not YAML, or breaks schemas/params.schema.json.
    """
    return build(section, load_all()[name])


def build(section: type[Section], values: Mapping[str, Any]) -> Section:
    """A dataclass of plain values; fields that are dataclasses themselves are sections within the section."""
    kinds = get_type_hints(section)
    return section(
        **{k: build(kinds[k], v) if dataclasses.is_dataclass(kinds.get(k)) else v for k, v in values.items()}
    )


def load_all() -> dict[str, dict[str, Any]]:
    """Every section of params.yaml as plain dicts; raises like `load`."""
    return copy.deepcopy(_checked(PATH.read_bytes() if PATH.is_file() else b""))


@cache
def _checked(_content: bytes) -> dict[str, dict[str, Any]]:
    """The file, read and checked once for each content that it has: that takes a tenth of a second."""
    plain: dict[str, dict[str, Any]] = _plain(yaml.load(PATH, "params"))
    found = list(_beyond_schema(plain))
    if found:
        raise GraftError(f"{PATH}: {found[0]}", found[1:], help="each key's comment in params.yaml says what it means")
    return plain


def _beyond_schema(plain: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What a JSON Schema cannot say of the values."""
    prepare, judge = plain["prepare"], plain["evaluate"]["judge"]
    if prepare["min_chars"] > prepare["max_chars"]:
        yield f"$.prepare.min_chars: {prepare['min_chars']} is more than max_chars, {prepare['max_chars']}"
    if judge and judge["scale"][0] >= judge["scale"][1]:
        yield f"$.evaluate.judge.scale: {judge['scale']}: the lowest score comes first, then the highest"
    if plain["train"]["parent"]["average"] and not plain["train"]["validation"]["share"]:
        yield "$.train.parent.average: chooses by the validation part: $.train.validation.share must be above 0"
    for name in ("targets", "modules"):
        if isinstance(pattern := plain["train"][name], str):
            try:
                re.compile(pattern)
            except re.error as error:
                yield f"$.train.{name}: {pattern!r} is no regular expression: {error}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):  # ruamel's scalars remember their spelling
        if isinstance(value, kind):
            return kind(value)
    return value
