"""What the stage train would refuse, found before slow stages run: by files that are here, without torch."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.chain.lock.lockfile import Lock
from pipeline.common import params
from pipeline.common.errors import GraftError
from pipeline.model.adapter import lora_settings, saved_adapter
from pipeline.model.base import base_files, hub
from pipeline.training.machine import launch
from pipeline.training.settings import TrainSettings

PARENT = Path("models/parent/adapter")
WHOLE = ("full", "freeze", "expand", "qexpand")  # methods without targets


def refuse_unfit(train: Mapping[str, Any], lock: Lock, stale: Collection[str]) -> None:
    """Refuse settings that the base or the parent's adapter cannot take on.

    Args:
        train: section `train`, effective values.
        lock: names the base and the parent.
        stale: stages that would run: while `parent` is one, models/parent is another release's.

    Raises:
        GraftError: every such setting.
    """
    asked = params.build(TrainSettings, train)
    if asked.machine.launch:
        launch.read(Path(asked.machine.launch))
    if problems := _unknown_targets(asked, lock):
        raise GraftError(f"params.yaml: {problems[0]}", problems[1:], help="all-linear, or names of the base's modules")
    has_parent = lock.parent is not None and "parent" not in stale and (PARENT / saved_adapter.CONFIG).is_file()
    if has_parent and asked.chain != "fresh":
        has, wanted = saved_adapter.read(PARENT), asked.lora
        check = lora_settings.obstacles_to_stacking if asked.chain == "stack" else lora_settings.differences
        lora_settings.refuse_if(check(wanted, has))


def base_config(lock: Lock) -> Path | None:
    """The pinned base's config.json, where it is here; nothing is downloaded."""
    source = lock.base.requested.source
    if source.startswith("hf:"):
        commit = lock.base.resolved.revision
        return hub.cached(source.removeprefix("hf:"), commit, "config.json") if commit else None
    path = base_files.local_folder(source) / "config.json"
    return path if path.is_file() else None


def _unknown_targets(asked: TrainSettings, lock: Lock) -> list[str]:
    """Listed targets that no module of the base ends in; none where the base's weights are not here."""
    config = base_config(lock)
    if isinstance(asked.targets, str) or asked.method in WHOLE or config is None:
        return []
    modules = _modules(config.parent)
    return [
        f"$.train.targets: {name!r} is no module of the base"
        for name in asked.targets
        if modules and not any(f".{module}".endswith(f".{name}") for module in modules)
    ]


def _modules(folder: Path) -> set[str]:
    """Names of the modules that have weights, by the headers of the weights' files."""
    from safetensors import safe_open

    found: set[str] = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as weights:
            found |= {name.rpartition(".")[0] for name in weights.keys()}  # noqa: SIM118 - it is no mapping
    return found
