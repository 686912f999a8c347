"""JSON Schema checks that name every problem of a file at once."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pipeline.common import files, schema_words
from pipeline.common.visible import UNSAFE

WRITTEN = ("increment", "models.lock", "params")  # by people and commands; a record may hold anything
SEPARATORS = ("delimiter", "quote")  # of a CSV: some files separate columns by a control character
SCHEMAS = files.ROOT / "schemas"

Fault = tuple[list[Any], str]  # path of keys, words


def problems(value: Any, name: str, line_of: Callable[[list[Any]], int | None] | None = None) -> list[str]:
    """Every way in which `value` breaks `schemas/NAME.schema.json`, empty when it is valid.

    Args:
        value: parsed JSON or YAML.
        name: the schema's name, such as "params".
        line_of: finds the line of a key path in the file, for the messages.

    Returns:
        Lines such as "line 12: $.train.epoch: unknown key; did you mean 'epochs'?".
    """
    return lines(faults(value, name), line_of)


def faults(value: Any, name: str) -> list[Fault]:
    """As `problems`: the path of keys and the words of each."""
    errors = sorted(_validator(name).iter_errors(value), key=lambda error: [str(key) for key in error.absolute_path])
    found = [problem for error in errors for problem in schema_words.problems(error)]
    if name in WRITTEN:
        found += [(path, "a control character, which no name needs") for path in _unsafe(value, [])]
    return found


def lines(found: Iterable[Fault], line_of: Callable[[list[Any]], int | None] | None = None) -> list[str]:
    """The problems as lines of text, in the order of the file where `line_of` tells it."""
    numbered = [(line_of(path) if line_of else None, f"{place(path)}: {words}") for path, words in found]
    if line_of:
        numbered.sort(key=lambda entry: entry[0] or 0)
    return list(dict.fromkeys((f"line {line}: " if line else "") + words for line, words in numbered))


def place(path: list[Any]) -> str:
    """A path of keys as one word: $.train.rank, $.files['raw/a.csv'].text, $.evaluation[0]."""
    return "$" + "".join(map(_step, path))


def _step(key: Any) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if re.fullmatch(r"[A-Za-z_]\w*", str(key)) else f"[{str(key)!r}]"


def _unsafe(value: Any, path: list[Any]) -> Iterator[list[Any]]:
    """Paths of strings and keys with characters that a terminal would obey, but for what separates columns."""
    if isinstance(value, str):
        if UNSAFE.search(value) and not (path and path[-1] in SEPARATORS):
            yield path
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str) and UNSAFE.search(key):
                yield [*path, key]
            yield from _unsafe(item, [*path, key])
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _unsafe(item, [*path, place])


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator, validators  # 0.15 s: only when something is checked

    # JSON Schema takes 1.0 for an integer, and no bound stops NaN; range() and a gate do neither.
    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    extend: Any = validators.extend
    strict = extend(Draft202012Validator, {"pattern": _pattern, "properties": _properties}, type_checker=types)
    return strict(files.read_json(SCHEMAS / f"{name}.schema.json"))


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """As JSON Schema means it: `$` is the end, where Python's is before a last newline, too."""
    from jsonschema import ValidationError

    if isinstance(value, str) and not re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), value):
        yield ValidationError("another form is expected")


def _properties(validator: Any, properties: Mapping[str, Any], value: Any, _schema: Any) -> Iterator[Any]:
    """As JSON Schema has it; an error of a key that is not allowed names the key, too."""
    from jsonschema import ValidationError

    if not isinstance(value, Mapping):
        return
    for name, part in properties.items():
        if name in value and part is False:
            yield ValidationError("not allowed", path=[name], schema=False)
        elif name in value:
            yield from validator.descend(value[name], part, path=name, schema_path=name)


def _is_integer(_: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
