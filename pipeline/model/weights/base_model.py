"""The base's causal language model, without an adapter: with its weights, or its structure alone."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.initialization import no_init_weights
from transformers.utils import logging

logging.disable_progress_bar()  # a stage prints its own progress


def load(folder: Path, dtype: torch.dtype | str = torch.float32, device_map: str | None = None) -> Any:
    """The base's causal language model; `dtype` "auto" keeps what the files hold.

    Args:
        folder: with its files.
        dtype: of its weights.
        device_map: how accelerate lays it over the devices, such as auto or balanced; None: on the CPU.
    """
    with no_init_weights():  # torch's layers would draw first what the files then say; missing tensors are still made
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, device_map=device_map
        )


def structure(folder: Path) -> Any:
    """The base's causal language model without any weights, on the meta device."""
    with torch.device("meta"), no_init_weights():
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
