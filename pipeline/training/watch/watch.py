"""train.watch: a run that cannot end well is stopped, with the step, the batch's records and advice. No torch.

The limits are wide: every one asks for a state that lasts, since a single odd batch is what clipping is for.
"""

import math
import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.common.errors import GraftError
from pipeline.training.settings import Watch
from pipeline.training.steps import Step

WINDOW = 20  # steps whose median loss counts
RISE = 1.0  # nats above the best that a diverging loss has, at least: small losses jump by large factors
FALL = 0.01  # of the first window's level that a falling loss has lost: less is what other batches do to it
NORMS = 100  # steps that the usual gradient norm is the median of
LASTING = 5  # steps in a row: a spike that is no accident
LOWER = "lower train.learning_rate"
RAISE = "raise train.learning_rate where it is low (1e-4 to 1e-2 suits LoRA; auto finds one)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why a run cannot end well, and what may help."""

    reason: str
    advice: str = LOWER


@dataclass(kw_only=True, slots=True)
class Watcher:
    """What it takes to judge the next step; follows from the steps before alone."""

    asked: Watch
    max_grad_norm: float
    new: bool  # nothing is continued: the loss has to fall
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    norms: deque[float] = field(default_factory=lambda: deque(maxlen=NORMS))
    first: float = math.inf  # level of the first window
    best: float = math.inf  # lowest median of a window
    seen: int = 0
    spikes: int = 0  # in a row

    def see(self, step: Step) -> Problem | None:
        """What is wrong after this step; None: nothing."""
        self.seen += 1
        self.losses.append(step.loss)
        spiked = self._spiked(step.gradient_norm)
        loss = statistics.median(self.losses)  # not the mean: one batch must not move it
        if self.seen == WINDOW:
            self.first = _level(self.losses)
        if self.seen >= WINDOW:
            self.best = min(self.best, loss)
        if spiked:
            return spiked
        if self.asked.divergence and loss > max(self.asked.divergence * self.best, self.best + RISE):
            return Problem(reason=f"the loss diverges: {loss:.3g} over {WINDOW} steps, {self.best:.3g} at its best")
        if self.asked.no_fall and self.new and self.seen == max(self.asked.no_fall, 2 * WINDOW):
            return self._flat()
        return None

    def _flat(self) -> Problem | None:
        mean = _level(self.losses)
        if mean <= (1 - FALL) * self.first:
            return None
        reason = f"the loss does not fall: {mean:.3g} over {WINDOW} steps, {self.first:.3g} over the first"
        return Problem(reason=reason, advice=RAISE)

    def _spiked(self, norm: float) -> Problem | None:
        usual = statistics.median(self.norms) if len(self.norms) >= WINDOW else math.inf
        if not self.asked.spike or norm <= max(self.asked.spike * usual, self.max_grad_norm):
            self.norms.append(norm)
            self.spikes = 0
            return None
        self.spikes += 1
        if self.spikes < LASTING:
            return None
        return Problem(
            reason=f"the gradient's norm is {norm:.3g} and was far above the usual {usual:.3g} for {LASTING} steps"
        )


def _level(losses: Iterable[float]) -> float:
    """Mean of a window without its two highest and two lowest: steadier than the median, and no odd batch moves it."""
    return statistics.fmean(sorted(losses)[2:-2])


def refuse_broken(step: int, ids: Sequence[str], *, loss: float, norm: float, learning_rate: float) -> None:
    """Stop before a step that would spoil the weights.

    Raises:
        GraftError: loss or gradient are not finite.
    """
    if not math.isfinite(loss):
        raise stopped(step, ids, Problem(reason=f"the loss is {loss}, at learning rate {learning_rate:.3g}"))
    if not math.isfinite(norm):
        raise stopped(step, ids, Problem(reason=f"the gradient's norm is {norm}, at learning rate {learning_rate:.3g}"))


def stopped(step: int, ids: Sequence[str], problem: Problem) -> GraftError:
    """The error that ends such a run."""
    return GraftError(
        f"train: step {step}: {problem.reason}",
        [f"record {name}" for name in ids],
        help=f"{problem.advice}, or look at these records; train.watch says what stops a run",
    )
