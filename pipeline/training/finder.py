"""train.learning_rate: auto -> a rate, by a learning-rate range test (Smith 2015, arXiv:1506.01186; 2018, 1803.09820).

The rate rises from step to step until the loss does, on what will be trained and on its own first batches.
Weights and random numbers are put back: the training after it is the same as with the rate written down.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.training import batches, loop
from pipeline.training.checkpoints import snapshot
from pipeline.training.examples.example import Example
from pipeline.training.loop import Objective
from pipeline.training.machine import memory
from pipeline.training.machine.memory import Micro
from pipeline.training.machine.processes import ALONE, Group
from pipeline.training.methods.methods import Trainable
from pipeline.training.settings import Machine, TrainSettings

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 72  # twelve for each factor of ten
SMOOTHING = 0.8  # of the losses' moving mean
END = 2.0  # the test ends when the smoothed loss is so many times its lowest
MARGIN = 10.0  # the rate is this much below the one with the lowest loss: there, it already is about to rise


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What the test came to."""

    learning_rate: float  # two digits
    rows: list[tuple[float, float]]  # rate, smoothed loss in nats per learned token


def rate(
    made: Trainable,
    examples: Sequence[Example],
    asked: TrainSettings,
    objective: Objective,
    micro: Micro,
    folder: Path,
    group: Group = ALONE,
) -> tuple[float, list[tuple[float, float]]]:
    """The rate as written, or as found; and the test's curve.

    Args:
        made: the model, and what of it is trained.
        examples: what to learn.
        asked: section `train`.
        objective: what is minimised.
        micro: examples computed at a time; halved in place where memory runs out.
        folder: of the run's checkpoints: a killed run does not repeat the test.
        group: the processes that train together.
    """
    if not isinstance(asked.learning_rate, str):
        return float(asked.learning_rate), []
    kept = folder / "learning_rate.json"
    found = _read(kept)
    untested = group.any_of(None if found else "no test yet")
    if found is None or untested:
        found = find(made, examples, asked, objective, micro, group)
        with group.main_first():
            if group.is_main:
                files.write_json(kept, dataclasses.asdict(found))
    return found.learning_rate, found.rows


def find(
    made: Trainable,
    examples: Sequence[Example],
    asked: TrainSettings,
    objective: Objective,
    micro: Micro,
    group: Group = ALONE,
) -> Found:
    """The test; model and random numbers are afterwards as before.

    Raises:
        GraftError: the loss never falls.
    """
    print(f"train: learning_rate: auto: a test of at most {STEPS} steps", flush=True)
    parameters = loop.trained(made)
    copies = [parameter.detach().cpu().clone() for parameter in parameters]
    before = snapshot.random_state()
    made.model.train()
    torch.manual_seed(asked.seed)
    rows = _rows(made, examples, asked, objective, micro, group)
    with torch.no_grad():
        for parameter, copy in zip(parameters, copies, strict=True):
            parameter.copy_(copy)
            parameter.grad = None
    snapshot.set_random_state(before)
    found = choose(rows)
    print(f"train: learning_rate: auto: {found:g}", flush=True)
    return Found(learning_rate=found, rows=rows)


def choose(rows: Sequence[tuple[float, float]]) -> float:
    """The rate: a margin below that of the lowest smoothed loss, two digits.

    Raises:
        GraftError: the lowest loss is the first.
    """
    lowest = min(range(len(rows)), key=lambda number: rows[number][1]) if rows else 0
    if lowest == 0:
        raise GraftError(
            "train.learning_rate: auto: the loss falls at no rate",
            help="write a rate; look at the records and train.targets",
        )
    return float(f"{rows[lowest][0] / MARGIN:.1e}")


def _read(kept: Path) -> Found | None:
    """A test that was kept; None where there is none, or a damaged one: it is made again."""
    try:
        found = files.read_json(kept)
        rows = [(float(rate), float(loss)) for rate, loss in found["rows"]]
        return Found(learning_rate=float(found["learning_rate"]), rows=rows)
    except (GraftError, OSError, ValueError, KeyError, TypeError):
        return None


def _rows(
    made: Trainable, examples: Sequence[Example], asked: TrainSettings, objective: Objective, micro: Micro, group: Group
) -> list[tuple[float, float]]:
    optimizer = loop.make_optimizer(made, asked, LOWEST)
    endless = batches.epochs(examples, dataclasses.replace(batches.Order.of(asked), epochs=STEPS))
    rows: list[tuple[float, float]] = []
    mean = 0.0
    for step, batch in enumerate(itertools.islice(endless, STEPS)):
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        loop.set_rate(optimizer, rate)
        compute = partial(_gradients, made.model, batch, objective, asked.machine, group)
        loss = group.total(memory.with_less(micro, group.most(batch), optimizer, compute, group))
        group.sum_gradients(loop.trained(made))
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smoothed = mean / (1 - SMOOTHING ** (step + 1))
        if not math.isfinite(loss) or (rows and smoothed > END * min(loss for _, loss in rows)):
            break
        rows.append((rate, smoothed))
        torch.nn.utils.clip_grad_norm_(loop.trained(made), asked.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
    return rows


def _gradients(
    model: Any, batch: Sequence[Example], objective: Objective, machine: Machine, group: Group, micro: Micro
) -> float:
    return loop.gradients(model, batch, objective, micro.size, machine, group)
