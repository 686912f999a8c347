"""The training loop: records -> examples -> batches by length -> steps, all in an order that repeats."""

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from pipeline.data.records import Record
from pipeline.errors import GraftError
from pipeline.model.chat import Chat, keep_end
from pipeline.model.weights import left_padded

# Shape legend: B = batch, T = tokens, A = tokens of the longest answer, V = vocabulary.

POOL = 50  # batches that are grouped by length together: the larger, the less padding and the less mixing
MAX_GRAD_NORM = 1.0  # one odd batch must not undo what the parent knew
IGNORE = -100  # cross_entropy skips this target
REPORTS = 20  # progress lines of a training, at least
SILENCE = 15.0  # seconds without one, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One record as the model sees it."""

    id: str
    tokens: list[int]  # prompt, answer, end of turn
    answer: int  # how many of them, at the end, are learned
    truncated: bool  # the prompt lost its beginning
    weight: float = 1.0  # how often it is drawn in an epoch, on average


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """How long and how fast; learning_rate is the peak, after `rewarm`."""

    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    warmup_share: float


def encode(chat: Chat, records: Sequence[Record], max_length: int) -> list[Example]:
    """Token ids of every record, at most `max_length` of them; an answer is always whole.

    Raises:
        GraftError: answers that leave no room for a prompt, each named.
    """
    prompts = chat.prompts([record.prompt for record in records])
    answers = chat.answers([record.answer for record in records])
    too_long = [
        f"{record.increment}/{record.file}:{record.line}: {len(answer)} tokens"
        for record, answer in zip(records, answers, strict=True)
        if len(answer) >= max_length
    ]
    if too_long:
        raise GraftError("train: answers fill train.max_length", too_long, help="raise train.max_length")
    return [
        Example(
            id=record.id,
            tokens=keep_end(prompt, max_length - len(answer)) + answer,
            answer=len(answer),
            truncated=len(prompt) + len(answer) > max_length,
            weight=1.0 if record.weight is None else record.weight,
        )
        for record, prompt, answer in zip(records, prompts, answers, strict=True)
    ]


def batches(examples: Sequence[Example], size: int, seed: int, epoch: int) -> list[list[Example]]:
    """One epoch: shuffled by hash, grouped by length within pools, the groups shuffled again.

    The order follows from ids, seed and epoch alone, never from the order that the examples came in.
    """
    shuffled = sorted(drawn(examples, seed, epoch), key=lambda example: _draw(seed, epoch, example.id))
    pools = [shuffled[start : start + POOL * size] for start in range(0, len(shuffled), POOL * size)]
    grouped = [sorted(pool, key=lambda example: len(example.tokens)) for pool in pools]
    cut = [pool[start : start + size] for pool in grouped for start in range(0, len(pool), size)]
    return sorted(cut, key=lambda batch: _draw(seed, epoch, batch[0].id))


def drawn(examples: Sequence[Example], seed: int, epoch: int) -> list[Example]:
    """Each example as often as its weight says: 2.3 is twice, and a third time in 3 of 10 epochs."""
    return [example for example in examples for _ in range(_times(example, seed, epoch))]


def rate(step: int, steps: int, schedule: Schedule) -> float:
    """Learning rate of a step (from 1): linear warm-up to the peak, then a cosine to nearly zero."""
    warmup = math.ceil(schedule.warmup_share * steps)
    if step <= warmup:
        return schedule.learning_rate * step / warmup
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - 1 - warmup) / (steps - warmup)))


def fit(adapted: Any, examples: Sequence[Example], schedule: Schedule) -> list[tuple[float, float]]:
    """Train in place and print the progress; returns each step's loss (nats per answer token) and learning rate.

    Raises:
        GraftError: no parameter is trainable; or the loss is not finite any more, with step and record ids.
    """
    parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    if not parameters:  # PEFT loads a saved adapter frozen unless told otherwise
        raise GraftError("train: no parameter is trainable", help="see train.targets in params.yaml")
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.0, fused=True)
    steps = count_steps(examples, schedule)
    curve: list[tuple[float, float]] = []
    started = reported = time.monotonic()
    adapted.train()
    torch.manual_seed(schedule.seed)  # dropout must not depend on how the adapter was made
    for step, batch in enumerate(_epochs(examples, schedule), start=1):
        optimizer.param_groups[0]["lr"] = learning_rate = rate(step, steps, schedule)
        loss = answer_loss(adapted, batch)
        curve.append((loss.item(), learning_rate))
        _check(step, batch, *curve[-1])
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()
        now = time.monotonic()
        if step % max(1, steps // REPORTS) == 0 or step == steps or now - reported > SILENCE:
            _report(step, steps, *curve[-1], seconds=now - started)
            reported = now
    return curve


def count_steps(examples: Sequence[Example], schedule: Schedule) -> int:
    """Optimiser steps of a whole training."""
    sizes = (len(drawn(examples, schedule.seed, epoch)) for epoch in range(schedule.epochs))
    return sum(math.ceil(size / schedule.batch_size) for size in sizes)


def answer_loss(adapted: Any, batch: Sequence[Example]) -> torch.Tensor:
    """Mean cross-entropy of the answers' tokens, nats; logits are computed at their positions only."""
    device = next(adapted.parameters()).device
    inputs = left_padded([example.tokens for example in batch], device)
    longest = max(example.answer for example in batch)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits_BAV = adapted(**inputs, use_cache=False, logits_to_keep=longest + 1).logits[:, :-1]
    answers_B1 = torch.tensor([[example.answer] for example in batch], device=device)
    before_answer_BA = torch.arange(longest, 0, -1, device=device) > answers_B1
    targets_BA = inputs["input_ids"][:, -longest:].masked_fill(before_answer_BA, IGNORE)
    return cross_entropy(logits_BAV.flatten(0, 1).float(), targets_BA.flatten(), ignore_index=IGNORE)


def _epochs(examples: Sequence[Example], schedule: Schedule) -> Iterator[list[Example]]:
    for epoch in range(schedule.epochs):
        yield from batches(examples, schedule.batch_size, schedule.seed, epoch)


def _times(example: Example, seed: int, epoch: int) -> int:
    whole = int(example.weight)
    chance = int.from_bytes(_draw(seed, epoch, f"weight {example.id}")[:8], "big") / 2**64
    return whole + (chance < example.weight - whole)


def _draw(seed: int, epoch: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{epoch}/{name}".encode()).digest()


def _check(step: int, batch: Sequence[Example], loss: float, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise GraftError(
            f"train: step {step}: the loss is {loss}, at learning rate {learning_rate:.3g}",
            [f"record {example.id}" for example in batch],
            help="lower train.learning_rate, or look at these records",
        )


def _report(step: int, steps: int, loss: float, learning_rate: float, *, seconds: float) -> None:
    left = seconds / step * (steps - step)
    print(
        f"train: step {step}/{steps}  loss {loss:.4f}  learning rate {learning_rate:.2e}  {left:.0f} s left",
        flush=True,
    )
