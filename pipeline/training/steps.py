"""One optimiser step, as curves, watches and checkpoints know it. Loads no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one optimiser step was like."""

    loss: float  # nats per learned token, mean of the batch
    learning_rate: float
    gradient_norm: float  # before clipping
    tokens: int = 0  # of the batch, without padding
