"""Examples -> logits at the learned positions alone, with nothing computed that the loss does not need.

Rows are padded on the right: what follows a token never reaches it in a causal model, so no mask is needed, and
attention takes its fast causal path. The output embeddings see the learned positions only, whatever the mask (an
answer at the end, the turns of a conversation, a packed text); what a model family does with its logits afterwards
(scaling, soft-capping) is done per position, so it stays exact.

Without padding, all examples stand in one row, and positions that begin again at 0 tell transformers where each begins:
attention by blocks, or flash attention's own lengths.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.training.example import Example

# Shape legend: B = rows, T = tokens of the longest row, H = hidden size, N = learned positions, V = vocabulary.

FEW = 3  # examples that tell whether a model keeps them apart
NOISE = 0.02  # of the logits' spread: how far rounding alone may move them, in bfloat16 too


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What a model says at each learned position, rows one after another."""

    logits_NV: torch.Tensor
    targets_N: torch.Tensor
    rows_N: torch.Tensor


def learned(model: Any, micro: Sequence[Example], *, padding_free: bool = False) -> Learned:
    """One forward pass over examples.

    Args:
        model: causal language model, an adapter on it or not.
        micro: examples computed at a time.
        padding_free: in one row; the model must keep them apart, see `keeps_apart`.
    """
    device = next(model.parameters()).device
    ids_BT, flags_BT, more = _one_row(micro) if padding_free else _padded(micro)
    rows_N, columns_N = (places.to(device) for places in flags_BT.nonzero(as_tuple=True))
    ids_BT, more = ids_BT.to(device), {name: value.to(device) for name, value in more.items()}

    def gather(_module: Any, hidden: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (hidden[0][rows_N, columns_N - 1][None], *hidden[1:])  # the state before a token predicts it

    hook = model.get_output_embeddings().register_forward_pre_hook(gather)
    try:
        logits_1NV = model(input_ids=ids_BT, use_cache=False, **more).logits
    finally:
        hook.remove()
    targets_N = ids_BT[rows_N, columns_N]
    if padding_free:
        starts_N = (more["position_ids"][0] == 0).cumsum(0) - 1
        rows_N = starts_N[columns_N]
    return Learned(logits_NV=logits_1NV[0], targets_N=targets_N, rows_N=rows_N)


@torch.no_grad()
def keeps_apart(model: Any, examples: Sequence[Example]) -> bool:
    """Whether a model says the same of examples in one row as of each in a row of its own.

    Args:
        model: causal language model; stays as it is, dropout is off meanwhile.
        examples: any; the shortest are asked about.
    """
    if "position_ids" not in inspect.signature(getattr(model, "get_base_model", lambda: model)().forward).parameters:
        return False
    few = sorted((one for one in examples if one.targets), key=lambda one: (len(one.tokens), one.id))[:FEW]
    was_training = model.training
    model.eval()
    try:
        apart_NV, together_NV = (learned(model, few, padding_free=free).logits_NV.float() for free in (False, True))
    finally:
        model.train(was_training)
    return bool((apart_NV - together_NV).abs().mean() <= NOISE * apart_NV.std())


Laid = tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]  # ids, which are learned, further inputs


def _padded(micro: Sequence[Example]) -> Laid:
    longest = max(len(example.tokens) for example in micro)
    ids_BT = torch.tensor([[*example.tokens, *[0] * (longest - len(example.tokens))] for example in micro])
    flags_BT = torch.tensor([[*example.learned, *[False] * (longest - len(example.learned))] for example in micro])
    return ids_BT, flags_BT, {}


def _one_row(micro: Sequence[Example]) -> Laid:
    ids_1T = torch.tensor([[token for example in micro for token in example.tokens]])
    flags_1T = torch.tensor([[flag for example in micro for flag in example.learned]])
    positions_1T = torch.tensor([[place for example in micro for place in range(len(example.tokens))]])
    return ids_1T, flags_1T, {"position_ids": positions_1T}
