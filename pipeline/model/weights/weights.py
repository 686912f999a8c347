"""Base and adapter -> a model in memory: to train, to score, to publish."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from pipeline.model.adapter import saved_adapter
from pipeline.model.base.pinned import Base
from pipeline.model.weights import base_model, trained_tensors

# Shape legend: B = batch, T = tokens, padded on the left so that answers end at the last position.


def add_adapter(model: Any, adapter: Path, base: Base, *, trainable: bool = False) -> Any:
    """A base with what was saved of a training on it: a LoRA, or tensors in place of its own.

    Args:
        model: the base, see `load_trained_on`.
        adapter: adapter_model.safetensors and adapter_config.json.
        base: the pinned one.
        trainable: PEFT freezes what it loads unless told otherwise.

    Raises:
        GraftError: the adapter was trained on another base.
    """
    told = saved_adapter.check_base(adapter, base)
    if told.method in saved_adapter.CHANGED:
        return trained_tensors.put(model, adapter, told)
    return PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable)


def load_trained_on(base: Base, adapter: Path) -> Any:
    """What an adapter adds to, float32 on the CPU: the base, or the base as it was quantised for the training."""
    kind = saved_adapter.read(adapter).quantize
    if kind is None:
        return base_model.load(base.folder)
    from pipeline.model.weights import quantized

    return quantized.dequantized(base.folder, kind)


def merge(adapted: Any) -> Any:
    """Fold an adapter into its base, in place: there is never a second copy of the base.

    The update is computed in float64 and rounded once, so that machines which add up in another order
    (AVX2, AVX-512, a GPU) come to the same bytes: a release's weights can be made again on any of them.
    """
    if not isinstance(adapted, PeftModel):
        return adapted  # its tensors are the merged ones
    for name, parameter in adapted.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.double()
    return adapted.merge_and_unload()


def load_merged(base: Base, adapter: Path | None, dtype: str) -> Any:
    """The model as it is served: adapter, if any, merged in float32, rounded to `dtype`, computed in float32."""
    if adapter is None:
        merged = base_model.load(base.folder)
    else:
        merged = merge(add_adapter(load_trained_on(base, adapter), adapter, base))
    round_to(merged, dtype)
    for parameter in merged.parameters():
        parameter.data = parameter.data.float()
    return merged.eval()


def round_to(model: Any, dtype: str) -> None:
    """Round the parameters in place; buffers stay, since rotary frequencies are computed and not published."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(getattr(torch, dtype))


def left_padded(rows: Sequence[Sequence[int]], device: torch.device) -> dict[str, torch.Tensor]:
    """Rows of token ids as one batch: input_ids_BT, attention_mask_BT, position_ids_BT.

    Padding is masked, so its id does not matter; positions count from each row's own beginning.
    """
    longest = max(len(row) for row in rows)
    lengths_B1 = torch.tensor([[len(row)] for row in rows])
    ids_BT = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
    positions_BT = torch.arange(longest) - (longest - lengths_B1)
    mask_BT = (positions_BT >= 0).long()
    batch = {"input_ids": ids_BT, "attention_mask": mask_BT, "position_ids": positions_BT.clamp(min=0)}
    return {name: tensor.to(device) for name, tensor in batch.items()}


@torch.inference_mode()
def next_logits(model: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Logits of the token that follows each row, float32, on the CPU; shape (B, vocabulary)."""
    batch = left_padded(rows, next(model.parameters()).device)
    logits_BV: torch.Tensor = model(**batch, use_cache=False, logits_to_keep=1).logits[:, -1]
    return logits_BV.float().cpu()
