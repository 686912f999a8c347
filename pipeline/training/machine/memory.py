"""Fitting a step into memory: smaller micro-batches when it runs out, activations computed again or kept elsewhere."""

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch

from pipeline.common.errors import GraftError
from pipeline.training.checkpoints import snapshot
from pipeline.training.machine.processes import ALONE, Group
from pipeline.training.settings import Machine

T = TypeVar("T")
# What torch's allocators say; there is no exception of its own for the CPU's.
_CPU = ("can't allocate memory", "not enough memory", "std::bad_alloc")


@dataclass(kw_only=True, slots=True)
class Micro:
    """How many examples are computed at a time, at most; None: the whole batch."""

    size: int | None


def with_less(
    micro: Micro,
    most: int,
    optimizer: torch.optim.Optimizer | None,
    run: Callable[[Micro], T],
    group: Group = ALONE,
) -> T:
    """Compute a batch, such as a step's; when memory runs out, the same again with half the micro-batch.

    Args:
        micro: examples computed at a time; halved in place.
        most: examples that `run` computes, of several processes the one with the most.
        optimizer: whose gradients are dropped before it is done again; None: no gradient is computed.
        run: does the same each time it is called, but for the size.
        group: the processes that compute together: where one runs out of memory, all begin again.

    Raises:
        GraftError: one example alone does not fit; or not what is computed at a time, while weights are shared.
    """
    before = snapshot.random_state()
    while True:
        made, short = _attempt(micro, run)
        if short and group.shares_weights:  # the others wait for this one's share, in the midst of a layer
            raise GraftError(
                f"train: out of memory in process {group.rank}: where weights are shared, none can begin again alone",
                help=f"train.machine.micro_batch: {_half(micro, most)} or less, or more processes",
            )
        if not group.any_of("out of memory" if short else None):
            return cast("T", made)
        _halve(micro, most)
        if optimizer:
            optimizer.zero_grad()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        snapshot.set_random_state(before)


def _attempt(micro: Micro, run: Callable[[Micro], T]) -> tuple[T | None, bool]:
    """What `run` came to, and whether memory ran out."""
    try:
        return run(micro), False
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not is_out_of_memory(error):
            raise
        return None, True  # and with the exception goes what it held


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on whatever device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error) for words in _CPU)


def prepare(model: Any, machine: Machine) -> None:
    """Let a model compute activations again in the backward pass, where that is asked for.

    Raises:
        GraftError: its architecture cannot.
    """
    if not machine.gradient_checkpointing:
        return
    try:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    except ValueError as error:
        raise GraftError(f"train.machine.gradient_checkpointing: {error}", help="false, or a smaller batch") from None


def offloaded(machine: Machine) -> AbstractContextManager[Any]:
    """Around a forward pass: what the backward pass needs waits in the CPU's memory, where that is asked for."""
    if not machine.offload:
        return nullcontext()
    return torch.autograd.graph.save_on_cpu(pin_memory=torch.cuda.is_available())


def _half(micro: Micro, most: int) -> int:
    return (min(micro.size or most, most) + 1) // 2


def _halve(micro: Micro, most: int) -> None:
    if min(micro.size or most, most) == 1:
        raise GraftError(
            "train: out of memory with one example at a time",
            help="train.machine.gradient_checkpointing or offload, a shorter train.max_length, method: qlora; "
            "graft plan --gpu 24GB says what fits",
        )
    micro.size = _half(micro, most)
    print(f"train: out of memory: micro-batches of {micro.size} from now on; the batch stays the same", flush=True)
