"""Examples -> logits at the learned positions alone, with nothing computed that the loss does not need.

Rows are padded on the right: what follows a token never reaches it in a causal model, so no mask is needed, and
attention takes its fast causal path. The output embeddings see the learned positions only, whatever the mask (an
answer at the end, the turns of a conversation, a packed text); what a model family does with its logits afterwards
(scaling, soft-capping) is done per position, so it stays exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.training.example import Example

# Shape legend: B = rows, T = tokens of the longest row, H = hidden size, N = learned positions, V = vocabulary.


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What a model says at each learned position, rows one after another."""

    logits_NV: torch.Tensor
    targets_N: torch.Tensor
    rows_N: torch.Tensor


def learned(model: Any, micro: Sequence[Example]) -> Learned:
    """One forward pass over examples.

    Args:
        model: causal language model, an adapter on it or not.
        micro: examples computed at a time.
    """
    device = next(model.parameters()).device
    longest = max(len(example.tokens) for example in micro)
    ids_BT = torch.tensor([[*example.tokens, *[0] * (longest - len(example.tokens))] for example in micro])
    flags_BT = torch.tensor([[*example.learned, *[False] * (longest - len(example.learned))] for example in micro])
    rows_N, columns_N = (places.to(device) for places in flags_BT.nonzero(as_tuple=True))
    ids_BT = ids_BT.to(device)

    def gather(_module: Any, hidden: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (hidden[0][rows_N, columns_N - 1][None], *hidden[1:])  # the state before a token predicts it

    hook = model.get_output_embeddings().register_forward_pre_hook(gather)
    try:
        logits_1NV = model(input_ids=ids_BT, use_cache=False).logits
    finally:
        hook.remove()
    return Learned(logits_NV=logits_1NV[0], targets_N=ids_BT[rows_N, columns_N], rows_N=rows_N)
