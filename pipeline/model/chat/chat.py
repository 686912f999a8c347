"""Messages -> token ids by the chat template, the base's own or another: one way for training and for scoring."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from transformers import AutoTokenizer

from pipeline.common.errors import GraftError
from pipeline.data.records.records import Message, Messages
from pipeline.model.chat import templates

# What a template raises on messages that it does not fit: its own errors, and Python's of what it computes.
UNFIT = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_ENDS = ("<|endoftext|>", "<|end_of_text|>")  # of Qwen, GPT-2, Phi, OLMo; of Llama 3
_ANCHOR = "\n"  # before a text that no blank begins
_PROBE = "an answer"  # stands in a rendered conversation, to see what the template puts after it


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """A tokenizer with a chat template, and the token that ends an answer."""

    folder: Path  # of the base
    tokenizer: Any
    end_of_turn: int
    closing: str = ""  # what the template writes after an answer
    end_text: str = ""  # the end of a turn, as it stands in `closing`; empty: the template writes none

    @property
    def template(self) -> str | None:
        """The chat template, where there is one."""
        found: str | None = self.tokenizer.chat_template
        return found

    def prompts(self, prompts: Sequence[Messages]) -> list[list[int]]:
        """Token ids of each prompt, up to where the answer begins."""
        texts = [
            self.tokenizer.apply_chat_template(list(prompt), add_generation_prompt=True, tokenize=False)
            for prompt in prompts
        ]
        return self._ids(texts)

    def beginnings_of(self, prompts: Sequence[Messages]) -> list[list[int]]:
        """Token ids of prompts of any kind; of a text, or where there is no template, of what the last message says."""
        return [
            self.prompts([plain(prompt)])[0]
            if self.template is not None and prompt[-1]["role"] != "text"
            else self.documents([str(prompt[-1]["content"])])[0]
            for prompt in prompts
        ]

    def answers(self, answers: Sequence[str]) -> list[list[int]]:
        """Token ids of each answer, the end of the turn included: saying more is another answer."""
        return [[*ids, self.end_of_turn] for ids in self._ids(answers)]

    def beginnings(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts that a sequence begins with."""
        return self._ids(texts)

    def continuations(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts that stand after others, without the mark that some tokenizers put at a beginning."""
        whole, first, second = self._ids(["a\n" + _PROBE, "a\n", _PROBE])
        if whole == first + second:
            return self._ids(texts)
        known = len(self._ids([_ANCHOR])[0])
        return [ids[known:] for ids in self._ids([_ANCHOR + text for text in texts])]

    def documents(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of plain texts, begun as the tokenizer begins a text, the end of text included."""
        end = end_of_text(self.tokenizer)
        ids: list[list[int]] = self.tokenizer(list(texts), verbose=False)["input_ids"] if texts else []
        return [one if one[-1:] == [end] else [*one, end] for one in ids]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        # The template writes special tokens itself; a second BOS would be one that serving never sees.
        found = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"] if texts else []
        ids: list[list[int]] = found
        return ids


def load(base: Path, template: str | None = None, *, needed: bool = True) -> Chat:
    """The tokenizer of a base.

    Args:
        base: its folder.
        template: Jinja text in place of the base's own chat template; see pipeline.model.chat.templates.
        needed: whether there must be a template; plain text needs none.

    Raises:
        GraftError: it has no chat template, or none that ends an answer.
    """
    tokenizer = AutoTokenizer.from_pretrained(base)
    if template is not None:
        tokenizer.chat_template = template
    if tokenizer.chat_template is not None:
        return _with_ends(tokenizer, base)
    if needed:
        raise templates.missing(base)
    return Chat(folder=base, tokenizer=tokenizer, end_of_turn=_end_of_text(tokenizer, base))


def plain(messages: Messages, *, written: bool = False) -> list[dict[str, Any]]:
    """Messages as a template expects them: calls as objects, no weights.

    Args:
        messages: canonical.
        written: arguments of calls as JSON text, which some templates expect, in place of objects.
    """
    return [_plain(message, written) for message in messages]


def end_of_text(tokenizer: Any) -> int:
    """The token after a document: of an instruction-tuned base, eos_token may be the end of a turn instead."""
    known = tokenizer.get_vocab()
    return next((int(known[name]) for name in _ENDS if name in known), int(tokenizer.eos_token_id))


def keep_end(prompt: list[int], room: int) -> list[int]:
    """The last `room` tokens of a prompt: what stands next to the answer matters most."""
    return prompt[max(0, len(prompt) - room) :]


def _with_ends(tokenizer: Any, base: Path) -> Chat:
    """The first special token after an answer, as the template writes it; else the tokenizer's end of text."""
    conversation = [{"role": "user", "content": "a question"}, {"role": "assistant", "content": _PROBE}]
    try:
        closing = tokenizer.apply_chat_template(conversation, tokenize=False).rpartition(_PROBE)[2]
    except UNFIT as error:
        raise GraftError(
            f"{base}: the chat template cannot render a question and its answer: {error}",
            help="train.chat_template names another one, such as chatml",
        ) from None
    special = set(tokenizer.get_added_vocab().values()) | set(tokenizer.all_special_ids)
    ends = [token for token in tokenizer(closing, add_special_tokens=False)["input_ids"] if token in special]
    if not ends:
        return Chat(folder=base, tokenizer=tokenizer, end_of_turn=_end_of_text(tokenizer, base), closing=closing)
    text = tokenizer.convert_ids_to_tokens(int(ends[0]))
    return Chat(folder=base, tokenizer=tokenizer, end_of_turn=int(ends[0]), closing=closing, end_text=text)


def _end_of_text(tokenizer: Any, base: Path) -> int:
    if tokenizer.eos_token_id is None:
        raise GraftError(f"{base}: no token ends an answer", help="set eos_token in tokenizer_config.json")
    return int(tokenizer.eos_token_id)


def _plain(message: Message, written: bool) -> dict[str, Any]:
    made = {"role": message["role"], "content": message["content"]}
    if not message.get("tool_calls"):
        return made
    calls = json.loads(message["tool_calls"])
    for call in calls:
        call["function"]["arguments"] = _arguments(call["function"]["arguments"], written)
    return made | {"tool_calls": calls}


def _arguments(value: Any, written: bool) -> Any:
    return json.dumps(value, ensure_ascii=False) if written else value
