"""dpo: the chosen answer is to be preferred to the rejected one more than the model preferred it before.

-log sigmoid(beta * ((log p(chosen) - log p(rejected)) - the reference's)): Rafailov et al. 2023, arXiv:2305.18290,
equation 7. Log-probabilities are sums over an answer, the end of its turn included. The reference is the model as the
training begins: the parent, or the base. What it says is computed once, so that it needs no memory beside the model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import logsigmoid

from pipeline.training.examples.example import Example
from pipeline.training.losses import losses

# Shape legend: B = pairs computed at a time.


def loss(model: Any, pairs: Sequence[Example], *, beta: float, reference: Mapping[str, float]) -> torch.Tensor:
    """The loss of each pair, summed.

    Args:
        model: the one that is trained.
        pairs: computed at a time.
        beta: how dearly the model pays for leaving the reference; per nat.
        reference: of `margins`, by the pair's id.
    """
    reference_B = torch.tensor([reference[pair.id] for pair in pairs], device=next(model.parameters()).device)
    return -logsigmoid(beta * (margins(model, pairs) - reference_B)).sum()


def margins(model: Any, pairs: Sequence[Example]) -> torch.Tensor:
    """Of each pair log p(chosen) - log p(rejected), nats; shape (B,)."""
    rejected = [pair.rejected for pair in pairs if pair.rejected is not None]
    chosen_B, rejected_B = losses.row_losses(model, [*pairs, *rejected]).chunk(2)
    return rejected_B - chosen_B


def reference(model: Any, pairs: Sequence[Example], size: int) -> dict[str, float]:
    """What a model, as it is before it is trained, prefers: its margins by the pair's id.

    Args:
        model: stays as it is; dropout is off meanwhile.
        pairs: in any order.
        size: pairs computed at a time.
    """
    was_training = model.training
    model.eval()
    ordered = sorted(pairs, key=lambda pair: (len(pair.tokens), pair.id))
    found: dict[str, float] = {}
    try:
        with torch.no_grad():
            for start in range(0, len(ordered), size):
                part = ordered[start : start + size]
                found |= zip((pair.id for pair in part), margins(model, part).tolist(), strict=True)
    finally:
        model.train(was_training)
    return found
