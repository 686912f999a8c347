"""What a training tells: of each optimiser step, and of all of it. Loads no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one optimiser step was like."""

    loss: float  # nats per learned token, mean of the batch
    learning_rate: float
    gradient_norm: float  # before clipping
    tokens: int = 0  # of the batch, without padding


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a training, or none, came to; the adapter is in the draft folder."""

    facts: dict[str, Any]  # for training.json
    steps: Sequence[Step] = ()
    tested: Sequence[tuple[float, float]] = ()  # learning_rate: auto: rate and loss
    seconds: float = 0.0  # of the steps, start-up and saving left out
    clear: Callable[[], None] = lambda: None  # forget the checkpoints of this run
    run: str = ""  # its fingerprint
