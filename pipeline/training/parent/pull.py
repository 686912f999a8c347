"""train.parent: how a continued training is held near where it began, whatever its method.

The parent is no second model and no second adapter: it is the model with its first parameters in place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import kl_div

from pipeline.training.examples.example import Example
from pipeline.training.losses import forward
from pipeline.training.parent.average import Moving
from pipeline.training.settings import Pull

# Shape legend: N = learned positions, V = vocabulary.

Loss = Callable[[Any, Sequence[Example]], torch.Tensor]


class Hold:
    """The parent's parameters, and what is done with them in a run."""

    def __init__(self, parameters: Sequence[torch.Tensor], asked: Pull) -> None:
        """Remember the parameters as they are now: as the parent left them."""
        self._asked, self.parameters = asked, parameters
        self.anchors = [parameter.detach().clone() for parameter in parameters]
        self._moving = Moving(parameters, asked.ema) if asked.ema else None

    def loss(self, model: Any, micro: Sequence[Example], loss: Loss) -> torch.Tensor:
        """The loss, and kl times the divergence from the parent's predictions of the learned tokens."""
        if not self._asked.kl:
            return loss(model, micro)
        with torch.no_grad(), self.parent():
            model.eval()
            parent_NV = forward.learned(model, micro).logits_NV
            model.train()
        own_NV = forward.learned(model, micro).logits_NV
        return loss(model, micro) + self._asked.kl * divergence(own_NV.float(), parent_NV.float())

    @torch.no_grad()
    def add_gradient(self) -> None:
        """That of l2 * |θ - parent's θ|² (L2-SP, arXiv:1802.01483); after the loss's own and before clipping."""
        if self._asked.l2:
            for anchor, parameter in zip(self.anchors, self.parameters, strict=True):
                if parameter.grad is not None:
                    parameter.grad.add_(parameter - anchor, alpha=2 * self._asked.l2)

    def stepped(self) -> None:
        """Take a step's weights into the moving average."""
        if self._moving:
            self._moving.add()

    def finish(self) -> None:
        """Put the moving average in place, where one is asked for."""
        if self._moving:
            self._moving.apply()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model is the moving average, where one is asked for; its own parameters come back unchanged."""
        own = [parameter.data for parameter in self.parameters]
        self._put([parameter.clone() for parameter in own])
        self.finish()
        try:
            yield
        finally:
            self._put(own)

    @contextmanager
    def parent(self) -> Iterator[None]:
        """The model is the parent; its own parameters come back unchanged."""
        own = [parameter.data for parameter in self.parameters]
        self._put(self.anchors)
        try:
            yield
        finally:
            self._put(own)

    def tensors(self) -> dict[str, torch.Tensor]:
        """For a checkpoint; what the parent left is read from the parent again."""
        return self._moving.tensors() if self._moving else {}

    def restore(self, found: Mapping[str, torch.Tensor]) -> None:
        """Undo `tensors`."""
        if self._moving:
            self._moving.restore(found)

    def _put(self, values: Sequence[torch.Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.data = value


def hold(parameters: Sequence[torch.Tensor], asked: Pull) -> Hold | None:
    """What holds a training near its parent; None where nothing of the kind is asked for."""
    return Hold(parameters, asked) if asked.kl or asked.l2 or asked.ema or asked.average else None


def divergence(logits_NV: torch.Tensor, parent_NV: torch.Tensor) -> torch.Tensor:
    """KL(parent || model) over N positions, summed, nats: what the parent thought likely stays likely."""
    return kl_div(logits_NV.log_softmax(-1), parent_NV.log_softmax(-1), log_target=True, reduction="sum")
