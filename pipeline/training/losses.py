"""What a step minimises, over the learned tokens alone."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from pipeline.training import forward
from pipeline.training.example import Example

# Shape legend: B = batch, N = learned positions.


def count(batch: Sequence[Example]) -> int:
    """What the summed loss of a batch is divided by: its learned tokens."""
    return sum(example.targets for example in batch)


def answer_loss(model: Any, micro: Sequence[Example], *, padding_free: bool = False) -> torch.Tensor:
    """Cross-entropy of the learned tokens, summed, nats.

    Args:
        model: causal language model.
        micro: examples computed at a time.
        padding_free: in one row, see `forward.learned`.
    """
    found = forward.learned(model, micro, padding_free=padding_free)
    return cross_entropy(found.logits_NV.float(), found.targets_N, reduction="sum")


def row_losses(model: Any, micro: Sequence[Example]) -> torch.Tensor:
    """Cross-entropy of each example's learned tokens, summed, nats; float32, shape (B,)."""
    found = forward.learned(model, micro)
    losses_N = cross_entropy(found.logits_NV.float(), found.targets_N, reduction="none")
    return losses_N.new_zeros(len(micro)).index_add(0, found.rows_N, losses_N)
