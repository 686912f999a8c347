"""train.machine.precision: in which numbers the frozen part of a model is multiplied. Adapters are always float32."""

import json
import math
from pathlib import Path
from typing import Any

import torch

from pipeline.training.machine import fast

# From here on bfloat16 is quicker on a CPU that multiplies it: measured on one core with AVX512_BF16, products of
# 256 x 256 took a quarter of float32's time, those of the embedded base (0.57M) as long, roundings included.
LARGE = 4_000_000  # parameters


def chosen(asked: str, device: torch.device, base: Path) -> torch.dtype:
    """The number format that `auto` means here, or the one asked for.

    Args:
        asked: auto | float32 | bfloat16 | float16.
        device: where the training runs.
        base: folder with the base's files.

    Returns:
        auto: bfloat16 on a GPU that has it, and on a CPU whose instructions multiply it if the base has at least
        LARGE parameters; else float32.
    """
    if asked != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[asked]
    if device.type == "cuda":
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        bf16 = bool(instructions()) and parameters(base) >= LARGE
    return torch.bfloat16 if bf16 else torch.float32


def use(model: Any, precision: torch.dtype, device: torch.device) -> None:
    """Let a model compute in a precision, in place."""
    if device.type == "cuda":
        model.forward = torch.autocast("cuda", dtype=precision, enabled=precision != torch.float32)(model.forward)
    else:
        fast.install(model, precision)


def facts(precision: torch.dtype, device: torch.device) -> dict[str, str]:
    """For the machine class: the format, and on a CPU what multiplies it, since their sums are rounded differently."""
    name = str(precision).removeprefix("torch.")
    if device.type == "cpu" and precision != torch.float32:
        name += f" ({instructions() or 'no instructions of its own'})"
    return {"precision": name}


def instructions() -> str:
    """What of this CPU multiplies bfloat16: AMX, AVX512_BF16, or nothing."""
    found = {
        "AMX": torch.cpu._is_amx_tile_supported(),
        "AVX512_BF16": torch.cpu._is_avx512_bf16_supported(),
    }
    return next((name for name, supported in found.items() if supported), "")


def parameters(base: Path) -> int:
    """How many numbers a base's weights are, from the heads of its files.

    Source: https://github.com/huggingface/safetensors#format
    """
    total = 0
    for path in sorted(base.glob("*.safetensors")):
        with path.open("rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        total += sum(math.prod(entry["shape"]) for name, entry in head.items() if name != "__metadata__")
    return total
