"""The objective by its name: what the training loop minimises."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.training import loop
from pipeline.training.examples.example import Example
from pipeline.training.losses import forward, losses, preference
from pipeline.training.machine import memory
from pipeline.training.machine.memory import Micro
from pipeline.training.machine.processes import ALONE, Group
from pipeline.training.settings import Machine, TrainSettings


def load(
    model: Any, examples: Sequence[Example], asked: TrainSettings, micro: Micro, group: Group = ALONE
) -> loop.Objective:
    """What a step minimises.

    Args:
        model: as the training begins; the reference of dpo.
        examples: all that is learned.
        asked: section `train`.
        micro: examples computed at a time; halved in place where memory runs out.
        group: the processes that train together.

    Raises:
        GraftError: with this model another loss would come out of what `train.machine` asks for.
    """
    if asked.objective != "dpo":
        return _of_answers(model, examples, asked.machine)
    print(f"train: what the model prefers before the training, of {len(examples)} pairs", flush=True)

    def reference(less: Micro) -> dict[str, float]:
        return preference.reference(model, examples, less.size or asked.batch_size)

    before = memory.with_less(micro, min(asked.batch_size, len(examples)), None, reference, group)
    return loop.Objective(count=len, loss=partial(preference.loss, beta=asked.dpo.beta, reference=before))


def _of_answers(model: Any, examples: Sequence[Example], machine: Machine) -> loop.Objective:
    if machine.padding_free and not forward.keeps_apart(model, examples):
        raise GraftError(
            "train.machine.padding_free: this base does not keep examples apart that stand in one row",
            help="padding_free: false; batches are sorted by length, so that little is padded",
        )
    if machine.loss_chunk and not forward.ends_with_its_head(model, examples):
        raise GraftError(
            "train.machine.loss_chunk: this base changes its logits after its output embeddings made them",
            help="loss_chunk: null; a smaller micro_batch holds fewer logits",
        )
    if not (machine.padding_free or machine.loss_chunk):
        return loop.ANSWERS
    loss = partial(losses.answer_loss, padding_free=machine.padding_free, chunk=machine.loss_chunk)
    return loop.Objective(count=losses.count, loss=loss)
