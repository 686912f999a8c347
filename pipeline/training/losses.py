"""What a step minimises, over the learned tokens alone."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from pipeline.model.weights import left_padded
from pipeline.training.examples import Example

# Shape legend: B = batch, T = tokens, K = columns from the first learned token of any row on, V = vocabulary.

IGNORE = -100  # cross_entropy skips this target


def count(batch: Sequence[Example]) -> int:
    """What the summed loss of a batch is divided by: its learned tokens."""
    return sum(example.targets for example in batch)


def answer_loss(model: Any, micro: Sequence[Example]) -> torch.Tensor:
    """Cross-entropy of the learned tokens, summed, nats.

    Args:
        model: causal language model whose forward takes `logits_to_keep`.
        micro: examples computed at a time.
    """
    logits_BKV, targets_BK = _forward(model, micro)
    return cross_entropy(logits_BKV.flatten(0, 1).float(), targets_BK.flatten(), ignore_index=IGNORE, reduction="sum")


def row_losses(model: Any, micro: Sequence[Example]) -> torch.Tensor:
    """Cross-entropy of each example's learned tokens, summed, nats; float32, shape (B,)."""
    logits_BKV, targets_BK = _forward(model, micro)
    losses = cross_entropy(
        logits_BKV.flatten(0, 1).float(), targets_BK.flatten(), ignore_index=IGNORE, reduction="none"
    )
    return losses.view(targets_BK.shape).sum(-1)


def _forward(model: Any, micro: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets, from the first learned token of any row on."""
    device = next(model.parameters()).device
    inputs = left_padded([example.tokens for example in micro], device)
    longest = max(len(example.learned) - list(example.learned).index(True) for example in micro)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits_BKV = model(**inputs, use_cache=False, logits_to_keep=longest + 1).logits[:, :-1]
    learned_BK = torch.tensor([_last(example.learned, longest) for example in micro], device=device)
    return logits_BKV, inputs["input_ids"][:, -longest:].masked_fill(~learned_BK, IGNORE)


def _last(learned: Sequence[bool], columns: int) -> list[bool]:
    return [False] * (columns - len(learned)) + list(learned[-columns:])
