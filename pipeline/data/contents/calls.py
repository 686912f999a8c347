"""Tools and calls of them, in one canonical form: OpenAI's, without ids, arguments as objects."""

from typing import Any

import orjson

from pipeline.data.contents.row_content import UnusableError

NO_CALL, NO_TOOLS = "a tool call is not JSON", "the tools are not JSON"


def canonical(value: Any, reason: str) -> str:
    """JSON text with sorted keys and no blanks.

    Raises:
        UnusableError: it nests too deeply.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()
    except TypeError:
        raise UnusableError(reason) from None


def tools(value: Any) -> str | None:
    """The list of tools that a row offers, as canonical JSON; None for none.

    Raises:
        UnusableError: it is no list of tools, each with a name.
    """
    value = loaded(value, NO_TOOLS)
    if not value:
        return None
    found = value if isinstance(value, list) else [value]
    wrapped = [tool if isinstance(tool, dict) and "function" in tool else {"function": tool} for tool in found]
    for tool in wrapped:
        if not isinstance(tool["function"], dict) or not isinstance(tool["function"].get("name"), str):
            raise UnusableError("a tool has no name")
    return canonical([{"type": "function", "function": tool["function"]} for tool in wrapped], NO_TOOLS)


def calls(value: Any) -> str | None:
    """Calls that an answer makes, as canonical JSON; None for none.

    Args:
        value: a list, one call, or either as JSON text; a call has name and arguments, perhaps below "function".

    Raises:
        UnusableError: it is not that.
    """
    value = loaded(value, NO_CALL)
    if not value:
        return None
    return canonical([_call(one) for one in (value if isinstance(value, list) else [value])], NO_CALL)


def _call(value: Any) -> dict[str, Any]:
    function = (value.get("function") or value) if isinstance(value, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise UnusableError("a tool call has no name")
    arguments = function.get("arguments", function.get("parameters"))
    arguments = loaded(arguments, "a tool call's arguments are not JSON")
    return {
        "type": "function",
        "function": {"name": function["name"], "arguments": {} if arguments is None else arguments},
    }


def loaded(value: Any, reason: str) -> Any:
    """What JSON text says; any other value as it is; blank text says nothing."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value) if value.strip() else None
    except orjson.JSONDecodeError:
        raise UnusableError(reason) from None
