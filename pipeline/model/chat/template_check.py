"""What a chat template leaves out of what it is given, found by marking it and looking for the marks.

A text that stands in the rendering may stand there for another reason, and a template may write it in another way
(trimmed, or as JSON). So every part is given a mark that nothing else holds: a part whose mark is not rendered is
left out.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

MARK = "Qx7"  # letters and digits: no template, and no JSON, writes them otherwise
Render = Callable[[list[Any], Any], str]  # messages, tools -> text


def left_out(render: Render, messages: Sequence[dict[str, Any]], tools: Any = None) -> list[str]:
    """What is not shown, in words; raises what the template raises.

    Args:
        render: renders messages and tools by the template.
        messages: as a template expects them.
        tools: as a template expects them, or None.
    """
    marks = _Marks(f"{list(messages)}{tools}")
    marked = [_message(message, number, marks) for number, message in enumerate(messages, 1)]
    named = [_tool(tool, marks) for tool in tools] if tools else tools
    text = render(marked, named)
    return list(dict.fromkeys(marks.lost(text)))


class _Marks:
    """Marks that stand in nothing that is said, and what each was put on."""

    def __init__(self, said: str) -> None:
        self._stem = MARK
        while self._stem in said:
            self._stem += MARK[-1]
        self._parts: list[str] = []

    def new(self, part: str) -> str:
        """A mark for a part, which is told of in these words when it is lost."""
        self._parts.append(part)
        return self._mark(len(self._parts))

    def lost(self, text: str) -> Iterator[str]:
        """The parts whose marks a text does not hold."""
        yield from (part for number, part in enumerate(self._parts, 1) if self._mark(number) not in text)

    def _mark(self, number: int) -> str:
        return f"{self._stem}n{number}n"


def _message(message: dict[str, Any], number: int, marks: _Marks) -> dict[str, Any]:
    made = dict(message)
    words = f"message {number}, of {message['role']}"
    if message["content"].split("</think>")[-1].strip():
        made["content"] = f"{message['content'].rstrip()}{marks.new(words)}"
        if message["role"] != "assistant":  # an answer may begin with a thought, which templates take out
            made["content"] = f"{marks.new(words)}{made['content'].lstrip()}"
    if message.get("tool_calls"):
        made["tool_calls"] = [call | {"function": _call(call["function"], marks)} for call in message["tool_calls"]]
    return made


def _call(function: dict[str, Any], marks: _Marks) -> dict[str, Any]:
    name = function["name"]
    return function | {
        "name": name + marks.new(f"calls of {name}"),
        "arguments": _arguments(function["arguments"], marks, f"the arguments of calls of {name}"),
    }


def _arguments(value: Any, marks: _Marks, words: str) -> Any:
    """Arguments with one more, as an object or as JSON text; where there are none, none."""
    known = _parsed(value)
    if not known:
        return value
    if not isinstance(known, dict):
        return marks.new(words)
    more = known | {marks.new(words): marks.new(words)}
    return json.dumps(more, ensure_ascii=False) if isinstance(value, str) else more


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _tool(tool: dict[str, Any], marks: _Marks) -> dict[str, Any]:
    function = tool["function"]
    name = function["name"]
    return tool | {"function": function | {"name": name + marks.new(f"the tool {name}")}}
