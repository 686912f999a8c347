"""JSON from files and from git, read strictly: whatever is wrong with it is one error that names the place."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from pipeline.common.errors import GraftError

RESTORE = "git log -p shows who changed it; git checkout or git restore brings an earlier one back"
_CONFLICT = ("<<<<<<< ", "=======", ">>>>>>> ")


def parse(content: bytes, where: str, *, help: str = RESTORE) -> Any:
    """The value of a JSON text.

    Args:
        content: its bytes.
        where: a path, or REV:PATH.
        help: what to do where it cannot be read.

    Raises:
        GraftError: empty, not UTF-8, a merge conflict, not JSON, with a key twice, NaN or an infinity in it, nested
            too deeply, or with an integer of more digits than Python reads.
    """
    try:
        text = content.decode("utf-8")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise GraftError(f"{where}: not UTF-8 at byte {error.start}", help=help) from None
    except json.JSONDecodeError as error:
        raise GraftError(f"{where}:{error.lineno}: {_fault(text, error)}", help=help) from None
    except RecursionError:
        raise GraftError(f"{where}: not JSON that Graft reads: nested too deeply", help=help) from None
    except ValueError as error:  # a key twice, NaN, or digits without end
        raise GraftError(f"{where}: not JSON that Graft reads: {str(error).partition(';')[0]}", help=help) from None


def parse_object(content: bytes, where: str, *, help: str = RESTORE) -> dict[str, Any]:
    """The value of a JSON text that is an object. Raises as `parse`, and where it is something else."""
    value = parse(content, where, help=help)
    if not isinstance(value, dict):
        raise GraftError(f"{where}: {_KINDS[type(value)]} where an object is expected", help=help)
    return value


def at(document: Any, *keys: str, default: Any = None) -> Any:
    """What a path of keys leads to; the default where a key is absent or is no object's."""
    for key in keys:
        if not isinstance(document, Mapping) or key not in document:
            return default
        document = document[key]
    return document


def at_dotted(document: Any, key: str, default: Any = None) -> Any:
    """What a key with dots leads to, as `at`: gate.rules, say."""
    return at(document, *key.split("."), default=default)


def number(value: Any) -> float | None:
    """A value as a number; None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


_KINDS = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "null",
}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _fault(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "empty"
    line = text.split("\n")[error.lineno - 1]
    return f"not JSON: {'an unresolved merge conflict' if line.startswith(_CONFLICT) else error.msg}"
