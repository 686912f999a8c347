"""The state of a run <-> the tensors and values of a checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from pipeline.training.steps import Step

# Shape legend: S = steps done so far.


def tensors(parameters: Sequence[torch.Tensor], optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What is trained, what the optimiser knows of it, and where the random numbers stand."""
    state = optimizer.state_dict()["state"]
    found = {f"parameter.{number}": parameter for number, parameter in enumerate(parameters)}
    found |= {f"optimizer.{number}.{key}": value for number, part in state.items() for key, value in part.items()}
    return found | random_state()


def put_back(
    found: Mapping[str, torch.Tensor], parameters: Sequence[torch.Tensor], optimizer: torch.optim.Optimizer
) -> None:
    """The run as it was when `tensors` was called, in place."""
    with torch.no_grad():
        for number, parameter in enumerate(parameters):
            parameter.copy_(found[f"parameter.{number}"])
    state: dict[int, dict[str, Any]] = {}
    for name in found:
        kind, *rest = name.split(".", 2)
        if kind == "optimizer":
            state.setdefault(int(rest[0]), {})[rest[1]] = found[name]
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    set_random_state(found)


def random_state() -> dict[str, torch.Tensor]:
    """Of the CPU's generator and of every GPU's; dropout draws from them."""
    found = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        found |= {f"random.cuda.{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    return found


def set_random_state(found: Mapping[str, torch.Tensor]) -> None:
    """Undo every draw since `random_state`."""
    torch.set_rng_state(found["random.cpu"])
    for name, state in found.items():
        if name.startswith("random.cuda."):
            torch.cuda.set_rng_state(state, int(name.rpartition(".")[2]))


def curve(steps: Sequence[Step]) -> torch.Tensor:
    """Steps as a tensor, float64, shape (S, 4): exact, and small in a checkpoint."""
    rows_S4 = [[step.loss, step.learning_rate, step.gradient_norm, step.tokens] for step in steps]
    return torch.tensor(rows_S4, dtype=torch.float64).reshape(-1, 4)


def steps(curve_S4: torch.Tensor) -> list[Step]:
    """Undo `curve`."""
    return [Step(loss=a, learning_rate=b, gradient_norm=c, tokens=int(d)) for a, b, c, d in curve_S4.tolist()]
