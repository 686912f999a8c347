"""Conversations: messages of either layout, in order, ending with an answer.

sharegpt says {"from": "human", "value": ...}, OpenAI {"role": "user", "content": ...}; content may come in parts.
What does not alternate is rejected and never mended: as in LLaMA-Factory, which drops such rows, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.data.contents import calls
from pipeline.data.contents.row_content import Turn, UnusableError

CALL = "function_call"  # sharegpt: an answer that is a call of a tool
ROLES = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model", "bot", "ai"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response", "ipython"), "tool"),
    **dict.fromkeys((CALL, "tool_call"), CALL),
}
_FOLLOWS = {  # role -> what it may come after
    "user": ("", "system", "assistant"),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
    "system": ("",),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What a file calls things; None: whichever of the usual names a message has."""

    role: str | None
    content: str | None
    roles: Mapping[str, str]  # the file's name of a role -> ours


def conversation(value: Any, names: Names, images: list[str]) -> list[Turn]:
    """Messages of a row; paths of the images among their parts are added to `images`.

    Raises:
        UnusableError: it is no list of messages.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise UnusableError("no messages")
    return [message(one, names, images) for one in value]


def message(value: Any, names: Names, images: list[str]) -> Turn:
    """One message.

    Raises:
        UnusableError: it is none.
    """
    if not isinstance(value, Mapping):
        raise UnusableError("a message is no object")
    named = first(value, (names.role,) if names.role else ("role", "from"))
    role = names.roles.get(named) or ROLES.get(named) if isinstance(named, str) else None
    if role is None:
        raise UnusableError("unknown role")
    said = first(value, (names.content,) if names.content else ("content", "value"))
    made = calls.calls(value.get("tool_calls") or _legacy(value))
    if role == CALL:
        role, said, made = "assistant", "", calls.calls(said)
        if made is None:
            raise UnusableError(calls.NO_CALL)
    text, within = _text(said, role, images)
    made = made or within
    if not text.strip() and made is None:
        raise UnusableError("empty message")
    if made is not None and role != "assistant":
        raise UnusableError("a tool call of no assistant")
    return role, text, made, _weight(first(value, ("weight", "loss_weight")), role)


def check(turns: Sequence[Turn], *, answered: bool = True) -> None:
    """Refuse turns that do not follow each other as in a conversation.

    Args:
        turns: system, if any, then user and assistant in turn, with tools' results after an assistant.
        answered: whether the last one must be an assistant's, or else must await one.

    Raises:
        UnusableError: says what is out of order.
    """
    before = ""
    for role, _, _, _ in turns:
        if before not in _FOLLOWS[role]:
            if role == "system":
                raise UnusableError("a system message is not the first")
            raise UnusableError(
                "does not begin with the user" if before in ("", "system") else "turns do not alternate"
            )
        before = role
    if answered and before != "assistant":
        raise UnusableError("does not end with an answer")
    if not answered and before not in ("user", "tool"):
        raise UnusableError("does not end with a question")


def first(value: Mapping[str, Any], names: Iterable[str]) -> Any:
    """What a mapping says under the first name that it has; null says nothing."""
    return next((value[name] for name in names if value.get(name) is not None), None)


def _legacy(value: Mapping[str, Any]) -> Any:
    call = value.get("function_call")  # OpenAI's first form, one call
    return [call] if call else None


def _text(value: Any, role: str, images: list[str]) -> tuple[str, str | None]:
    """The text of a content and the calls in it."""
    if value is None:
        return "", None
    if isinstance(value, str):
        return value, None
    if role == "tool" and not _is_parts(value):
        return calls.canonical(value, "a tool's result is not JSON"), None
    if not isinstance(value, Sequence):
        raise UnusableError("content is not a string")
    made: list[Any] = []
    text = "".join(_part(part, made, images) for part in value)
    return text, calls.calls(made)


def _is_parts(value: Any) -> bool:
    return isinstance(value, Sequence) and all(isinstance(part, Mapping) and "type" in part for part in value)


def _part(part: Any, made: list[Any], images: list[str]) -> str:
    """Text of a part; of an image the mark <image>, where it stands."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind is None:
        raise UnusableError("content is not a string")
    value = first(part, ("text", "value", kind, "url", "path"))
    if kind in ("text", "input_text", "output_text") and isinstance(value, str):
        return value
    if kind in ("tool_call", "function_call"):
        found = calls.loaded(value, calls.NO_CALL)
        made.extend(found if isinstance(found, list) else [found])
        return ""
    if kind in ("image", "image_url", "input_image"):
        value = first(value, ("url", "path")) if isinstance(value, Mapping) else value
        if isinstance(value, str):
            images.append(value)
            return "<image>"
    raise UnusableError("unknown kind of content")


def _weight(value: Any, role: str) -> float | None:
    """The weight of a message's loss, where it is not what it would be anyway."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UnusableError("weight is not between 0 and 1")
    return None if value == (1 if role == "assistant" else 0) else float(value)
