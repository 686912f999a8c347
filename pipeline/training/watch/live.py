"""What a training shows while it runs: a line now and then, and reports/timings/train.csv. None of it repeats."""

import csv
import io
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from pipeline.common import files, timing
from pipeline.training.steps import Step

REPORTS = 20  # progress lines of a training, at least
SILENCE = 15.0  # seconds without one, at most
WINDOWS = timing.FOLDER / "train.csv"  # a row for each progress line
COLUMNS = ("step", "tokens_per_second", "memory_mb")


@dataclass(kw_only=True, slots=True)
class Live:
    """Progress of a run of `total` steps, of which `done` were made before this process."""

    total: int
    done: int = 0
    path: Path = WINDOWS
    started: float = field(default_factory=time.monotonic)
    reported: float = field(default_factory=time.monotonic)
    tokens: int = 0  # since the last line
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.done and self.path.exists():
            found = csv.DictReader(io.StringIO(self.path.read_text(encoding="utf-8")))
            rows = [tuple(row[name] or "" for name in COLUMNS) for row in found]
            self.rows = [row for row in rows if row[0].isdigit() and int(row[0]) <= self.done]

    def see(self, step: int, made: Step) -> None:
        """Count a step; say where the run stands when it is time to."""
        self.tokens += made.tokens
        now = time.monotonic()
        if step % max(1, self.total // REPORTS) == 0 or step == self.total or now - self.reported > SILENCE:
            self._report(step, made, now)

    def _report(self, step: int, made: Step, now: float) -> None:
        speed = self.tokens / max(now - self.reported, 1e-9)
        left = (now - self.started) / (step - self.done) * (self.total - step)
        print(
            f"train: step {step}/{self.total}  loss {made.loss:.4f}  learning rate {made.learning_rate:.2e}  "
            f"{speed:.0f} tokens/s  {left:.0f} s left",
            flush=True,
        )
        self.rows.append((str(step), f"{speed:.1f}", f"{_memory() / 1e6:.0f}"))
        files.write_text(self.path, "\n".join(",".join(row) for row in [COLUMNS, *self.rows]) + "\n")
        self.reported, self.tokens = now, 0


def _memory() -> int:
    """Bytes at the peak so far: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
