"""JSON Schema checks that name every problem of a file at once."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import files

SCHEMAS = Path(__file__).parent.parent / "schemas"


def problems(value: Any, name: str, line_of: Callable[[list[Any]], int | None] | None = None) -> list[str]:
    """Every way in which `value` breaks `schemas/NAME.schema.json`, empty when it is valid.

    Args:
        value: parsed JSON or YAML.
        name: the schema's name, such as "params".
        line_of: finds the line of a key path in the file, for the messages.

    Returns:
        Lines such as "line 12: $.gate: Additional properties are not allowed ('x' was unexpected)".
    """
    errors = sorted(_validator(name).iter_errors(value), key=lambda error: [str(key) for key in error.absolute_path])
    found = []
    for error in errors:
        line = line_of(list(error.absolute_path)) if line_of else None
        found.append((f"line {line}: " if line else "") + f"{error.json_path}: {error.message}")
    return found


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator, validators  # 0.15 s: only when something is checked

    # JSON Schema takes 1.0 for an integer, and no bound stops NaN; range() and a gate do neither.
    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    extend: Any = validators.extend
    strict = extend(Draft202012Validator, type_checker=types)
    return strict(files.read_json(SCHEMAS / f"{name}.schema.json"))


def _is_integer(_: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
