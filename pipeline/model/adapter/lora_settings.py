"""Whether a saved adapter can be continued with the settings of train. Loads no torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.model.adapter import saved_adapter
from pipeline.model.adapter.saved_adapter import SavedAdapter
from pipeline.model.adapter.settings import AdapterSettings
from pipeline.model.adapter.unfit_settings import LORA, QUANTIZED


def modules(asked: AdapterSettings) -> dict[str, Any]:
    """Which modules are asked for, in plain values: what an adapter is saved with."""
    layers = asked.layers
    return {
        "targets": asked.targets if isinstance(asked.targets, str) else list(asked.targets),
        "layers": dict(layers) if isinstance(layers, Mapping) else None if layers is None else list(layers),
    }


def says_so_itself(asked: AdapterSettings, has: SavedAdapter) -> bool:
    """Does an adapter say that it was asked for in these very words? If not, its modules tell, on the base alone."""
    if {asked.method, has.method} <= set(LORA):
        return has.modules == modules(asked)
    return asked.layers is None or has.method not in saved_adapter.EXPAND


def differences(asked: AdapterSettings, has: SavedAdapter) -> list[str]:
    """Which settings of a saved adapter differ from what is asked for; targets can only be compared on a model."""
    if asked.method in saved_adapter.CHANGED and has.method in saved_adapter.CHANGED:
        return _other_layers(asked, has)
    found: dict[str, tuple[Any, Any]] = {"method": (asked.method, has.method)}
    if asked.method in LORA and has.method in LORA:
        found |= {name: (getattr(asked, name), value) for name, value in _settings(has).items()}
    elif asked.method == has.method:
        found |= {name: (getattr(asked, name), value) for name, value in has.asked.items()}
    if asked.method == QUANTIZED == has.method:
        found["quantize"] = (asked.quantize, has.quantize)
    return [
        f"train.{name}: {wanted} asked for, the parent's adapter has {value}"
        for name, (wanted, value) in found.items()
        if wanted != value
    ]


def obstacles_to_stacking(asked: AdapterSettings, has: SavedAdapter) -> list[str]:
    """Why a new LoRA cannot be stacked on a saved adapter; its own rank, alpha, dropout and targets are free."""
    found = []
    if asked.method not in ("lora", QUANTIZED):
        found.append(f"train.method: {asked.method}: only LoRA adds up to one adapter; lora or qlora can be stacked")
    elif asked.method != has.method:
        found.append(f"train.method: {asked.method} asked for, the parent's adapter has {has.method}")
    elif has.quantize and has.quantize != asked.quantize:
        found.append(f"train.quantize: {asked.quantize} asked for, the parent's adapter has {has.quantize}")
    if asked.from_base:
        found.append(f"train.init: {asked.init}: a part of the base is not what is left to learn beside a parent")
    return found


def _settings(has: SavedAdapter) -> dict[str, Any]:
    """As they were asked for: a stacked adapter, or one that began with a part of the base, has another rank."""
    init = has.config.get("init_lora_weights", True)
    return {
        "rank": has.config["r"],
        "alpha": has.config["lora_alpha"],
        "dropout": has.config["lora_dropout"],
        "rslora": bool(has.config.get("use_rslora", False)),
        "init": init if isinstance(init, str) else "default",
    } | has.asked


def _other_layers(asked: AdapterSettings, has: SavedAdapter) -> list[str]:
    """Any tensor can be trained further, but new layers come only once, before the first training."""
    if asked.method == has.method or not {asked.method, has.method} & set(saved_adapter.EXPAND):
        if has.quantize in (None, asked.quantize):
            return []
        return [f"train.quantize: {asked.quantize} asked for, the parent's state has {has.quantize}"]
    return [f"train.method: {asked.method} asked for, the parent's state was made by {has.method}"]


def refuse_if(problems: Sequence[str]) -> None:
    """Raise GraftError with every problem; PEFT itself would ignore what was asked for."""
    if problems:
        raise GraftError(
            "train: the parent's adapter cannot be continued with other settings",
            problems,
            help="set them back, or graft add --full for a new one on the base; train.chain: stack adds to a LoRA",
        )
