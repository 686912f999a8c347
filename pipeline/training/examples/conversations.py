"""Conversations -> tokens, and which of them are answers to learn, as the chat template has it.

An answer is what the template writes between a prompt with its generation prompt and the end of the turn, that end
included: exactly what the model is to say at that point. A template's own {% generation %} marks count only where that
cannot be found: they often hold the header, or lack calls or the end.

Several answers share one sequence as long as a later prompt shows the earlier answers as they were given. Where a
template rewrites earlier turns (drops their thinking, say), the earlier answer becomes a sequence of its own, in the
form in which the model would give it.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from pipeline.common.errors import GraftError
from pipeline.data.records.records import Messages
from pipeline.model.chat import chat as chats
from pipeline.model.chat import template_check
from pipeline.model.chat.chat import Chat

MANY = 10  # problems named; the others are counted
NO_PROMPT = "the template writes nothing before the answer"
_MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")
_UNFIT = chats.UNFIT
_ASSISTANT = {"role": "assistant", "content": ""}
_PROBES = ("an answer", "the other one")  # they begin differently: what both share with a prompt is the template's


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """Messages, and which of them are learned."""

    place: str  # for messages to people, such as winter/raw/a.jsonl:3
    messages: Messages
    learned: Sequence[int]  # positions of the answers
    tools: str | None = None  # canonical JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """Token ids, and which of them are learned; as long as each other."""

    tokens: list[int]
    learned: list[bool]
    answers: tuple[int, ...] = ()  # positions of the messages that are learned


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    position: int  # of its message
    before: str  # all that stands before it
    body: str
    end: int  # the token that ends it
    end_text: str  # that token, as the template writes it; empty: it does not


def encode(chat: Chat, conversations: Sequence[Conversation]) -> list[list[Encoded]]:
    """The sequences of each conversation, in the order of their last answers; the end of the last ends a sequence.

    Raises:
        GraftError: the template cannot render conversations, or leaves out calls or tools; each named.
    """
    made: list[list[list[_Answer]]] = []
    problems: list[str] = []
    for conversation in conversations:
        try:
            made.append(_any_way(chat, conversation))
        except _UNFIT as error:
            problems.append(f"{conversation.place}: {error}")
    refuse(problems, len(conversations))
    found = _tokenised(chat, made)
    refuse(
        [
            f"{conversation.place}: {NO_PROMPT}"
            for conversation, sequences in zip(conversations, found, strict=True)
            if any(one.learned[0] for one in sequences)
        ],
        len(conversations),
    )
    return found


def prompts(chat: Chat, asked: Sequence[Conversation]) -> list[list[int]]:
    """Token ids of each conversation's messages, up to where the next answer begins.

    Raises:
        GraftError: the template cannot render prompts, leaves out messages, or writes nothing; each named.
    """
    texts: list[str] = []
    problems: list[str] = []
    known: set[tuple[str, ...]] = set()  # roles of messages that the template was seen to show
    for conversation in asked:
        try:
            texts.append(_prompt(chat, conversation, known))
        except _UNFIT as error:
            problems.append(f"{conversation.place}: {error}")
    refuse(problems, len(asked))
    found = chat.beginnings(texts)
    empty = [f"{conversation.place}: {NO_PROMPT}" for conversation, ids in zip(asked, found, strict=True) if not ids]
    refuse(empty, len(asked))
    return found


def _prompt(chat: Chat, asked: Conversation, known: set[tuple[str, ...]]) -> str:
    tools, messages = tools_of(asked.tools), chats.plain(asked.messages)
    try:
        text = _render(chat, messages, tools, prompt=True)
    except _UNFIT:
        if not any(message.get("tool_calls") for message in messages):
            raise
        messages = chats.plain(asked.messages, written=True)
        text = _render(chat, messages, tools, prompt=True)
    roles = tuple(message["role"] for message in messages)
    if roles not in known or not all((message["content"] or "").strip() in text for message in messages):
        _refuse_lost(template_check.left_out(partial(_render, chat, prompt=True), messages, tools))
        known.add(roles)
    return text


def refuse(problems: Sequence[str], among: int) -> None:
    """Raise where there are problems with what a template makes of conversations."""
    if problems:
        more = [f"and {len(problems) - MANY} more"] if len(problems) > MANY else []
        raise GraftError(
            f"train: the chat template cannot render {len(problems)} of {among} conversations",
            [*problems[:MANY], *more],
            help="train.chat_template names another one, such as chatml, which shows tools and calls",
        )


def _refuse_lost(lost: Sequence[str]) -> None:
    if lost:
        raise ValueError(f"the template leaves out {', '.join(lost)}")


def tools_of(tools: str | None) -> list[dict[str, Any]] | None:
    """Tools as a template expects them."""
    found: list[dict[str, Any]] | None = None if tools is None else json.loads(tools)
    return found


def _render(chat: Chat, messages: Sequence[Any], tools: Any, *, prompt: bool = False) -> str:
    text: str = chat.tokenizer.apply_chat_template(
        list(messages), tools=tools, tokenize=False, add_generation_prompt=prompt
    )
    return text


def _any_way(chat: Chat, conversation: Conversation) -> list[list[_Answer]]:
    """The sequences of a conversation; templates differ in what they take the arguments of a call for."""
    tools = tools_of(conversation.tools)
    try:
        return _located(chat, conversation, chats.plain(conversation.messages), tools)
    except _UNFIT:
        if not any(message.get("tool_calls") for message in conversation.messages):
            raise
        return _located(chat, conversation, chats.plain(conversation.messages, written=True), tools)


def _located(chat: Chat, conversation: Conversation, messages: list[Any], tools: Any) -> list[list[_Answer]]:
    """By the generation prompt, which says exactly where an answer begins; else by the template's own marks."""
    try:
        found = _sequences(chat, conversation.learned, messages, tools)
    except ValueError:
        found = _marked(chat, conversation.learned, messages, tools)
        if not found:
            raise
    _refuse_lost(template_check.left_out(partial(_render, chat), messages, tools))
    return found


def _sequences(chat: Chat, learned: Sequence[int], messages: list[Any], tools: Any) -> list[list[_Answer]]:
    """Answers, those that share a sequence together."""
    sequences: list[list[_Answer]] = []
    for position in reversed(learned):
        answer = _answer(chat, messages, position, tools)
        shared = next((one for one in sequences if _shares(answer, one)), None)
        if shared is None:
            sequences.append([answer])
        else:
            shared.insert(0, answer)
    return sequences[::-1]


def _shares(answer: _Answer, sequence: list[_Answer]) -> bool:
    """Whether a sequence shows an earlier answer and its end, where it was given."""
    return bool(answer.end_text) and sequence[-1].before.startswith(answer.before + answer.body + answer.end_text)


def _answer(chat: Chat, messages: list[Any], position: int, tools: Any) -> _Answer:
    before, message = messages[:position], messages[position]
    prompt, whole = _render(chat, before, tools, prompt=True), _render(chat, [*before, message], tools)
    start = len(prompt) if whole.startswith(prompt) else _header(chat, before, tools, prompt, whole)
    _check_shown(message, tools, whole[:start], whole[start:])
    body, end_text = _ended(chat, whole[start:])
    return _Answer(position=position, before=whole[:start], body=body, end=_end(chat, end_text), end_text=end_text)


def _end(chat: Chat, text: str) -> int:
    return int(chat.tokenizer.convert_tokens_to_ids(text)) if text else chat.end_of_turn


def _header(chat: Chat, before: list[Any], tools: Any, prompt: str, whole: str) -> int:
    """Where an answer begins that does not follow its generation prompt, as where that one opens a thought."""
    probes = [_render(chat, [*before, _ASSISTANT | {"content": probe}], tools) for probe in _PROBES]
    common = os.path.commonprefix([prompt, whole, *probes])  # noqa: RUF071  of characters
    if not before or before[-1]["content"].strip() not in common:
        raise ValueError("an answer does not follow its prompt")
    return len(common)


def _ended(chat: Chat, rest: str) -> tuple[str, str]:
    """An answer without its end, and its end as the template writes it."""
    if not chat.end_text:
        return rest.removesuffix(chat.closing), ""
    body, found, _ = rest.rpartition(chat.end_text)
    if found:
        return body, chat.end_text
    closed = rest.rstrip()  # calls may end in another way
    last = next((text for text in chat.tokenizer.all_special_tokens if closed.endswith(text)), "")
    return (closed.removesuffix(last), last) if last else (rest.removesuffix(chat.closing), "")


def _check_shown(message: dict[str, Any], tools: Any, before: str, after: str) -> None:
    """Raise where a template leaves out what it should show, or shows arguments as Python writes them."""
    if message["content"].split("</think>")[-1].strip() not in after:  # templates may take thinking out
        raise ValueError("the template leaves out what is answered")
    functions = [call["function"] for call in message.get("tool_calls", ())]
    if lost := sorted({function["name"] for function in functions if function["name"] not in after}):
        raise ValueError(f"the template leaves out calls of {', '.join(lost)}")
    if lost := sorted(name for name in (tool["function"]["name"] for tool in tools or ()) if name not in before):
        raise ValueError(f"the template leaves out the tools {', '.join(lost)}")
    objects = [function["arguments"] for function in functions if function["arguments"]]
    if any(not isinstance(value, str) and repr(value) in after for value in objects):
        raise ValueError("the template takes the arguments of calls for text")


def _marked(chat: Chat, learned: Sequence[int], messages: list[Any], tools: Any) -> list[list[_Answer]]:
    """By the template's own {% generation %} marks; nothing where it has none, or not one for each answer."""
    if not (chat.end_text and _MARKED.search(chat.template or "")):
        return []
    texts, spans = render_jinja_template(  # and not apply_chat_template's mask, which loses a last letter's bytes
        conversations=[messages],
        tools=tools,
        chat_template=chat.template,
        return_assistant_tokens_mask=True,
        **chat.tokenizer.special_tokens_map,
    )
    answers = [position for position, message in enumerate(messages) if message["role"] == "assistant"]
    if len(spans[0]) != len(answers):
        return []
    for position, (start, stop) in zip(answers, spans[0], strict=True):
        _check_shown(messages[position], tools, texts[0], texts[0][start:stop])
    found = zip(answers, spans[0], strict=True)
    return [[_span(chat, texts[0], span, position) for position, span in found if position in learned]]


def _span(chat: Chat, text: str, span: tuple[int, int], position: int) -> _Answer:
    """A marked answer, with the end of its turn, which a template may leave outside of the mark."""
    start, stop = span
    stop += len(chat.end_text) if text.startswith(chat.end_text, stop) else 0
    body, end_text = _ended(chat, text[start:stop])
    return _Answer(position=position, before=text[:start], body=body, end=_end(chat, end_text), end_text=end_text)


def _tokenised(chat: Chat, made: Sequence[list[list[_Answer]]]) -> list[list[Encoded]]:
    """Every piece of text as tokens, all in two calls."""
    pieces = [_pieces(sequence) for many in made for sequence in many]
    first = iter(chat.beginnings([texts[0] for texts in pieces]))
    rest = iter(chat.continuations([text for texts in pieces for text in texts[1:]]))
    return [[_joined(sequence, next(first), rest) for sequence in many] for many in made]


def _pieces(sequence: list[_Answer]) -> list[str]:
    """Text before the first answer, the first answer, what stands before the second, ..."""
    texts, known = [], 0
    for answer in sequence:
        texts += [answer.before[known:], answer.body]
        known = len(answer.before + answer.body + answer.end_text)
    return texts


def _joined(sequence: list[_Answer], before: list[int], rest: Iterator[list[int]]) -> Encoded:
    tokens: list[int] = []
    learned: list[bool] = []
    for number, answer in enumerate(sequence):
        before = next(rest) if number else before
        body = [*next(rest), answer.end]
        tokens += before + body
        learned += [False] * len(before) + [True] * len(body)
    return Encoded(tokens=tokens, learned=learned, answers=tuple(answer.position for answer in sequence))
