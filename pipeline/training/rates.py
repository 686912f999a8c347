"""Learning rates by step: a warm-up, then what `train.scheduler` says.

The warm-up is linear. `cosine` and `linear` fall to nearly zero; `constant` stays at the peak; `wsd` (warm-up,
stable, decay: Hu et al. 2024, arXiv:2404.06395) stays there and falls linearly over the last `decay_share`.
"""

import math
from dataclasses import dataclass

from pipeline.training.settings import TrainSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """The learning rates of a whole training."""

    scheduler: str
    peak: float  # what the warm-up ends at
    steps: int
    warmup: int  # steps in which the rate rises
    decay: int  # steps in which wsd falls

    def at(self, step: int) -> float:
        """Learning rate of a step; the first is 1."""
        if step <= self.warmup:
            return self.peak * step / self.warmup
        return self.peak * self._share(step)

    def _share(self, step: int) -> float:
        """Of the peak, after the warm-up."""
        done, rest = step - 1 - self.warmup, self.steps - self.warmup
        if self.scheduler == "cosine":
            return 0.5 * (1 + math.cos(math.pi * done / rest))
        if self.scheduler == "linear":
            return 1 - done / rest
        if self.scheduler == "wsd":
            return min(1.0, (self.steps + 1 - step) / (self.decay + 1))
        return 1.0


def rates(asked: TrainSettings, peak: float, steps: int) -> Rates:
    """What section `train` asks for, over so many steps."""
    warmup = math.ceil(asked.warmup_share * steps) if asked.warmup_steps is None else asked.warmup_steps
    return Rates(
        scheduler=asked.scheduler,
        peak=peak,
        steps=steps,
        warmup=min(warmup, steps),
        decay=math.ceil(asked.decay_share * steps),
    )
