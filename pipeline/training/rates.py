"""Learning rates by step: a warm-up, then what `train.scheduler` says.

Warm-up is linear. `cosine` and `linear` fall to nearly zero; `constant` stays at the peak; `wsd` (warm-up, stable,
decay: Hu et al. 2024, arXiv:2404.06395) stays there and falls linearly over the last `decay_share` of the steps.
"""

import math
from dataclasses import dataclass

SCHEDULERS = ("cosine", "linear", "constant", "wsd")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """A whole training's learning rates; `peak` is what the warm-up ends at."""

    scheduler: str
    peak: float
    steps: int
    warmup_share: float = 0.0  # of the steps
    warmup_steps: int | None = None  # in place of the share
    decay_share: float = 0.2  # wsd: of the steps

    @property
    def warmup(self) -> int:
        """Steps until the peak: at most all of them."""
        asked = math.ceil(self.warmup_share * self.steps) if self.warmup_steps is None else self.warmup_steps
        return min(asked, self.steps)

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
            decay = math.ceil(self.decay_share * self.steps)
            return min(1.0, (self.steps + 1 - step) / (decay + 1))
        return 1.0
