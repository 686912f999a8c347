"""train.method and train.chain: which parameters of a model are trained, and how what they became is saved."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.model import lora, lora_settings, saved, weights
from pipeline.model.lora_settings import QUANTIZED
from pipeline.model.pinned import Base
from pipeline.training import joined, others, replaced
from pipeline.training.settings import Params


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainable:
    """A model of which some parameters are trained."""

    model: Any
    groups: list[dict[str, Any]]  # AdamW's parameter groups; "share": of the learning rate
    save: Callable[[Path], Mapping[str, Any]]  # writes adapter_model.safetensors and adapter_config.json into a folder;
    # returns what training.json says of them


def trainable(base: Base, parent: Path | None, asked: Params, device: Any) -> Trainable:
    """The model to train: the parent's adapter on its base, a new one beside it, or a new one.

    Raises:
        GraftError: settings that do not go together; or the parent cannot be continued as asked.
    """
    wanted = asked.lora
    lora_settings.refuse_unfit(wanted)
    if asked.method not in lora_settings.LORA + saved.CHANGED:
        others.refuse_unless_it_works(wanted)
    if parent:
        weights.check_base(parent, base)
        problems = (
            joined.obstacles(wanted, parent) if asked.chain == "stack" else lora_settings.differences(wanted, parent)
        )
        lora_settings.refuse_if(problems)
    body = load(base, asked, device)
    if asked.method in saved.CHANGED:
        return _replaced(body, base, parent, asked, device)
    model = _adapted(body, base, parent, asked)
    model = model if asked.method == QUANTIZED else model.to(device)  # a quantised base is where it belongs
    return Trainable(
        model=model,
        groups=_groups(model, asked.lora_plus),
        save=lambda folder: _save(model, base, parent, asked, folder),
    )


def load(base: Base, asked: Params, device: Any) -> Any:
    """The base as it is trained on: quantised, in its own dtype on a GPU, or in float32."""
    if asked.method == QUANTIZED:
        from pipeline.model import quantized

        return quantized.load(base.folder, asked.quantize, device)
    return weights.load_base(base.folder, "auto" if device.type == "cuda" else "float32")


def _adapted(body: Any, base: Base, parent: Path | None, asked: Params) -> Any:
    wanted = asked.lora
    if asked.method not in lora_settings.LORA:
        return others.continued(body, base, parent, wanted) if parent else others.new(body, wanted, asked.seed)
    if parent and asked.chain == "stack":
        return joined.beside_parent(lora.new(body, wanted, asked.seed), parent)
    return lora.continued(body, base, parent, wanted) if parent else lora.new(body, wanted, asked.seed)


def _save(model: Any, base: Base, parent: Path | None, asked: Params, folder: Path) -> dict[str, Any]:
    """Write an adapter; what it says of itself is carried on from one that is continued."""
    quantize: dict[str, Any] = {"quantize": asked.quantize} if asked.method == QUANTIZED else {}
    if lora.FROZEN in model.peft_config:
        cap = asked.stack_rank if asked.chain == "stack" and parent else None
        return joined.write(model, base, asked.lora, cap, folder, **quantize)
    notes: dict[str, Any] = {"asked": has} if parent and (has := saved.read(parent).asked) else {}
    if quantize or notes:
        notes["method"] = asked.method
    lora.write(model, base, folder, **quantize, **notes)
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


def _replaced(body: Any, base: Base, parent: Path | None, asked: Params, device: Any) -> Trainable:
    model, names, config = replaced.prepare(body, parent, asked.lora)
    model = model.to(device)
    return Trainable(
        model=model,
        groups=_by_decay(parameter for parameter in model.parameters() if parameter.requires_grad),
        save=lambda folder: replaced.write(model, names, config, base, folder),
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
