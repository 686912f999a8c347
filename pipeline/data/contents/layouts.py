"""Rows of instructions, conversations, preferences and texts, as examples.

alpaca: instruction, input, output, system, history. sharegpt and messages: a conversation, with tools. preference
and kto stand on either of them: what is asked is read the same way, in whichever layout it comes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.data.contents import calls, turns
from pipeline.data.contents.images import Images
from pipeline.data.contents.row_content import NUL, RowContent, Turn, UnusableError, plain_text, string
from pipeline.data.reading.filespec import FileSpec

Values = Mapping[str, Any]
_USUAL = {  # our name -> what it is called where a file's entry says nothing, the plainest first
    "instruction": ("instruction", "prompt"),
    "input": ("input", "query"),
    "output": ("output", "response", "completion"),
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "messages": ("messages", "conversations", "conversation"),
    "tools": ("tools", "functions"),
    "images": ("images", "image"),
    "chosen": ("chosen",),
    "rejected": ("rejected",),
    "desirable": ("kto_tag", "label", "desirable"),
}
_PARTS = {"role", "content"}  # of a message, not of a row
_TRUE, _FALSE = (True, 1, "true", "True", "1"), (False, 0, "false", "False", "0")


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How the rows of one file are read."""

    spec: FileSpec
    images: Images
    single: bool = False  # classification: one question, one answer, nothing else

    def value(self, values: Values, name: str) -> Any:
        """What a row says under one of our names; None for nothing."""
        if self.spec.keys.keys() - _PARTS:  # they name all columns that count
            return values.get(self.spec.keys[name]) if name in self.spec.keys else None
        return turns.first(values, _USUAL[name])

    @property
    def names(self) -> turns.Names:
        """What messages call their parts."""
        return turns.Names(self.spec.keys.get("role"), self.spec.keys.get("content"), self.spec.roles)


def row_reader(content: str) -> Callable[[Values, RowLayout], RowContent]:
    """The function that reads rows of a content."""
    return {"preference": _preference, "kto": _kto, "text": _text}.get(content, _answered)


def _text(values: Values, layout: RowLayout) -> RowContent:
    text = string(values, layout.spec.text or "text", "text")
    if "\0" in text:
        raise UnusableError(NUL)
    return RowContent(messages=[("text", text, None, None)])


def _answered(values: Values, layout: RowLayout) -> RowContent:
    return _example(layout, values, *_asked(values, layout, "output"))


def _preference(values: Values, layout: RowLayout) -> RowContent:
    asked, images = _asked(values, layout, None)
    sides = [_side(layout.value(values, name), name, layout, images) for name in ("chosen", "rejected")]
    if not asked or sides[0][0][0] != "assistant":  # both sides repeat it
        asked, sides = _shared(*sides)
    turns.check(asked, answered=False)
    turns.check([*asked, *sides[1]])
    if sides[0] == sides[1]:
        raise UnusableError("chosen and rejected are the same")
    return _example(layout, values, [*asked, *sides[0]], images, rejected=sides[1])


def _kto(values: Values, layout: RowLayout) -> RowContent:
    asked, images = _asked(values, layout, "output")
    label = layout.value(values, "desirable")
    if label is None or isinstance(label, list | dict) or label not in (*_TRUE, *_FALSE):
        raise UnusableError("no label" if label is None else "label is neither true nor false")
    return _example(layout, values, asked, images, desirable=label in _TRUE)


def _example(layout: RowLayout, values: Values, found: Sequence[Turn], images: list[str], **more: Any) -> RowContent:
    turns.check(found)
    if any("\0" in turn[1] for turn in (*found, *more.get("rejected", ()))):
        raise UnusableError(NUL)
    tools = calls.tools(layout.value(values, "tools"))
    if layout.single and ([turn[0] for turn in found] != ["user", "assistant"] or tools or found[-1][2]):
        raise UnusableError("not one question and one answer")
    return RowContent(
        messages=found, tools=tools, images=layout.images.found(layout.value(values, "images") or images), **more
    )


def _asked(values: Values, layout: RowLayout, answer: str | None) -> tuple[list[Turn], list[str]]:
    """System, turns, and the answer in its column, if there is one; and the images among them."""
    images: list[str] = []
    found: list[Turn] = []
    messages = layout.value(values, "messages")
    prompt = layout.value(values, "instruction")
    if messages is None and isinstance(prompt, list):  # TRL: a prompt of messages, an answer of messages
        found = turns.conversation(prompt, layout.names, images)
        said = layout.value(values, answer) if answer else None
        found += _side(said, "output", layout, images) if answer else []
    elif messages is not None:
        found = turns.conversation(messages, layout.names, images)
    else:
        found = _alpaca(values, layout, answer)
    system = layout.value(values, "system")
    if isinstance(system, str) and system.strip() and found:
        if found[0][0] == "system":
            raise UnusableError("two system messages")
        found = [("system", system, None, None), *found]
    return found, images


def _alpaca(values: Values, layout: RowLayout, answer: str | None) -> list[Turn]:
    parts = [plain_text(layout.value(values, name)) for name in ("instruction", "input")]
    if any(part is not None and not isinstance(part, str) for part in parts):
        raise UnusableError("instruction is not a string")
    prompt = "\n".join(part for part in parts if part)
    if not prompt.strip():
        if answer is None and parts == [None, None]:
            return []
        raise UnusableError("no instruction")
    found = [*_history(layout.value(values, "history")), ("user", prompt, None, None)]
    if answer is not None:
        found += _side(layout.value(values, answer), answer, layout, [])
    return found


def _history(value: Any) -> list[Turn]:
    if not value:
        return []
    if not isinstance(value, list) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
        for pair in value
    ):
        raise UnusableError("history is no list of pairs")
    roles = ("user", "assistant")
    return [(role, text, None, None) for pair in value for role, text in zip(roles, pair, strict=True)]


def _side(value: Any, name: str, layout: RowLayout, images: list[str]) -> list[Turn]:
    """An answer: a text or a number, a message, or messages."""
    value = plain_text(value)
    if value is None:
        raise UnusableError(f"no {name}")
    if isinstance(value, str):
        if not value.strip():
            raise UnusableError(f"empty {name}")
        return [("assistant", value, None, None)]
    if isinstance(value, Mapping):
        return [turns.message(value, layout.names, images)]
    return turns.conversation(value, layout.names, images)


def _shared(chosen: list[Turn], rejected: list[Turn]) -> tuple[list[Turn], list[list[Turn]]]:
    """What two conversations begin with, and how each goes on."""
    size = 0
    while size < min(len(chosen), len(rejected)) - 1 and chosen[size] == rejected[size]:
        size += 1
    while size and chosen[size - 1][0] == "assistant":  # where both answers begin alike
        size -= 1
    if not size:
        raise UnusableError("no prompt")
    return chosen[:size], [chosen[size:], rejected[size:]]
