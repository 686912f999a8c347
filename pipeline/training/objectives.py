"""The objective by its name: what the training loop minimises."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pipeline.training import loop, memory, preference
from pipeline.training.example import Example
from pipeline.training.memory import Micro
from pipeline.training.processes import ALONE, Group
from pipeline.training.settings import Params


def load(model: Any, examples: Sequence[Example], asked: Params, micro: Micro, group: Group = ALONE) -> loop.Objective:
    """What a step minimises.

    Args:
        model: as the training begins; the reference of dpo.
        examples: all that is learned.
        asked: section `train`.
        micro: examples computed at a time; halved in place where memory runs out.
        group: the processes that train together.
    """
    if asked.objective != "dpo":
        return loop.ANSWERS
    print(f"train: what the model prefers before the training, of {len(examples)} pairs", flush=True)

    def reference(less: Micro) -> dict[str, float]:
        return preference.reference(model, examples, less.size or asked.batch_size)

    before = memory.with_less(micro, min(asked.batch_size, len(examples)), None, reference, group)
    return loop.Objective(count=len, loss=partial(preference.loss, beta=asked.dpo.beta, reference=before))
