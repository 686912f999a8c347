"""Merged weights on disk: what LoRA changed lies in files of its own, the rest in files that all releases share.

`model-base-…` holds the tensors that no training of this adapter can change (embeddings, norms, head, …): on one
base and dtype their files have the same bytes in every release, so the DVC remote stores them once.
`model-adapted-…` holds the others. The usual index makes them one model to transformers, vLLM and others.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from safetensors import safe_open

from pipeline.common import files

LIMIT = "5GB"  # of one file; a server loads several at a time
INDEX = "model.safetensors.index.json"
_PREFIX = "base_model.model."  # of every tensor's name in an adapter that PEFT saved


def save(model: Any, adapter: Path, folder: Path, limit: str = LIMIT) -> None:
    """Write weights, index, config.json and generation_config.json of a merged model.

    Args:
        model: a transformers model, the adapter merged into it.
        adapter: the folder of that adapter; the *names* of its tensors say what it changes, so that no
            accident of training (a delta of zero) moves a tensor from one file to another.
        folder: an empty folder.
        limit: largest size of one file, such as "5GB"; a tensor above it gets a file of its own.
    """
    state = model.state_dict()
    with safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        changed = adapted(state, file.keys())
    pointers = {state[name].data_ptr() for name in changed}  # a tied tensor has two names and is saved once
    groups: dict[str, dict[str, Any]] = {"base": {}, "adapted": {}}
    for name, tensor in state.items():
        groups["adapted" if tensor.data_ptr() in pointers else "base"][name] = tensor
    weight_map: dict[str, str] = {}
    for group, tensors in groups.items():
        if tensors:
            weight_map |= _save_group(model, group, tensors, folder, limit)
    size = sum({tensor.data_ptr(): tensor.nbytes for tensor in state.values()}.values())
    files.write_json(folder / INDEX, {"metadata": {"total_size": size}, "weight_map": weight_map})


def adapted(names: Iterable[str], adapter: Iterable[str]) -> set[str]:
    """Which of a model's tensors an adapter changes, by the names of the adapter's own tensors."""
    names, found = set(names), set()
    for key in adapter:
        module, lora, rest = key.removeprefix(_PREFIX).partition(".lora_")
        if lora:
            name = f"{module}.{'bias' if rest.endswith('.bias') else 'weight'}"
        else:
            name = module = _holder(names, module)
        # A module whose parameters have other names (fused experts) counts as changed as a whole.
        found |= {name} if name in names else {other for other in names if other.startswith(f"{module}.")}
    return found


def _holder(names: Collection[str], key: str) -> str:
    """The tensor itself, or the module that PEFT's tensor belongs to: layers.0.q_proj of layers.0.q_proj.osf.U_low."""
    while key and key not in names and not any(name.startswith(f"{key}.") for name in names):
        key = key.rpartition(".")[0]
    return key


def _save_group(model: Any, group: str, tensors: dict[str, Any], folder: Path, limit: str) -> dict[str, str]:
    """Save some tensors as transformers does, under the group's file names; tensor's name -> file."""
    draft = folder / group
    model.save_pretrained(draft, state_dict=tensors, max_shard_size=limit)
    shards = sorted(draft.glob("*.safetensors"))
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{group}-{number:05}-of-{len(shards):05}.safetensors"
        shard.chmod(0o644)  # safetensors makes them private; a server runs as another user
        shard.rename(folder / name)
        with safe_open(folder / name, "pt") as file:
            weight_map |= dict.fromkeys(file.keys(), name)
    (draft / INDEX).unlink(missing_ok=True)  # of this group alone
    for path in draft.iterdir():
        path.rename(folder / path.name)
    draft.rmdir()
    return weight_map
