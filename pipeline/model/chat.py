"""Messages -> token ids by the base's own chat template: one way for training and for scoring."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from pipeline.data.records import Messages
from pipeline.errors import GraftError

_PROBE = "an answer"  # stands in a rendered conversation, to see what the template puts after it


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """A tokenizer with a chat template, and the token that ends an answer."""

    tokenizer: Any
    end_of_turn: int

    def prompts(self, prompts: Sequence[Messages]) -> list[list[int]]:
        """Token ids of each prompt, up to where the answer begins."""
        texts = [
            self.tokenizer.apply_chat_template(list(prompt), add_generation_prompt=True, tokenize=False)
            for prompt in prompts
        ]
        return self._ids(texts)

    def answers(self, answers: Sequence[str]) -> list[list[int]]:
        """Token ids of each answer, the end of the turn included: saying more is another answer."""
        return [[*ids, self.end_of_turn] for ids in self._ids(answers)]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        # The template writes special tokens itself; a second BOS would be one that serving never sees.
        ids: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
        return ids


def load(base: Path) -> Chat:
    """The tokenizer of a base.

    Raises:
        GraftError: it has no chat template, or none that ends an answer.
    """
    tokenizer = AutoTokenizer.from_pretrained(base)
    if tokenizer.chat_template is None:
        raise GraftError(f"{base}: the base has no chat template", help="choose an instruction-tuned base")
    return Chat(tokenizer=tokenizer, end_of_turn=_end_of_turn(tokenizer, base))


def keep_end(prompt: list[int], room: int) -> list[int]:
    """The last `room` tokens of a prompt: what stands next to the answer matters most."""
    return prompt[max(0, len(prompt) - room) :]


def _end_of_turn(tokenizer: Any, base: Path) -> int:
    """The first special token after an answer, as the template writes it; else the tokenizer's end of text."""
    conversation = [{"role": "user", "content": "a question"}, {"role": "assistant", "content": _PROBE}]
    closing = tokenizer.apply_chat_template(conversation, tokenize=False).rpartition(_PROBE)[2]
    special = set(tokenizer.get_added_vocab().values()) | set(tokenizer.all_special_ids)
    ends = [token for token in tokenizer(closing, add_special_tokens=False)["input_ids"] if token in special]
    if ends:
        return int(ends[0])
    if tokenizer.eos_token_id is None:
        raise GraftError(f"{base}: no token ends an answer", help="set eos_token in tokenizer_config.json")
    return int(tokenizer.eos_token_id)
