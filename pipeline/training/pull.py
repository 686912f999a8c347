"""Held near the parent while training: by its predictions (KL) and by its weights (L2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import kl_div

PARENT = "parent"  # the name of the second, frozen adapter


class Weights:
    """Adds weight * |θ - parent's θ|² to what is minimised, through its gradient (L2-SP, arXiv:1802.01483)."""

    def __init__(self, parameters: Sequence[torch.Tensor], weight: float) -> None:
        """Remember the parameters as they are now: as the parent left them."""
        self._parameters, self._weight = parameters, weight
        self._anchors = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def add(self) -> None:
        """Add the gradient, after the loss's own and before clipping."""
        for anchor, parameter in zip(self._anchors, self._parameters, strict=True):
            if parameter.grad is not None:
                parameter.grad.add_(parameter - anchor, alpha=2 * self._weight)


def load(model: Any, parent: Path) -> None:
    """Put the parent's adapter beside the trained one, frozen and not in use.

    Args:
        model: a PEFT model whose adapter `default` is trained.
        parent: the folder of the parent's adapter.
    """
    model.load_adapter(str(parent), adapter_name=PARENT, is_trainable=False)
    model.set_adapter("default")


def divergence(logits_NV: torch.Tensor, parent_NV: torch.Tensor) -> torch.Tensor:
    """KL(parent || model) over N positions, summed, nats: what the parent thought likely stays likely."""
    return kl_div(logits_NV.log_softmax(-1), parent_NV.log_softmax(-1), log_target=True, reduction="sum")
