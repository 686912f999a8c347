"""train.parent.average: after a continued training, how much of it is kept is chosen on the validation part."""

from typing import Any

import torch

from pipeline.training import loop
from pipeline.training.machine.memory import Micro
from pipeline.training.machine.processes import ALONE, Group
from pipeline.training.methods.methods import Trainable
from pipeline.training.parent import average
from pipeline.training.parent.pull import Hold
from pipeline.training.validation import HeldOut


def blend(
    made: Trainable,
    hold: Hold,
    held: HeldOut,
    objective: loop.Objective,
    micro: Micro,
    most: int,
    group: Group = ALONE,
) -> dict[str, Any]:
    """Put the best interpolation between parent and child in place; returns what training.json says of it.

    Args:
        made: the trained model.
        hold: knows the parent's parameters.
        held: the validation part.
        objective: whose loss is compared.
        micro: examples computed at a time; halved in place where memory runs out.
        most: examples computed at a time where `micro` says nothing.
        group: the processes that train together.
    """
    names = {id(parameter): name for name, parameter in made.model.named_parameters()}
    own = {names[id(p)]: p.detach().clone() for p in hold.parameters}
    parent = dict(zip(own, hold.anchors, strict=True))

    def put(share: float) -> None:
        mixed = average.interpolated(own, parent, share)
        with torch.no_grad():
            for parameter in hold.parameters:
                parameter.copy_(mixed[names[id(parameter)]])

    def loss(share: float) -> float:
        put(share)
        return loop.held_loss(made, held, objective, micro, most, group)

    losses = {share: loss(share) for share in average.SHARES}
    best = average.chosen(losses.__getitem__)
    put(best)
    print(f"train: {best:.0%} of the training is kept, by its loss on the validation part", flush=True)
    return {"share": best, "losses": {f"{share:g}": round(value, 6) for share, value in losses.items()}}
