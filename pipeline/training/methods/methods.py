"""train.method and train.chain: which parameters of a model are trained, and how what they became is saved."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.model.adapter import lora_settings, saved_adapter, unfit_settings
from pipeline.model.adapter.unfit_settings import QUANTIZED
from pipeline.model.base.pinned import Base
from pipeline.model.weights import base_model, weights
from pipeline.training.methods import concatenated, full_weights, lora, peft_methods
from pipeline.training.parent.obstacles import obstacles
from pipeline.training.parent.parent_adapter import ParentAdapter
from pipeline.training.settings import TrainSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainable:
    """A model of which some parameters are trained."""

    model: Any
    groups: list[dict[str, Any]]  # AdamW's parameter groups; "share": of the learning rate
    save: Callable[[Path], Mapping[str, Any]]  # writes adapter_model.safetensors and adapter_config.json into a folder;
    # returns what training.json says of them


def trainable(base: Base, parent: ParentAdapter | None, asked: TrainSettings, device: Any) -> Trainable:
    """The model to train: the parent's adapter on its base, a new one beside it, or a new one.

    Raises:
        GraftError: settings that do not go together; or the parent cannot be continued as asked.
    """
    wanted = asked.lora
    unfit_settings.refuse_unfit(wanted)
    if parent:
        lora_settings.refuse_if(obstacles(asked, parent, base))
    body = load(base, asked, device)
    if asked.method in saved_adapter.CHANGED:
        return _replaced(body, base, parent, asked, device)
    model = _adapted(body, base, parent, asked)
    model = _on(device, model, asked)
    return Trainable(
        model=model,
        groups=_groups(model, asked.lora_plus),
        save=lambda folder: _save(model, base, parent, asked, folder),
    )


def load(base: Base, asked: TrainSettings, device: Any) -> Any:
    """The base as it is trained on: quantised, in its own dtype on a GPU, or in float32."""
    if asked.method in unfit_settings.ON_QUANTIZED:
        from pipeline.model.weights import quantized

        return quantized.load(base.folder, asked.quantize, device)
    return base_model.load(base.folder, "auto" if device.type == "cuda" else "float32", asked.machine.device_map)


def _on(device: Any, model: Any, asked: TrainSettings) -> Any:
    """The model where it is trained; a quantised base, or one that accelerate has laid out, is there already."""
    there = asked.method in unfit_settings.ON_QUANTIZED or asked.machine.device_map
    return model if there else model.to(device)


def _adapted(body: Any, base: Base, parent: ParentAdapter | None, asked: TrainSettings) -> Any:
    if parent and asked.chain == "continue":
        return weights.add_adapter(body, parent.folder, base, trainable=True)
    make = lora.new if asked.method in unfit_settings.LORA else peft_methods.new
    made = make(body, asked.lora, asked.seed)
    return concatenated.beside_parent(made, parent.folder) if parent else made


def _save(model: Any, base: Base, parent: ParentAdapter | None, asked: TrainSettings, folder: Path) -> dict[str, Any]:
    """Write an adapter; what it says of itself is carried on from one that is continued."""
    notes: dict[str, Any] = {"method": asked.method, "quantize": asked.quantize} if asked.method == QUANTIZED else {}
    has = parent.has if parent else None
    if asked.method in unfit_settings.LORA and not (has and asked.chain == "stack"):  # which has both's modules
        notes["modules"] = (has.modules if has else None) or lora_settings.modules(asked.lora)
    if lora.FROZEN in model.peft_config:
        cap = asked.stack_rank if parent else None
        return concatenated.write(model, base, asked.lora, cap, folder, **{"method": asked.method} | notes)
    if has and has.asked:
        notes |= {"method": has.method, "asked": has.asked}
    elif asked.method not in unfit_settings.LORA:
        notes |= {"method": asked.method, "asked": peft_methods.told(asked.lora)}
    lora.write(model, base, folder, **notes)
    return {}


def _groups(model: Any, lora_plus: float | None) -> list[dict[str, Any]]:
    """Parameter groups; with LoRA+ (arXiv:2402.12354) the up-projections' rate is `lora_plus` times the others'."""
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if lora_plus is None:
        return [{"params": list(trained.values()), "share": 1.0}]
    up = {name for name in trained if ".lora_B" in name or ".lora_embedding_B" in name}
    return [
        {"params": [parameter for name, parameter in trained.items() if name not in up], "share": 1.0},
        {"params": [trained[name] for name in trained if name in up], "share": lora_plus},
    ]


def _replaced(body: Any, base: Base, parent: ParentAdapter | None, asked: TrainSettings, device: Any) -> Trainable:
    model, names, config = full_weights.prepare(body, parent, asked.lora)
    model = _on(device, model, asked)
    return Trainable(
        model=model,
        groups=_by_decay(parameter for parameter in model.parameters() if parameter.requires_grad),
        save=lambda folder: full_weights.write(model, names, config, base, folder),
    )


def _by_decay(parameters: Iterable[Any]) -> list[dict[str, Any]]:
    """Weight decay pulls at matrices alone: a norm's weights are no smaller for being nearer to zero."""
    both: list[list[Any]] = [[], []]
    for parameter in parameters:
        both[parameter.ndim < 2].append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": both[0], "share": 1.0},
        {"params": both[1], "share": 1.0, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
