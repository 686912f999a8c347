"""Decoder layers: which of them are meant, where a model keeps them, and copies of them put between."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from pipeline.common.errors import GraftError

# What writes to the residual stream, in the families that transformers knows: a layer whose outputs are zero
# passes its input on. Llama, Qwen, Mistral, Gemma, Phi | GPT-2 | BLOOM, Falcon, GPT-NeoX | OPT
_OUTPUTS = {"o_proj", "down_proj", "c_proj", "dense", "dense_4h_to_h", "out_proj", "fc2"}


def stack(model: Any) -> tuple[str, nn.ModuleList]:
    """Name and list of a model's decoder layers.

    Raises:
        GraftError: it has none that its config counts.
    """
    count = model.config.get_text_config().num_hidden_layers
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return name, module
    raise GraftError(f"train.layers: {type(model).__name__} keeps its {count} layers in no list", help="layers: null")


def chosen(asked: Mapping[str, int] | Sequence[int] | None, count: int) -> list[int]:
    """Numbers of the layers that `train.layers` means, of `count`, counted from 0, the first computed first.

    Raises:
        GraftError: it names layers that there are not.
    """
    if asked is None:
        return list(range(count))
    if isinstance(asked, Mapping):
        wanted = max(asked.values())
        numbers = list(range(count))[-wanted:] if "top" in asked else list(range(count))[:wanted]
        problems = [f"{wanted} asked for"] if wanted > count else []
    else:
        numbers = sorted(set(asked))
        problems = [f"layer {number}" for number in numbers if not 0 <= number < count]
    if problems:
        raise GraftError(f"train.layers: the model has {count} layers, counted from 0", problems)
    return numbers


def spread(asked: Mapping[str, int] | Sequence[int] | None, count: int) -> list[int]:
    """After which of `count` layers `expand` puts a copy: {top: N} is N of them, each at the end of an equal part.

    Source: LLaMA-Pro, arXiv:2401.02415: 8 new ones in 32, the default here: a quarter.

    Raises:
        GraftError: it names layers that there are not; or a bottom, which would say nothing.
    """
    if asked is None:
        asked = {"top": max(1, count // 4)}
    if isinstance(asked, Mapping):
        wanted = asked.get("top", 0)
        if not 1 <= wanted <= count:
            raise GraftError(f"train.layers: {dict(asked)}", help=f"expand takes {{top: 1 to {count}}} or a list")
        return [count * (part + 1) // wanted - 1 for part in range(wanted)]
    return chosen(asked, count)


def expand(model: Any, after: Sequence[int]) -> list[int]:
    """Put a copy of each named layer behind it, its outputs zeroed: at first the model says what it said before.

    The config follows: number of layers, and every list in it that has an entry for each.

    Returns:
        Numbers of the new layers in the expanded model.

    Raises:
        GraftError: nothing in a layer is known to be an output.
    """
    _, old = stack(model)
    config, count = model.config.get_text_config(), len(old)
    order = [index for number in range(count) for index in ([number, number] if number in after else [number])]
    new = [place for place in range(1, len(order)) if order[place] == order[place - 1]]
    layers = [copy.deepcopy(old[number]) if place in new else old[number] for place, number in enumerate(order)]
    for place in new:
        if getattr(model, "is_quantized", False):
            from pipeline.model.weights import quantized

            quantized.thaw(layers[place])
        _silence(layers[place])
    for place, layer in enumerate(layers):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):  # where the cache keeps its keys and values
                module.layer_idx = place  # type: ignore[assignment] # torch calls every attribute a tensor
    for place, layer in enumerate(layers[:count]):
        old[place] = layer
    old.extend(layers[count:])
    for key, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == count:
            setattr(config, key, [value[number] for number in order])
    config.num_hidden_layers = len(order)
    return new


def _silence(layer: Any) -> None:
    outputs = [module for name, module in layer.named_modules() if name.rpartition(".")[2] in _OUTPUTS]
    if len(outputs) < 2:  # attention's and the feed-forward's
        raise GraftError(f"train.method: expand: outputs of a {type(layer).__name__} are not known", help="freeze")
    for module in outputs:
        for parameter in module.parameters():
            parameter.data.zero_()
