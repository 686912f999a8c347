"""full, freeze, expand: the base's own tensors are trained, in float32, and published in place of the base's."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from pipeline.common.errors import GraftError
from pipeline.model.adapter import saved_adapter
from pipeline.model.adapter.saved_adapter import SavedAdapter
from pipeline.model.adapter.settings import AdapterSettings
from pipeline.model.adapter.unfit_settings import ON_QUANTIZED
from pipeline.model.base.pinned import Base
from pipeline.model.weights import layers, trained_tensors
from pipeline.training.parent.parent_adapter import ParentAdapter

_PROBE = 8  # tokens that an expanded model is compared with its base on
_TOLERANCE = 1e-4  # of logits; float32


def prepare(body: Any, parent: ParentAdapter | None, asked: AdapterSettings) -> tuple[Any, set[str], dict[str, Any]]:
    """Thaw what is trained, on the base or on the parent's state.

    Returns:
        The model; names of the parameters to save: those trained now, and those that the parent's chain has changed;
        and what adapter_config.json says.

    Raises:
        GraftError: the model has no such layers, or none of its tensors is meant.
    """
    has = parent.has if parent else None
    after = has.config.get("graft_expanded_after", []) if has else []
    if parent:
        body = trained_tensors.put(body, parent.folder, parent.has)
    elif asked.method in saved_adapter.EXPAND:
        after = layers.spread(asked.layers, len(layers.stack(body)[1]))
        _expand(body, after)
    trained = _meant(body, asked, after)
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name in trained)
        if name in trained:
            parameter.data = parameter.data.float()
    names = trained | (set(has.config["graft_tensors"]) if has else set())
    config: dict[str, Any] = {"graft_method": asked.method, "graft_tensors": sorted(names)}
    if after:
        config["graft_expanded_after"] = list(after)
    if asked.method in ON_QUANTIZED:
        config["graft_quantize"] = asked.quantize
    return body, names, config


def other_layers(base: Path, asked: AdapterSettings, has: SavedAdapter) -> list[str]:
    """How the places of new layers that are asked for differ from a parent's; one problem or none."""
    after = sorted(has.config["graft_expanded_after"])
    if asked.layers is None:
        return []
    config = AutoConfig.from_pretrained(base, local_files_only=True)
    wanted = layers.spread(asked.layers, config.get_text_config().num_hidden_layers)
    if wanted == after:
        return []
    return [f"train.layers: copies after layers {wanted} asked for, the parent's state has them after {after}"]


def write(model: Any, names: Collection[str], config: dict[str, Any], base: Base, folder: Path) -> dict[str, Any]:
    """Save the trained tensors; returns nothing that training.json would not know."""
    trained_tensors.write(model, names, config, base, folder)
    return {}


def _meant(body: Any, asked: AdapterSettings, after: Collection[int]) -> set[str]:
    """Names of the parameters that a method trains; a tied one counts under its first name."""
    every = dict(body.named_parameters())
    if asked.method == "full":
        return set(every)
    name, stack = layers.stack(body)
    if asked.method in saved_adapter.EXPAND:
        numbers = [number + place + 1 for place, number in enumerate(sorted(after))]
    else:
        numbers = layers.chosen(asked.layers, len(stack)) if asked.layers is not None else []
    found = {key for key in every if any(key.startswith(f"{name}.{number}.") for number in numbers)}
    if asked.modules is not None:
        found |= _matching(body, asked.modules)
    return found


def _matching(body: Any, pattern: str) -> set[str]:
    first = {id(parameter): name for name, parameter in body.named_parameters()}
    every = body.named_parameters(remove_duplicate=False)
    found = {first[id(parameter)] for name, parameter in every if re.search(pattern, name)}
    if not found:
        raise GraftError(f"train.modules: no tensor's name matches {pattern}", help=", ".join(list(first.values())[:5]))
    return found


@torch.no_grad()
def _expand(body: Any, after: Collection[int]) -> None:
    """Put the layers in, and make sure that the model still says what the base says."""
    body.eval()
    ids = torch.arange(_PROBE, device=next(body.parameters()).device)[None]
    before = body(input_ids=ids, use_cache=False).logits
    layers.expand(body, sorted(after))
    difference = float((body(input_ids=ids, use_cache=False).logits - before).abs().max())
    if not difference <= _TOLERANCE:
        raise GraftError(
            f"train.method: expand: with the new layers, logits differ from the base's by {difference:.3g}",
            help="this architecture cannot be expanded; train.method: freeze",
        )
