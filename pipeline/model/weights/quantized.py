"""A base in 4 or 8 bits by bitsandbytes, and the same base back in float32: what a merged model is made of."""

from pathlib import Path
from typing import Any

import torch
from peft.utils.integrations import dequantize_module_weight
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.pytorch_utils import Conv1D

from pipeline.common.errors import GraftError
from pipeline.model.weights import base_model


def load(folder: Path, kind: str, device: torch.device) -> Any:
    """The base, its linear layers quantised; everything else float32 on the CPU, bfloat16 on a GPU.

    Args:
        folder: a verified base.
        kind: nf4 (double quantisation, as QLoRA, arXiv:2305.14314) | int8 (LLM.int8, arXiv:2208.07339).
        device: where it will be trained: quantised weights stay where they were made.

    Raises:
        GraftError: bitsandbytes is not installed; or the base keeps its weights transposed.
    """
    _refuse_transposed(folder)
    try:
        import bitsandbytes as bnb
    except ImportError:
        raise GraftError(
            "train.method: qlora needs bitsandbytes", help="make setup EXTRAS=qlora, or train.method: lora"
        ) from None
    compute = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=compute,
        quantization_config=_config(kind, compute),
        device_map={"": device},
        local_files_only=True,
        use_safetensors=True,
    )
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            # With AVX-512 it would repack its weights at the first evaluation, and compute in bfloat16 from then on.
            module.support_avx512bf16_for_cpu = False
    return model


def dequantized(folder: Path, kind: str) -> Any:
    """The base as training saw it, in plain float32 layers, on the CPU.

    Quantised once more from the same files, which gives the same codes: nothing of it is in a release.
    """
    model = load(folder, kind, torch.device("cpu")).dequantize()
    return model.float()


def thaw(module: Any) -> None:
    """Give a part of a quantised model plain float32 linear layers, in place, so that they can be trained."""
    for name, child in list(module.named_modules()):
        if type(child).__module__.startswith("bitsandbytes"):
            weight = dequantize_module_weight(child).detach().float()
            outputs, inputs = weight.shape
            plain = torch.nn.Linear(inputs, outputs, bias=child.bias is not None, device=weight.device)
            plain.weight.data = weight
            if child.bias is not None:
                plain.bias.data = child.bias.detach().float()
            module.set_submodule(name, plain)


def _refuse_transposed(folder: Path) -> None:
    """GPT-2's layers hold weights of inputs by outputs: quantised and taken back they would come out transposed."""
    body = base_model.structure(folder)
    if any(isinstance(module, Conv1D) for module in body.modules()):
        raise GraftError(
            f"train.method: no quantised training of {type(body).__name__}: its layers are transposed (Conv1D)",
            help="train.method: lora or expand, which need no quantised base",
        )


def _config(kind: str, compute: torch.dtype) -> Any:
    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
