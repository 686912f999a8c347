"""Answers that a model generates, greedily: what it would say, to be compared with what people wrote."""

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.common.errors import GraftError
from pipeline.data.records.records import Record
from pipeline.model.chat.chat import Chat, keep_end
from pipeline.model.weights.weights import left_padded
from pipeline.training.examples import encoding

TOKENS = 8192  # of a batch, answers included: bounds the memory of keys and values


def answerable(record: Record) -> bool:
    """Whether a record has an answer in words to compare with: no call of a tool, no part that is not learned."""
    if record.kind != "sft" or len(record.messages) < 2:
        return False
    last = record.messages[-1]
    return last["role"] == "assistant" and not last.get("tool_calls") and last.get("weight") != 0


def generate(
    model: Any, chat: Chat, records: Sequence[Record], *, max_length: int, max_new_tokens: int, size: int
) -> list[dict[str, Any]]:
    """What the model answers to each record's messages but the last.

    Args:
        model: causal language model, in evaluation mode.
        chat: renders the prompts.
        records: answerable ones.
        max_length: tokens of a prompt; of a longer one the end is kept.
        max_new_tokens: of an answer.
        size: prompts computed at a time, at most.

    Returns:
        text; unfinished: max_new_tokens came before the end; truncated: the prompt was cut. In the order given.

    Raises:
        GraftError: the base's context has no room for an answer so long.
    """
    room = room_for(model, max_length, max_new_tokens) if records else 0
    prompts = encoding.prompts(chat, records)
    order = sorted(range(len(prompts)), key=lambda index: min(room, len(prompts[index])))  # little padding
    found: list[dict[str, Any]] = [{}] * len(prompts)
    while order:
        longest = min(room, len(prompts[order[-1]])) + max_new_tokens
        many = max(1, min(size, TOKENS // longest))
        batch, order = order[-many:], order[:-many]
        cut = [keep_end(prompts[index], room) for index in batch]
        for index, made in zip(batch, _answers(model, chat, cut, max_new_tokens), strict=True):
            found[index] = made | {"truncated": len(prompts[index]) > room}
    return found


def room_for(model: Any, max_length: int, max_new_tokens: int) -> int:
    """Tokens of a prompt that leave room for an answer.

    Args:
        model: causal language model.
        max_length: tokens of a prompt, at most.
        max_new_tokens: of an answer.

    Raises:
        GraftError: the base's context has no room for an answer so long.
    """
    context = getattr(model.config, "max_position_embeddings", None)
    room = min(max_length, context - max_new_tokens) if context else max_length
    if room < 1:
        raise GraftError(
            f"evaluate.max_new_tokens: {max_new_tokens} leave no room for a prompt in the base's context of {context}",
            help="lower evaluate.max_new_tokens; 0: no answer is generated",
        )
    return room


def end_tokens(model: Any, chat: Chat) -> list[int]:
    """The tokens that end an answer."""
    return sorted({chat.end_of_turn, *_ids(model.generation_config.eos_token_id)})


@torch.inference_mode()
def _answers(model: Any, chat: Chat, prompts: Sequence[list[int]], many: int) -> list[dict[str, Any]]:
    batch = left_padded(prompts, next(model.parameters()).device)
    ends = end_tokens(model, chat)
    made_BT = model.generate(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        max_new_tokens=many,
        do_sample=False,
        num_beams=1,
        temperature=None,
        top_p=None,
        top_k=None,
        eos_token_id=ends,
        pad_token_id=ends[0],
    )
    return [_answer(chat, row, ends) for row in made_BT[:, batch["input_ids"].shape[1] :].tolist()]


def _answer(chat: Chat, tokens: list[int], ends: Sequence[int]) -> dict[str, Any]:
    stop = next((place for place, token in enumerate(tokens) if token in ends), None)
    text = chat.tokenizer.decode(tokens[:stop], skip_special_tokens=True)
    return {"text": text, "unfinished": stop is None}


def _ids(value: Any) -> list[int]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]
