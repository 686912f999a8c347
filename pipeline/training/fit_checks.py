"""What this machine cannot do, said before the training: number formats and memory settings."""

from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import AutoConfig

from pipeline.errors import GraftError
from pipeline.training.settings import Params

WHOLE = ("full", "freeze", "expand", "qexpand")  # methods that change the base's own tensors


def refuse_unfit(asked: Params, device: torch.device, base: Path) -> None:
    """Compare section `train` with the device and the base.

    Raises:
        GraftError: what does not go together, each named.
    """
    if problems := list(_problems(asked, device, base)):
        raise GraftError(
            "train: this cannot run here", problems, help="train.machine.precision: auto takes what the machine has"
        )


def _problems(asked: Params, device: torch.device, base: Path) -> Iterator[str]:
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
    if asked.machine.device_map not in (None, "cpu") and device.type == "cpu":
        yield f"train.machine.device_map: {asked.machine.device_map}: there is no GPU here to lay the base on"


def _quantized(base: Path) -> bool:
    return getattr(AutoConfig.from_pretrained(base, local_files_only=True), "quantization_config", None) is not None
