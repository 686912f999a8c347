"""One training in several processes: what each does of a step, and how they come to one result.

Every process holds the same parameters that learn and sees the same batches. Of each batch it computes its share;
the gradients are summed over all and divided by the whole batch's count, so that the result is one process's within
rounding, however many there are. FSDP2 shares the frozen weights between them on top of that.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed

from pipeline.common.errors import GraftError
from pipeline.training.examples.example import Example

BUCKET = 2**26  # numbers that are summed at a time: 256 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The processes of a training, as one of them sees them; the default is one alone."""

    rank: int = 0
    size: int = 1
    shares_weights: bool = False  # FSDP2: all must compute equally many parts

    @property
    def is_main(self) -> bool:
        """Does this process write what all came to?"""
        return self.rank == 0

    def facts(self) -> dict[str, Any]:
        """For the machine class: other numbers of processes add up in another order."""
        return {} if self.size == 1 else {"processes": self.size}

    def share(self, batch: Sequence[Example]) -> Sequence[Example]:
        """What this process computes of a batch; neighbours in it are of like length, so each gets a like share."""
        return batch[self.rank :: self.size]

    def most(self, batch: Sequence[Example]) -> int:
        """The largest share of a batch that a process has."""
        return -(-len(batch) // self.size)

    def parts(self, batch: Sequence[Example], size: int | None) -> list[tuple[Sequence[Example], float]]:
        """The share of this process in parts of at most `size`, each with the weight of its loss.

        Where weights are shared, all processes gather them together: whoever has fewer parts computes an example
        again, with weight 0.
        """
        own = self.share(batch)
        step = size or max(1, len(own))
        parts = [(own[start : start + step], 1.0) for start in range(0, len(own), step)]
        if self.shares_weights:
            most = self.most(batch)
            parts += [(batch[:1], 0.0)] * (-(-most // (size or most)) - len(parts))
        return parts

    def total(self, value: float) -> float:
        """The sum of a number over all processes."""
        if self.size == 1:
            return value
        summed = torch.tensor([value], dtype=torch.float64, device=_device())
        distributed.all_reduce(summed)
        return float(summed.item())

    def any_of(self, said: str | None) -> str | None:
        """What this process was told, or that another one was told something; all ask together."""
        if self.size == 1:
            return said
        told = self.total(float(said is not None))
        return said or ("a signal to another process" if told else None)

    def sum_gradients(self, parameters: Sequence[torch.Tensor]) -> None:
        """Put the sum over all processes in place of each gradient."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # nothing of this batch was this process's
                parameter.grad = torch.zeros_like(parameter)
        for bucket in _buckets([parameter.grad for parameter in parameters if parameter.grad is not None]):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            distributed.all_reduce(flat)
            for gradient, summed in zip(bucket, torch.split(flat, [g.numel() for g in bucket]), strict=True):
                gradient.copy_(summed.view_as(gradient))

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The others come in when the main process has left."""
        if self.size > 1 and not self.is_main:
            distributed.barrier()
        yield
        if self.size > 1 and self.is_main:
            distributed.barrier()

    def seed(self, seed: int, step: int) -> None:
        """Each process drops out other features, and the same ones when a step is done again."""
        if self.size > 1:
            torch.manual_seed((seed * 1_000_003 + step) * self.size + self.rank)

    def share_weights(self, model: Any) -> None:
        """FSDP2: a layer's frozen weights lie in equal shares on all devices; what learns stays whole on each.

        Raises:
            GraftError: too little of the model is frozen to be shared.
        """
        if not self.shares_weights:
            return
        learned = {parameter for parameter in model.parameters() if parameter.requires_grad}
        if all(parameter.requires_grad for parameter in model.parameters()):
            raise GraftError(
                "train.machine.launch: only frozen weights are shared between devices, and here all are trained",
                help="train.method: lora or freeze; or configs/ddp.yaml",
            )
        from torch.distributed.fsdp import fully_shard

        for layer in _layers(model):  # embedding and head stay whole: small, and used outside of the layers
            fully_shard(layer, ignored_params=learned, reshard_after_forward=True)


ALONE = Group()


def join() -> Group:
    """The group that this process was launched into by `accelerate launch`.

    Raises:
        GraftError: a kind of group that cannot be used here.
    """
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    shared = _is_set("ACCELERATE_USE_FSDP") or _is_set("ACCELERATE_USE_DEEPSPEED")
    group = Group(rank=state.process_index, size=state.num_processes, shares_weights=shared)
    if group.size == 1:
        raise GraftError("train.machine.launch: one process was started, and no more", help="num_processes: 2 or more")
    return group


def leave() -> None:
    """The group is no longer needed."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _is_set(name: str) -> bool:
    return os.environ.get(name, "false").lower() in ("true", "1")


def _layers(model: Any) -> list[Any]:
    """The decoder layers: the longest list of modules in the model."""
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    return list(max(lists, key=len, default=[]))


def _device() -> str:
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"


def _buckets(gradients: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Gradients of one type, so many that they are summed at a time."""
    buckets: list[list[torch.Tensor]] = []
    for gradient in gradients:
        last = buckets[-1] if buckets else []
        if last and last[0].dtype == gradient.dtype and sum(g.numel() for g in last) + gradient.numel() <= BUCKET:
            last.append(gradient)
        else:
            buckets.append([gradient])
    return buckets
