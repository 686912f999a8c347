"""The learning rate of each step, as a share of the peak."""

import math

from pipeline.training.settings import Params


def warmup(asked: Params, steps: int) -> int:
    """Steps in which the rate rises."""
    return math.ceil(asked.warmup_share * steps) if asked.warmup_steps is None else asked.warmup_steps


def share(step: int, steps: int, warmup: int) -> float:
    """Share of the peak at a step (from 1): linear warm-up, then a cosine to nearly zero."""
    if step <= warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - 1 - warmup) / (steps - warmup)))
