"""The training loop: batches -> steps, all in an order that repeats."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.errors import GraftError
from pipeline.training import batches, losses, rates
from pipeline.training.examples import Example
from pipeline.training.methods import Trainable
from pipeline.training.settings import Params

REPORTS = 20  # progress lines of a training, at least
SILENCE = 15.0  # seconds without one, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one optimiser step was like."""

    loss: float  # nats per learned token, mean of the batch
    learning_rate: float
    gradient_norm: float  # before clipping


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """What is minimised: the sum of `loss` over a batch's parts, divided by `count` of the batch."""

    count: Callable[[Sequence[Example]], int]
    loss: Callable[[Any, Sequence[Example]], torch.Tensor]


ANSWERS = Objective(count=losses.count, loss=losses.answer_loss)


def fit(
    made: Trainable, examples: Sequence[Example], asked: Params, *, peak: float, objective: Objective = ANSWERS
) -> list[Step]:
    """Train in place and print the progress.

    Args:
        made: the model, and what of it is trained.
        examples: what to learn.
        asked: section `train`.
        peak: learning rate, after `rewarm`.
        objective: what a step minimises.

    Raises:
        GraftError: no parameter is trainable; or the loss is not finite any more, with step and record ids.
    """
    parameters = [parameter for group in made.groups for parameter in group["params"]]
    if not parameters:  # PEFT loads a saved adapter frozen unless told otherwise
        raise GraftError("train: no parameter is trainable", help="see train.targets in params.yaml")
    optimizer = torch.optim.AdamW(made.groups, lr=peak, weight_decay=asked.weight_decay, fused=True)
    order = {"size": asked.batch_size, "seed": asked.seed, "count": asked.epochs}
    steps = batches.count_steps(examples, **order)
    warmup = rates.warmup(asked, steps)
    curve: list[Step] = []
    started = reported = time.monotonic()
    made.model.train()
    torch.manual_seed(asked.seed)  # dropout must not depend on how the adapter was made
    for step, batch in enumerate(batches.epochs(examples, **order), start=1):
        learning_rate = peak * rates.share(step, steps, warmup)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group["share"]
        loss = _backward(made.model, batch, objective, asked.machine.micro_batch)
        _check(step, batch, loss, learning_rate)
        norm = torch.nn.utils.clip_grad_norm_(parameters, asked.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        curve.append(Step(loss=loss, learning_rate=learning_rate, gradient_norm=norm.item()))
        now = time.monotonic()
        if step % max(1, steps // REPORTS) == 0 or step == steps or now - reported > SILENCE:
            _report(step, steps, curve[-1], seconds=now - started)
            reported = now
    return curve


def _backward(model: Any, batch: Sequence[Example], objective: Objective, micro_batch: int | None) -> float:
    """Gradients of the batch's mean loss, however it is divided; returns that loss."""
    count = objective.count(batch)
    total = 0.0
    for part in batches.micro(batch, micro_batch):
        loss = objective.loss(model, part) / count
        torch.autograd.backward(loss)
        total += loss.item()
    return total


def _check(step: int, batch: Sequence[Example], loss: float, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise GraftError(
            f"train: step {step}: the loss is {loss}, at learning rate {learning_rate:.3g}",
            [f"record {example.id}" for example in batch],
            help="lower train.learning_rate, or look at these records",
        )


def _report(step: int, steps: int, done: Step, *, seconds: float) -> None:
    left = seconds / step * (steps - step)
    print(
        f"train: step {step}/{steps}  loss {done.loss:.4f}  learning rate {done.learning_rate:.2e}  {left:.0f} s left",
        flush=True,
    )
