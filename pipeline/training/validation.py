"""train.validation: a part of the training records that is not learned, and tells when to stop.

`evaluate` alone reads evaluation slices; this part is cut from the training records, by content hash.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline.training import held_out
from pipeline.training.examples.example import Example
from pipeline.training.settings import Validation


def hold(examples: Sequence[Example], asked: Validation) -> tuple[list[Example], "HeldOut | None"]:
    """(learned, the held-out part if one is asked for); raises like `held_out.split`."""
    learned, held = held_out.split(examples, asked.share)
    return learned, HeldOut(examples=held, asked=asked) if held else None


@dataclass(kw_only=True, slots=True)
class HeldOut:
    """The part, what was seen of it so far, and the best weights."""

    examples: Sequence[Example]
    asked: Validation
    looks: list[tuple[int, float]] = field(default_factory=list)  # step, loss in nats per learned token
    best: list[torch.Tensor] = field(default_factory=list)  # copies of the parameters, on the CPU

    @property
    def ended(self) -> bool:
        """Whether patience is at its end."""
        return bool(self.looks) and len(self.looks) - 1 - self._best_look() >= self.asked.patience

    def look(self, step: int, loss: float, parameters: Sequence[torch.Tensor]) -> None:
        """Note the loss after a step, and keep the weights if they are the best."""
        print(f"train: step {step}: validation loss {loss:.4f}", flush=True)
        if not self.best or loss < min(loss for _, loss in self.looks):
            self.best = [parameter.detach().cpu().clone() for parameter in parameters]
        self.looks.append((step, loss))

    def due(self, step: int, last: int) -> bool:
        """Whether to look after this step: every so many, and after the last."""
        return step % self.asked.every == 0 or step == last

    def put_best(self, parameters: Sequence[torch.Tensor]) -> None:
        """The best weights, in place."""
        with torch.no_grad():
            for parameter, best in zip(parameters, self.best, strict=True):
                parameter.copy_(best)

    def facts(self) -> dict[str, Any]:
        """For training.json."""
        looks = [{"step": step, "loss": round(loss, 6)} for step, loss in self.looks]
        return {"records": len(self.examples), "best_step": self.looks[self._best_look()][0], "looks": looks}

    def tensors(self) -> dict[str, torch.Tensor]:
        """For a checkpoint; looks as float64, shape (looks, 2)."""
        looks = torch.tensor(self.looks, dtype=torch.float64).reshape(-1, 2)
        return {"validation.looks": looks} | {f"validation.best.{n}": tensor for n, tensor in enumerate(self.best)}

    def restore(self, found: Mapping[str, torch.Tensor]) -> None:
        """Undo `tensors`."""
        self.looks = [(int(step), loss) for step, loss in found["validation.looks"].tolist()]
        count = sum(name.startswith("validation.best.") for name in found)
        self.best = [found[f"validation.best.{number}"] for number in range(count)]

    def _best_look(self) -> int:
        return min(range(len(self.looks)), key=lambda number: self.looks[number][1])


@torch.no_grad()
def mean_loss(
    model: Any,
    parts: Sequence[Sequence[Example]],
    loss: Callable[[Any, Sequence[Example]], torch.Tensor],
    count: Callable[[Sequence[Example]], int],
) -> float:
    """Loss of held-out examples, computed part by part, without dropout; the model trains on afterwards."""
    model.eval()
    total = sum(loss(model, part).item() for part in parts)
    model.train()
    return total / count([example for part in parts for example in part])
