"""What this machine cannot do, said before the training: number formats and memory settings."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from transformers import AutoConfig

from pipeline.common.errors import GraftError
from pipeline.training.settings import TrainSettings

# Architectures that look a token's position up in a table; others compute it, so that longer texts only fare worse.
LEARNED_POSITIONS = ("biogpt", "ctrl", "gpt2", "gpt_bigcode", "gpt_neo", "openai-gpt", "opt")
WHOLE = ("full", "freeze", "expand", "qexpand")  # methods that change the base's own tensors


def refuse_unfit(asked: TrainSettings, device: torch.device, base: Path) -> None:
    """Compare section `train` with the device and the base.

    Raises:
        GraftError: what does not go together, each named.
    """
    if problems := list(_problems(asked, device, base)):
        raise GraftError(
            "train: this cannot run here", problems, help="train.machine.precision: auto takes what the machine has"
        )


def refuse_unreadable(asked: TrainSettings, base: Path, ids: Iterable[Sequence[int]]) -> None:
    """Compare what a model is to read with its tables of positions and tokens.

    Args:
        asked: section `train`.
        base: its folder.
        ids: token ids of each sequence.

    Raises:
        GraftError: `max_length` has more positions than the base, or its tokenizer gives ids that it has not.
    """
    config = AutoConfig.from_pretrained(base, local_files_only=True)
    limit = getattr(config, "max_position_embeddings", None) if config.model_type in LEARNED_POSITIONS else None
    if limit is not None and asked.max_length > limit:
        raise GraftError(
            f"train.max_length: {asked.max_length}: the base has {limit} positions", help=f"set it to {limit} or less"
        )
    largest = max((max(one, default=0) for one in ids), default=0)
    if largest >= config.vocab_size:
        raise GraftError(
            f"train: the tokenizer gives id {largest}, and the base knows {config.vocab_size} tokens",
            help="take the tokenizer that belongs to the base, or a train.chat_template without the tokens added to it",
        )


def _problems(asked: TrainSettings, device: torch.device, base: Path) -> Iterator[str]:
    precision = asked.machine.precision
    if precision == "float16":
        yield "train.machine.precision: float16: gradients would vanish in it, since no loss is scaled here"
    if (
        precision == "bfloat16"
        and device.type == "cuda"
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        yield "train.machine.precision: bfloat16: this GPU has none; float32"
    if asked.method in WHOLE and _quantized(base):
        yield f"train.method: {asked.method}: the base is quantised: its tensors cannot be trained; lora or qlora"
    if asked.machine.padding_free and asked.objective == "dpo":
        yield "train.machine.padding_free: dpo computes two answers side by side, padded; false"
    if asked.machine.loss_chunk and (asked.objective == "dpo" or asked.machine.launch):
        yield "train.machine.loss_chunk: neither with dpo nor in several processes; null"
    if asked.machine.device_map not in (None, "cpu") and device.type == "cpu":
        yield f"train.machine.device_map: {asked.machine.device_map}: there is no GPU here to lay the base on"


def _quantized(base: Path) -> bool:
    return getattr(AutoConfig.from_pretrained(base, local_files_only=True), "quantization_config", None) is not None
