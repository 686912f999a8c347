"""The LoRA adapter that is trained: made new or continued from the parent's, and saved repeatably."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.initialization import no_init_weights

from pipeline import files
from pipeline.errors import GraftError
from pipeline.model import lora_settings, weights
from pipeline.model.lora_settings import Settings
from pipeline.model.pinned import Base


def new(body: Any, asked: Settings, seed: int) -> Any:
    """A new adapter on a base; the seed draws its down-projections, its up-projections are zero."""
    torch.manual_seed(seed)
    return _inject(body, asked)


def continued(body: Any, base: Base, parent: Path, asked: Settings) -> Any:
    """The parent's adapter on its base, to be trained further.

    Raises:
        GraftError: settings are asked for that a continued adapter cannot take on, each named.
    """
    found = weights.add_adapter(body, parent, base, trainable=True)
    has, wanted = set(found.base_model.targeted_module_names), _modules(base.folder, asked)
    problems = lora_settings.differences(asked, parent)
    if wanted != has:
        problems.append(f"train.targets: {_kinds(wanted)} asked for, the parent's adapter has {_kinds(has)}")
    lora_settings.refuse_if(problems)
    return found


def write(trained: Any, base: Base, folder: Path) -> None:
    """Save as PEFT does, but with bytes that repeat: float32, keys sorted, no absolute path."""
    tensors = {
        name: tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in sorted(get_peft_model_state_dict(trained, save_embedding_layers=False).items())
    }
    write_tensors(tensors, trained.peft_config["default"].to_dict(), base, folder)


def write_tensors(tensors: dict[str, torch.Tensor], config: dict[str, Any], base: Base, folder: Path) -> None:
    """Save float32 tensors, keys sorted, and their PEFT config, bound to a base."""
    config |= {"base_model_name_or_path": base.name, "revision": base.revision, "inference_mode": True}
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    # One key only: safetensors writes metadata in the order of a randomised hash map.
    files.write_bytes(folder / "adapter_model.safetensors", save(tensors, {"base": base.fingerprint}))
    files.write_json(folder / "adapter_config.json", plain)


def skeleton(base: Path, asked: Settings) -> Any:
    """A new adapter on this base, without data: no weights are loaded."""
    with torch.device("meta"), no_init_weights():
        body = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base, local_files_only=True))
        return _inject(body, asked)


def _inject(body: Any, asked: Settings) -> Any:
    config = LoraConfig(
        r=asked.rank,
        lora_alpha=asked.alpha,
        lora_dropout=asked.dropout,
        target_modules=asked.targets if isinstance(asked.targets, str) else list(asked.targets),
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(body, config)
    except ValueError as error:  # PEFT's word for targets that the base does not have
        raise GraftError(f"train.targets: {error}", help="all-linear suits every base") from None


def _modules(base: Path, asked: Settings) -> set[str]:
    """Full names of the modules that the settings mean on this base."""
    return set(skeleton(base, asked).base_model.targeted_module_names)


def _kinds(modules: Collection[str]) -> str:
    """Short names and a count, such as "q_proj, v_proj (6 modules)"."""
    return f"{', '.join(sorted({name.rpartition('.')[2] for name in modules}))} ({len(modules)} modules)"
