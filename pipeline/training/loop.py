"""The training loop: batches -> steps, all in an order that repeats, whatever interrupts it."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import torch

from pipeline.common.errors import GraftError
from pipeline.training import batches, rates, validation
from pipeline.training.checkpoints import snapshot
from pipeline.training.checkpoints.checkpoint import SavedRun
from pipeline.training.checkpoints.save_policy import Keeper
from pipeline.training.examples.example import Example
from pipeline.training.losses import losses
from pipeline.training.machine import memory
from pipeline.training.machine.memory import Micro
from pipeline.training.machine.processes import ALONE, Group
from pipeline.training.methods.methods import Trainable
from pipeline.training.parent.pull import Hold
from pipeline.training.settings import Machine, TrainSettings
from pipeline.training.steps import Step
from pipeline.training.validation import HeldOut
from pipeline.training.watch import callbacks, stop, watch


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """What is minimised: the sum of `loss` over a batch's parts, divided by `count` of the batch."""

    count: Callable[[Sequence[Example]], int]
    loss: Callable[[Any, Sequence[Example]], torch.Tensor]


ANSWERS = Objective(count=losses.count, loss=losses.answer_loss)


@dataclass(kw_only=True, slots=True)
class Run:
    """A training under way, and all that a checkpoint has to bring back of it."""

    made: Trainable
    objective: Objective
    asked: TrainSettings
    optimizer: torch.optim.Optimizer
    micro: Micro
    held: HeldOut | None
    hold: Hold | None
    steps: list[Step]
    group: Group

    @property
    def parameters(self) -> list[torch.Tensor]:
        """What is trained, in the order of the groups."""
        return trained(self.made)

    @property
    def pulled(self) -> Objective:
        """The objective with what pulls to the parent."""
        if self.hold is None:
            return self.objective
        return replace(self.objective, loss=partial(self.hold.loss, loss=self.objective.loss))

    def saved(self) -> SavedRun:
        """For a checkpoint."""
        tensors = snapshot.tensors(self.parameters, self.optimizer) | {"curve": snapshot.curve(self.steps)}
        for kept in (self.held, self.hold):
            tensors |= kept.tensors() if kept else {}
        return SavedRun(step=len(self.steps), tensors=tensors, plain={"micro_batch": self.micro.size})

    def go_on_from(self, saved: SavedRun) -> None:
        """Undo `saved`."""
        snapshot.put_back(saved.tensors, self.parameters, self.optimizer)
        self.steps = snapshot.steps(saved.tensors["curve"])
        self.micro.size = saved.plain["micro_batch"]
        for kept in (self.held, self.hold):
            if kept:
                kept.restore(saved.tensors)
        print(f"train: goes on after step {saved.step}, from a checkpoint", flush=True)


def fit(
    made: Trainable,
    examples: Sequence[Example],
    asked: TrainSettings,
    *,
    peak: float,
    objective: Objective = ANSWERS,
    continued: bool = False,
    held: HeldOut | None = None,
    hold: Hold | None = None,
    keeper: Keeper | None = None,
    micro: Micro | None = None,
    group: Group = ALONE,
) -> list[Step]:
    """Train in place and print the progress.

    Args:
        made: the model, and what of it is trained.
        examples: what to learn.
        asked: section `train`.
        peak: learning rate, after `rewarm`.
        objective: what a step minimises.
        continued: whether there was a parent, so that the loss may be low from the start.
        held: examples that tell when to stop; afterwards the weights are the best that they saw.
        hold: the parent, and how the training is held near it.
        keeper: where checkpoints go, and the one that this run goes on from.
        micro: examples computed at a time; halved in place where memory runs out. None: as asked.
        group: the processes that train together.

    Raises:
        GraftError: no parameter is trainable; the run cannot end well, or was asked to end; no room for a checkpoint.
    """
    order = batches.Order.of(asked)
    total = batches.count_steps(examples, order, asked.max_steps)
    plan, micro = rates.rates(asked, peak, total), micro or Micro(size=asked.machine.micro_batch)
    if (asked.warmup_steps or 0) > total:
        print(f"train: warmup_steps: {asked.warmup_steps} of {total} steps: the rate only rises", flush=True)
    run = Run(
        made=made,
        objective=objective,
        asked=asked,
        optimizer=make_optimizer(made, asked, peak),
        micro=micro,
        held=held,
        hold=hold,
        steps=[],
        group=group,
    )
    _begin(run, keeper)
    done = len(run.steps)
    told = callbacks.observers(asked, made.model, total=total, done=run.steps, continued=continued)
    with stop.listening() as request:
        for number, batch in enumerate(islice(batches.epochs(examples, order), done, total), done + 1):
            if held and held.ended:
                break
            run.steps.append(_step(run, number, batch, plan.at(number)))
            told.see(number, batch, run.steps[-1])
            if held and held.due(number, total):
                with hold.averaged() if hold else nullcontext():  # what would be published is what is looked at
                    held.look(number, held_loss(made, held, objective, micro, asked.batch_size, group), run.parameters)
            if number < total:
                _keep(run, keeper, group.any_of(request.name))
    told.close()
    if held:
        held.put_best(run.parameters)
    elif hold:
        hold.finish()
    return run.steps


def _begin(run: Run, keeper: Keeper | None) -> None:
    """Make the model ready to train: as new, or as the newest checkpoint has it."""
    memory.prepare(run.made.model, run.asked.machine)
    run.made.model.train()
    torch.manual_seed(run.asked.seed)  # dropout must not depend on how the adapter was made
    with run.group.main_first():  # it may have to bring the checkpoint here
        saved = keeper.newest() if keeper else None
    if saved:
        run.go_on_from(saved)


def trained(made: Trainable) -> list[torch.Tensor]:
    """What is trained, in the order of the groups.

    Raises:
        GraftError: nothing is.
    """
    parameters = [parameter for group in made.groups for parameter in group["params"]]
    if not parameters:  # PEFT loads a saved adapter frozen unless told otherwise
        raise GraftError("train: no parameter is trainable", help="see train.targets in params.yaml")
    return parameters


def make_optimizer(made: Trainable, asked: TrainSettings, peak: float) -> torch.optim.Optimizer:
    """A fresh optimiser: moments of the parent's training say nothing about new records."""
    trained(made)
    groups = [dict(group) for group in made.groups]
    return torch.optim.AdamW(groups, lr=peak, weight_decay=asked.weight_decay, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """The learning rate of every group, by its share."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["share"]


def gradients(
    model: Any,
    batch: Sequence[Example],
    objective: Objective,
    size: int | None,
    machine: Machine,
    group: Group = ALONE,
) -> float:
    """Gradients of the batch's mean loss, however it is divided into parts of `size`; returns that loss.

    Of several processes each has its share of both: their sums are the batch's.
    """
    count = objective.count(batch)
    total = 0.0
    for part, weight in group.parts(batch, size):
        with memory.offloaded(machine):
            loss = objective.loss(model, part) * (weight / count)
        torch.autograd.backward(loss)
        total += loss.item()
    return total


def _step(run: Run, number: int, batch: Sequence[Example], learning_rate: float) -> Step:
    """One optimiser step, unless loss or gradients are broken."""
    set_rate(run.optimizer, learning_rate)

    def compute(micro: Micro) -> float:
        return gradients(run.made.model, batch, run.pulled, micro.size, run.asked.machine, run.group)

    run.group.seed(run.asked.seed, number)
    loss = run.group.total(memory.with_less(run.micro, run.group.most(batch), run.optimizer, compute, run.group))
    run.group.sum_gradients(run.parameters)
    if run.hold:
        run.hold.add_gradient()
    norm = torch.nn.utils.clip_grad_norm_(run.parameters, run.asked.max_grad_norm).item()
    ids = [example.id for example in batch]
    watch.refuse_broken(number, ids, loss=loss, norm=norm, learning_rate=learning_rate)
    run.optimizer.step()
    run.optimizer.zero_grad()
    if run.hold:
        run.hold.stepped()
    tokens = sum(example.size for example in batch)
    return Step(loss=loss, learning_rate=learning_rate, gradient_norm=norm, tokens=tokens)


def held_loss(
    made: Trainable, held: HeldOut, objective: Objective, micro: Micro, most: int, group: Group = ALONE
) -> float:
    """Mean loss of the validation part.

    Args:
        made: the model as it is now.
        held: the part.
        objective: whose loss it is.
        micro: examples computed at a time; halved in place where memory runs out.
        most: examples computed at a time where `micro` says nothing.
        group: the processes that train together; each computes all of it.
    """

    def mean(less: Micro) -> float:
        parts = batches.micro(held.examples, less.size or most)
        return validation.mean_loss(made.model, parts, objective.loss, objective.count)

    return memory.with_less(micro, min(most, len(held.examples)), None, mean, group)


def _keep(run: Run, keeper: Keeper | None, signal: str | None) -> None:
    """Save the run where it is time to; end it when a signal asked for that."""
    number = len(run.steps)
    if keeper and run.group.is_main and (signal or keeper.due(number)):
        keeper.save(run.saved())
    if signal:
        said = "saved; dvc repro goes on from here" if keeper else "nothing is kept"
        raise GraftError(f"train: ended by {signal} after step {number}: {said}")
