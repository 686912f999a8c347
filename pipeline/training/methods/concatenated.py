"""A trained LoRA beside a frozen one, published as one: the parent's, or the part of the base that it began with."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.model.adapter.settings import AdapterSettings
from pipeline.model.base.pinned import Base
from pipeline.training.methods import lora, stack


def beside_parent(made: Any, parent: Path) -> Any:
    """The parent's adapter, frozen, beside a new one."""
    made.load_adapter(str(parent), adapter_name=lora.FROZEN, is_trainable=False)
    lora.beside(made)
    return made


def write(made: Any, base: Base, asked: AdapterSettings, cap: int | None, folder: Path, **notes: Any) -> dict[str, Any]:
    """Save both as one LoRA of plain scaling against the original base.

    Args:
        made: a model with the adapters `default` and `frozen`.
        base: the pinned one.
        asked: of the trained one; kept with it, so that a child which asks for the same may continue it.
        cap: highest rank; null: none.
        folder: where to.
        notes: more for the metadata.

    Returns:
        For training.json: rank, and stack_error, the share of the update that compressing lost; null: exact.
    """
    frozen, ours = made.peft_config[lora.FROZEN], made.peft_config[lora.ADAPTER]
    parts = [(lora.tensors(made, lora.FROZEN), _scaling(frozen)), (lora.tensors(made), _scaling(ours))]
    tensors, scaling = stack.concatenated(parts)
    error = None
    if cap is not None and stack.rank(tensors) > cap:
        tensors, error = stack.compressed(tensors, cap)
        print(f"train: stacked, compressed to rank {cap}: {error:.3%} of the update is lost", flush=True)
    rank = stack.rank(tensors)
    config = ours.to_dict() | {"r": rank, "lora_alpha": scaling * rank, "use_rslora": False, "init_lora_weights": True}
    if set(parts[0][0]) != set(parts[1][0]):
        config |= {"target_modules": _modules(tensors), "exclude_modules": None}
    kept = {name: getattr(asked, name) for name in ("rank", "alpha", "dropout", "rslora", "init")}
    lora.write_tensors(tensors, config, base, folder, asked=kept, **notes)
    return {"rank": rank, "stack_error": error}


def _scaling(config: Any) -> float:
    return float(config.lora_alpha / (config.r**0.5 if config.use_rslora else config.r))


def _modules(names: Collection[str]) -> list[str]:
    return sorted({name.removeprefix("base_model.model.").partition(".lora_")[0] for name in names})
