"""What a saved adapter is, by its two files alone. Loads no torch.

Changed tensors say in `adapter_config.json`, PEFT's own format (whose config takes no further keys) in the metadata of
the weights, what they are and what was asked for.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.model.base.pinned import Base

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
EXPAND = ("expand", "qexpand")  # qexpand: on a quantised base
CHANGED = ("full", "freeze", *EXPAND)  # methods that publish tensors in place of the base's own


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedAdapter:
    """An adapter folder."""

    base: str | None  # fingerprint of the base
    method: str
    quantize: str | None  # of the base that it was trained on: nf4, int8
    asked: dict[str, Any]  # settings that its config does not show as they were asked for: rank, alpha, init, rslora
    modules: dict[str, Any] | None  # LoRA: `targets` and `layers`, in the words in which they were asked for
    config: dict[str, Any]


def read(adapter: Path) -> SavedAdapter:
    """Facts of an adapter that a stage wrote; one that PEFT wrote has no base."""
    config = files.read_json(adapter / CONFIG)
    told = metadata(adapter / WEIGHTS)
    notes = json.loads(told.get("graft", "{}"))
    return SavedAdapter(
        base=notes.get("base", told.get("base")),
        method=config.get("graft_method") or notes.get("method") or _method(config),
        quantize=notes.get("quantize", config.get("graft_quantize")),
        asked=notes.get("asked", {}),
        modules=notes.get("modules"),
        config=config,
    )


def check_base(adapter: Path, base: Base) -> SavedAdapter:
    """What an adapter is, once it is sure that it was trained on the pinned base.

    Raises:
        GraftError: it was not.
    """
    told = read(adapter)
    if told.base != base.fingerprint:
        raise GraftError(
            f"{adapter}: trained on another base than the pinned one",
            [f"fingerprint of its base: {told.base}", f"of the pinned one, {base.name}: {base.fingerprint}"],
            help="a chain keeps its base: set base.source and base.revision back, or begin a chain of its own",
        )
    return told


def metadata(path: Path) -> dict[str, str]:
    """Metadata of a safetensors file, read from its first bytes.

    Source: the format, https://github.com/huggingface/safetensors#format
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return dict(json.loads(file.read(size)).get("__metadata__", {}))


def note(base: str, **notes: Any) -> dict[str, str]:
    """Metadata to save: one key only, since safetensors writes several in the order of a randomised hash map."""
    if not notes:
        return {"base": base}
    return {"graft": json.dumps({"base": base} | notes, sort_keys=True)}


def _method(config: dict[str, Any]) -> str:
    kind = str(config.get("peft_type", "LORA")).lower()
    return "dora" if kind == "lora" and config.get("use_dora") else kind
