"""train.method: which parameters of a model are trained, and how what they became is saved."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import GraftError
from pipeline.model import lora, weights
from pipeline.model.pinned import Base
from pipeline.training.settings import Params


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainable:
    """A model of which some parameters are trained."""

    model: Any
    groups: list[dict[str, Any]]  # AdamW's parameter groups; "share": of the learning rate
    save: Callable[[Path], None]  # writes adapter_model.safetensors and adapter_config.json into a folder


def trainable(base: Base, parent: Path | None, asked: Params, device: Any) -> Trainable:
    """The model to train: the parent's adapter on its base, or a new one.

    Raises:
        GraftError: the method is not one of ours; or the parent cannot be continued as asked.
    """
    if asked.method != "lora":
        raise GraftError(f"train.method: {asked.method}: not known", help="lora")
    body = weights.load_base(base.folder, "auto" if device.type == "cuda" else "float32")
    adapted = lora.continued(body, base, parent, asked.lora) if parent else lora.new(body, asked.lora, asked.seed)
    adapted = adapted.to(device)
    parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    return Trainable(
        model=adapted,
        groups=[{"params": parameters, "share": 1.0}],
        save=lambda folder: lora.write(adapted, base, folder),
    )
