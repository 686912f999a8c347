"""What a step minimises, over the learned tokens alone."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from pipeline.training.examples.example import Example
from pipeline.training.losses import forward

# Shape legend: B = batch, N = learned positions, H = hidden size.


def count(batch: Sequence[Example]) -> int:
    """What the summed loss of a batch is divided by: its learned tokens."""
    return sum(example.targets for example in batch)


def answer_loss(
    model: Any, micro: Sequence[Example], *, padding_free: bool = False, chunk: int | None = None
) -> torch.Tensor:
    """Cross-entropy of the learned tokens, summed, nats.

    Args:
        model: causal language model.
        micro: examples computed at a time.
        padding_free: in one row, see `forward.learned`.
        chunk: learned tokens whose logits are held at a time, and made once more for the gradient; None: all.
    """
    if chunk:
        return _in_chunks(model, *forward.states(model, micro, padding_free=padding_free), chunk)
    found = forward.learned(model, micro, padding_free=padding_free)
    return cross_entropy(found.logits_NV.float(), found.targets_N, reduction="sum")


def _in_chunks(model: Any, states_NH: torch.Tensor, targets_N: torch.Tensor, chunk: int) -> torch.Tensor:
    head = model.get_output_embeddings()

    def summed(some_NH: torch.Tensor, some_N: torch.Tensor) -> torch.Tensor:
        return cross_entropy(head(some_NH[None])[0].float(), some_N, reduction="sum")

    total = states_NH.new_zeros((), dtype=torch.float32)
    for some_NH, some_N in zip(torch.split(states_NH, chunk), torch.split(targets_N, chunk), strict=True):
        total = total + checkpoint(summed, some_NH, some_N, use_reentrant=False, preserve_rng_state=False)
    return total


def row_losses(model: Any, micro: Sequence[Example]) -> torch.Tensor:
    """Cross-entropy of each example's learned tokens, summed, nats; float32, shape (B,)."""
    found = forward.learned(model, micro)
    losses_N = cross_entropy(found.logits_NV.float(), found.targets_N, reduction="none")
    return losses_N.new_zeros(len(micro)).index_add(0, found.rows_N, losses_N)
