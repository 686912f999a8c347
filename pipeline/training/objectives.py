"""The objective by its name: what the training loop minimises."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pipeline.training import loop, preference
from pipeline.training.examples import Example
from pipeline.training.settings import Params


def load(model: Any, examples: Sequence[Example], asked: Params) -> loop.Objective:
    """What a step minimises.

    Args:
        model: as the training begins; the reference of dpo.
        examples: all that is learned.
        asked: section `train`.
    """
    if asked.objective != "dpo":
        return loop.ANSWERS
    size = asked.machine.micro_batch or asked.batch_size
    print(f"train: what the model prefers before the training, of {len(examples)} pairs", flush=True)
    before = preference.reference(model, examples, size)
    return loop.Objective(count=len, loss=partial(preference.loss, beta=asked.dpo.beta, reference=before))
