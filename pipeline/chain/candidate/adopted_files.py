"""Files of an adapter that another tool made: read here without torch, so that a wrong folder is refused at once."""

import json
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def read_config(source: Path) -> dict[str, Any]:
    """Content of adapter_config.json.

    Raises:
        GraftError: it is missing, is not JSON, or is not a LoRA adapter's.
    """
    path = source / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GraftError(f"{path}: no such file", help="the folder that PEFT's save_pretrained wrote") from None
    except (ValueError, OSError) as error:
        raise GraftError(f"{path}: not JSON: {error}") from None
    lacking = [name for name in ("r", "lora_alpha", "lora_dropout", "target_modules") if name not in config]
    if config.get("peft_type") != "LORA" or lacking:
        raise GraftError(f"{path}: not a LoRA adapter's", [f"peft_type: {config.get('peft_type')}", *lacking])
    return dict(config)


def require_weights(source: Path) -> None:
    """Refuse a folder without safetensors: a pickle runs code when it is read.

    Raises:
        GraftError: adapter_model.safetensors is missing; the pickles beside it are named.
    """
    path = source / WEIGHTS
    if not path.is_file():
        pickles = sorted(file.name for file in source.glob("*.bin"))
        raise GraftError(
            f"{path}: no such file",
            [f"{name}: a pickle runs code when it is read, and is never loaded" for name in pickles],
            help="save the adapter again, with safe_serialization=True",
        )
