"""When a run is saved and what it goes on from: the policy over `checkpoint` and `mirror`."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.training.checkpoints import checkpoint, mirror
from pipeline.training.checkpoints.checkpoint import CheckpointStore, SavedRun
from pipeline.training.checkpoints.mirror import Mirror
from pipeline.training.settings import Checkpoint, TrainSettings


@dataclass(kw_only=True, slots=True)
class Keeper:
    """The checkpoints of one run. When one is made changes no byte of the result, so a clock may decide it."""

    store: CheckpointStore
    mirror: Mirror | None
    asked: Checkpoint
    last: float = field(default_factory=time.monotonic)

    def newest(self) -> SavedRun | None:
        """The checkpoint to go on from, of this machine or of the mirror."""
        if self.mirror:
            self.mirror.pull(self.store)
        return self.store.newest()

    def due(self, step: int) -> bool:
        """Whether to save after this step."""
        if self.asked.steps and step % self.asked.steps == 0:
            return True
        return self.asked.minutes is not None and time.monotonic() - self.last >= 60 * self.asked.minutes

    def save(self, saved: SavedRun) -> None:
        """Write a checkpoint, here and in the mirror; raises as Store.save does."""
        self.store.save(saved)
        if self.mirror:
            self.mirror.push(self.store, saved.step)
        self.last = time.monotonic()

    def clear(self) -> None:
        """Forget this run, and stale ones of this checkout: its outputs are published."""
        checkpoint.clear(self.store.folder.parent)
        if self.mirror:
            self.mirror.clear()


def keeper(asked: TrainSettings, scratch: Path, fingerprint: str) -> Keeper:
    """The checkpoints of the run of this fingerprint; raises like `mirror`."""
    store = CheckpointStore(folder=scratch / checkpoint.FOLDER / fingerprint, keep=asked.checkpoint.keep)
    return Keeper(store=store, mirror=mirror.mirror(asked.checkpoint_url, fingerprint), asked=asked.checkpoint)
