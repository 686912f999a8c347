"""State of the methods that are not LoRA: the tensors that were trained, float32, under the base's own names."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.model.adapter import saved_adapter
from pipeline.model.adapter.saved_adapter import SavedAdapter
from pipeline.model.base.pinned import Base
from pipeline.model.weights import layers


def write(model: Any, names: Collection[str], config: dict[str, Any], base: Base, folder: Path) -> None:
    """Save some of a model's parameters.

    Args:
        model: a transformers model.
        names: of parameters, as `named_parameters` has them; a tied one by its first name.
        config: what `adapter_config.json` says of them: graft_method and what makes the model again.
        base: what the others are.
        folder: where to.
    """
    state = dict(model.named_parameters())
    tensors = {name: state[name].detach().to("cpu", torch.float32).contiguous() for name in sorted(names)}
    named = {"base_model_name_or_path": base.name, "revision": base.revision}
    files.write_bytes(folder / saved_adapter.WEIGHTS, save(tensors, saved_adapter.note(base.fingerprint)))
    files.write_json(folder / saved_adapter.CONFIG, config | named)


def put(model: Any, adapter: Path, has: SavedAdapter) -> Any:
    """Lay saved tensors over a base, in place, after adding the layers that they need.

    Raises:
        GraftError: names or shapes are not the model's.
    """
    after = has.config.get("graft_expanded_after", [])
    if after:
        layers.expand(model, after)
    state, tensors = dict(model.named_parameters()), load_file(adapter / saved_adapter.WEIGHTS)
    problems = [
        f"{name}: {tuple(tensor.shape)}"
        for name, tensor in tensors.items()
        if name not in state or state[name].shape != tensor.shape
    ]
    if problems:
        raise GraftError(f"{adapter}: tensors that the base does not have", problems)
    for name, tensor in tensors.items():
        state[name].data = tensor.to(state[name].device)
    return model
