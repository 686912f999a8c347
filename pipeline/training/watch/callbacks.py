"""What goes along with the steps and changes none of them: the watch, the progress shown, the trackers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.training.examples.example import Example
from pipeline.training.settings import TrainSettings
from pipeline.training.steps import Step
from pipeline.training.watch import watch
from pipeline.training.watch.live import Live
from pipeline.training.watch.watch import Watcher

if TYPE_CHECKING:
    from pipeline.training.watch.trackers import Trackers


@dataclass(frozen=True, kw_only=True, slots=True)
class Observers:
    """Those who are told of every step."""

    watcher: Watcher
    live: Live
    trackers: "Trackers | None"

    def see(self, number: int, batch: Sequence[Example], step: Step) -> None:
        """Tell them of a step.

        Raises:
            GraftError: the run cannot end well.
        """
        if problem := self.watcher.see(step):
            raise watch.stopped(number, [example.id for example in batch], problem)
        self.live.see(number, step)
        if self.trackers:
            figures = {"loss": step.loss, "learning_rate": step.learning_rate, "grad_norm": step.gradient_norm}
            self.trackers.log(number, figures)

    def close(self) -> None:
        """The training is over."""
        if self.trackers:
            self.trackers.close()


def observers(asked: TrainSettings, model: Any, *, total: int, done: Sequence[Step], continued: bool) -> Observers:
    """For a training of `total` steps, of which some are done; raises as `trackers` does."""
    watcher = Watcher(asked=asked.watch, max_grad_norm=asked.max_grad_norm, new=not continued)
    for step in done:
        watcher.see(step)
    return Observers(watcher=watcher, live=Live(total=total, done=len(done)), trackers=_trackers(asked.trackers, model))


def _trackers(names: Sequence[str], model: Any) -> "Trackers | None":
    if not names:
        return None
    from pipeline.training.watch.trackers import trackers  # transformers' trainer takes a second to import

    return trackers(names, model)
