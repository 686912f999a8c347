"""An adapter that another tool made, in PEFT's format: checked against a base, and rewritten as ours are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load

from pipeline.chain.candidate import adopted_files
from pipeline.chain.candidate.adopted_files import CONFIG, WEIGHTS
from pipeline.common.errors import GraftError
from pipeline.model.adapter import lora_settings, saved_adapter
from pipeline.model.adapter.settings import AdapterSettings
from pipeline.model.base.pinned import Base
from pipeline.training.methods import lora

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
# What the other tool may set as it likes: it is compared elsewhere, or says only where the adapter came from.
_FREE = {"r", "lora_alpha", "lora_dropout", "target_modules", "task_type", "auto_mapping", "inference_mode",
         "base_model_name_or_path", "revision", "peft_version"}  # fmt: skip
_INITIAL = (True, False, "gaussian", "eva", "orthogonal")  # the others change the base's own weights


def rewrite(source: Path, base: Base, asked: AdapterSettings, target: Path) -> list[str]:
    """Write an adapter that continues the one in `source` to `target`: same tensors, as `train` would save them.

    Args:
        source: folder with adapter_config.json and adapter_model.safetensors.
        base: the pinned base, whose files were verified.
        asked: what params.yaml asks of an adapter.
        target: an empty folder.

    Returns:
        Warnings: what cannot be proved, one line each.

    Raises:
        GraftError: it does not fit base and params, or cannot be continued; every reason at once.
    """
    adopted_files.require_weights(source)
    config, tensors = adopted_files.read_config(source), _tensors(source)
    new = lora.skeleton(base.folder, asked)  # what a new adapter would be, without data
    wanted = get_peft_model_state_dict(new, save_embedding_layers=False)
    problems = [*_unlike_ours(config), *_other_base(config, base)]
    problems += [
        line.replace("the parent's adapter", "this one")
        for line in lora_settings.differences(asked, saved_adapter.read(source))
    ]
    problems += _misfits(tensors, {name: tuple(tensor.shape) for name, tensor in wanted.items()})
    if problems:
        raise GraftError(
            f"{source}: cannot be adopted on {base.name}",
            problems,
            help="set train.rank, alpha, dropout and targets as the adapter has them, and base.source to its base",
        )
    exact = {name: tensors[name].to(torch.float32).contiguous() for name in sorted(tensors)}
    lora.write_tensors(exact, new.peft_config["default"].to_dict(), base, target)
    return _unproved(config, base)


def _tensors(source: Path) -> dict[str, torch.Tensor]:
    path = source / WEIGHTS
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise GraftError(f"{path}: not a safetensors file: {error}") from None


def _unlike_ours(config: Mapping[str, Any]) -> list[str]:
    """Settings that training on would ignore or change: DoRA, rsLoRA, modules_to_save and so on."""
    plain = LoraConfig().to_dict() | {"peft_type": "LORA"}
    found = [
        f"{CONFIG}: {name} is {value!r}: this Graft continues plain LoRA only"
        for name, value in sorted(config.items())
        if name not in {*_FREE, "init_lora_weights"} and value != plain.get(name) and value not in (None, False, [], {})
    ]
    initial = config.get("init_lora_weights", True)
    if initial not in _INITIAL:
        found.append(f"{CONFIG}: init_lora_weights is {initial!r}: its base is not the pinned one, but was changed")
    return found


def _other_base(config: Mapping[str, Any], base: Base) -> list[str]:
    """A hub's name that is another hub's name; folders are called differently on every machine."""
    named = str(config.get("base_model_name_or_path"))
    folder = named.count("/") != 1 or named.startswith((".", "/", "~"))
    if base.revision is None or folder or named == base.name:
        return []
    return [f"{CONFIG}: base_model_name_or_path is {named}, the pinned base {base.name}"]


def _unproved(config: Mapping[str, Any], base: Base) -> list[str]:
    named, revision = config.get("base_model_name_or_path"), config.get("revision")
    same = str(named).removeprefix("./") == base.name.removeprefix("./")
    found = [] if same else [f"it was trained on {named}; names and shapes fit {base.name}"]
    return found + (
        [f"it was trained on revision {revision}, pinned is {base.revision}"]
        if revision not in (None, base.revision)
        else []
    )


def _misfits(tensors: Mapping[str, torch.Tensor], wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Tensors that are missing, that nobody asked for, or of another shape or type."""
    found = [f"{WEIGHTS}: {name}: missing" for name in sorted(wanted.keys() - tensors.keys())]
    found += [f"{WEIGHTS}: {name}: no such module is trained here" for name in sorted(tensors.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & tensors.keys()):
        tensor = tensors[name]
        if tuple(tensor.shape) != wanted[name]:
            found.append(f"{WEIGHTS}: {name}: shape {tuple(tensor.shape)}, here {wanted[name]}")
        elif tensor.dtype not in _DTYPES:
            found.append(f"{WEIGHTS}: {name}: {tensor.dtype}, not float32, float16 or bfloat16")
        elif not torch.isfinite(tensor).all():
            found.append(f"{WEIGHTS}: {name}: holds values that are no numbers")
    return found
