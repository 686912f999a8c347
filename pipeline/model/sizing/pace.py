"""Time that a training takes, from the operations that it must do and the rate of a card. Loads no torch.

A forward pass of one token is two operations per parameter that multiplies, a backward pass two more for its
gradient and, only where weights learn, two more for theirs (Kaplan et al. 2020, arXiv:2001.08361: 6 in all).
"""

from pipeline.model.sizing import footprint
from pipeline.model.sizing.footprint import TrainingSetup
from pipeline.model.sizing.shapes import Shape

USED = 0.5  # of the data sheet's rate; Qwen's README, one A100: 7B LoRA, 8 x 2048 tokens in 5.2 s, are 0.46, 14B 0.53
UNPACKING = 1.3  # times as long with quantised weights; the same table, Q-LoRA over LoRA from 2048 tokens on: 1.05-1.4


def operations(shape: Shape, run: TrainingSetup) -> float:
    """Floating-point operations of one token, forward and backward."""
    learned = footprint.trained_parameters(shape, run)
    weights = shape.matrices + shape.head + (0 if run.method in ("full", "freeze") else learned)
    attention = shape.layers * 2 * run.length * shape.queries  # scores and sums, of half the positions on average
    forward = 2 * weights + attention
    again = forward if run.gradient_checkpointing else 0
    return forward + again + 2 * weights + 2 * attention + 2 * min(learned, weights)


def tokens_per_second(shape: Shape, run: TrainingSetup, tflops: float, cards: int = 1) -> float:
    """Pace of a training on cards of a rate (TFLOP/s of one, by its data sheet)."""
    slower = UNPACKING if run.method == "qlora" else 1.0
    return cards * tflops * 1e12 * USED / operations(shape, run) / slower
