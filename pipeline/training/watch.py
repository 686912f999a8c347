"""train.watch: a run that cannot end well is stopped, with the step, the batch's records and advice. No torch.

The limits are wide: every one asks for a state that lasts, since a single odd batch is what clipping is for.
"""

import math
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.errors import GraftError
from pipeline.training.settings import Watch
from pipeline.training.steps import Step

WINDOW = 20  # steps whose median loss counts
RISE = 1.0  # nats above the best that a diverging loss has, at least: small losses jump by large factors
NORMS = 100  # steps that the usual gradient norm is the median of
LASTING = 5  # steps in a row: a spike that is no accident


@dataclass(kw_only=True, slots=True)
class Watcher:
    """What it takes to judge the next step; follows from the steps before alone."""

    asked: Watch
    max_grad_norm: float
    new: bool  # nothing is continued: the loss has to fall
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    norms: deque[float] = field(default_factory=lambda: deque(maxlen=NORMS))
    first: float = math.inf  # median of the first window
    best: float = math.inf  # lowest median of a window
    seen: int = 0
    spikes: int = 0  # in a row

    def see(self, step: Step) -> str | None:
        """What is wrong after this step, in words; None: nothing."""
        self.seen += 1
        self.losses.append(step.loss)
        spiked = self._spiked(step.gradient_norm)
        loss = statistics.median(self.losses)  # not the mean: one batch must not move it
        if self.seen == WINDOW:
            self.first = loss
        if self.seen >= WINDOW:
            self.best = min(self.best, loss)
        if spiked:
            return spiked
        if self.asked.divergence and loss > max(self.asked.divergence * self.best, self.best + RISE):
            return f"the loss diverges: {loss:.3g} over {WINDOW} steps, {self.best:.3g} at its best"
        if self.asked.no_fall and self.new and self.seen == self.asked.no_fall and not self.best < self.first:
            return f"the loss does not fall: {loss:.3g} over {WINDOW} steps, {self.first:.3g} over the first"
        return None

    def _spiked(self, norm: float) -> str | None:
        usual = statistics.median(self.norms) if len(self.norms) >= WINDOW else math.inf
        if not self.asked.spike or norm <= max(self.asked.spike * usual, self.max_grad_norm):
            self.norms.append(norm)
            self.spikes = 0
            return None
        self.spikes += 1
        if self.spikes < LASTING:
            return None
        return f"the gradient's norm is {norm:.3g} and was far above the usual {usual:.3g} for {LASTING} steps"


def refuse_broken(step: int, ids: Sequence[str], *, loss: float, norm: float, learning_rate: float) -> None:
    """Stop before a step that would spoil the weights.

    Raises:
        GraftError: loss or gradient are not finite.
    """
    if not math.isfinite(loss):
        raise stopped(step, ids, f"the loss is {loss}, at learning rate {learning_rate:.3g}")
    if not math.isfinite(norm):
        raise stopped(step, ids, f"the gradient's norm is {norm}, at learning rate {learning_rate:.3g}")


def stopped(step: int, ids: Sequence[str], reason: str) -> GraftError:
    """The error that ends such a run."""
    return GraftError(
        f"train: step {step}: {reason}",
        [f"record {name}" for name in ids],
        help="lower train.learning_rate, or look at these records; train.watch says what stops a run",
    )
