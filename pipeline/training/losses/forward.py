"""Examples -> logits at the learned positions alone, with nothing computed that the loss does not need.

Rows are padded on the right: what follows a token never reaches it in a causal model, so no mask is needed, and
attention takes its fast causal path. The output embeddings see the learned positions only, whatever the mask (an
answer at the end, the turns of a conversation, a packed text); what a model family does with its logits afterwards
(scaling, soft-capping) is done per position, so it stays exact.

Without padding, all examples stand in one row, and positions that begin again at 0 tell transformers where each begins:
attention by blocks, or flash attention's own lengths.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.training.examples.example import Example

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
    laid = (_one_row if padding_free else _padded)(micro, next(model.parameters()).device)
    logits_NV = _through(model, laid, lambda states_NH: states_NH)
    return Learned(logits_NV=logits_NV, targets_N=laid.targets_N, rows_N=laid.rows_N)


def states(model: Any, micro: Sequence[Example], *, padding_free: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """What the output embeddings would make logits of, states_NH, and targets_N; of one position alone they do."""
    laid, kept = (_one_row if padding_free else _padded)(micro, next(model.parameters()).device), []

    def keep(states_NH: torch.Tensor) -> torch.Tensor:
        kept.append(states_NH)
        return states_NH[:1]

    _through(model, laid, keep)
    return kept[0], laid.targets_N


def keeps_apart(model: Any, examples: Sequence[Example]) -> bool:
    """Whether a model says the same of examples in one row as of each in a row of its own.

    Args:
        model: causal language model; stays as it is, dropout is off meanwhile.
        examples: any; the shortest are asked about.
    """
    if "position_ids" not in inspect.signature(getattr(model, "get_base_model", lambda: model)().forward).parameters:
        return False
    return _alike(model, examples, lambda few: learned(model, few, padding_free=True).logits_NV)


def ends_with_its_head(model: Any, examples: Sequence[Example]) -> bool:
    """Whether nothing is done to logits after the output embeddings made them: no scaling, no soft cap.

    Args:
        model: causal language model; stays as it is, dropout is off meanwhile.
        examples: any; the shortest are asked about.
    """
    head = model.get_output_embeddings()
    return _alike(model, examples, lambda few: head(states(model, few)[0][None])[0], noise=1e-4)


@torch.no_grad()
def _alike(
    model: Any,
    examples: Sequence[Example],
    other: Callable[[Sequence[Example]], torch.Tensor],
    noise: float = NOISE,
) -> bool:
    few = sorted((one for one in examples if one.targets), key=lambda one: (len(one.tokens), one.id))[:FEW]
    was_training = model.training
    model.eval()
    try:
        own_NV, other_NV = learned(model, few).logits_NV.float(), other(few).float()
    finally:
        model.train(was_training)
    return bool((own_NV - other_NV).abs().mean() <= noise * own_NV.std())


def _through(model: Any, laid: "_Laid", change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Logits, rows by vocabulary, of the states that `change` makes of those before the learned tokens."""

    def gather(_module: Any, hidden: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (change(hidden[0][laid.places_N, laid.columns_N - 1])[None], *hidden[1:])  # the state before predicts it

    hook = model.get_output_embeddings().register_forward_pre_hook(gather)
    try:
        logits: torch.Tensor = model(input_ids=laid.ids_BT, use_cache=False, **laid.more).logits
    finally:
        hook.remove()
    return logits[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Laid:
    """Examples as a model reads them; learned positions by row and column, and by the example that they are of."""

    ids_BT: torch.Tensor
    places_N: torch.Tensor
    columns_N: torch.Tensor
    rows_N: torch.Tensor
    more: Mapping[str, torch.Tensor]

    @property
    def targets_N(self) -> torch.Tensor:
        """The learned tokens."""
        return self.ids_BT[self.places_N, self.columns_N]


def _padded(micro: Sequence[Example], device: torch.device) -> _Laid:
    longest = max(len(example.tokens) for example in micro)
    ids_BT = torch.tensor([[*example.tokens, *[0] * (longest - len(example.tokens))] for example in micro])
    flags_BT = torch.tensor([[*example.learned, *[False] * (longest - len(example.learned))] for example in micro])
    rows_N, columns_N = (places.to(device) for places in flags_BT.nonzero(as_tuple=True))
    return _Laid(ids_BT=ids_BT.to(device), places_N=rows_N, columns_N=columns_N, rows_N=rows_N, more={})


def _one_row(micro: Sequence[Example], device: torch.device) -> _Laid:
    ids_1T = torch.tensor([[token for example in micro for token in example.tokens]], device=device)
    learned_T = torch.tensor([flag for example in micro for flag in example.learned], device=device)
    positions_1T = torch.tensor([[place for example in micro for place in range(len(example.tokens))]], device=device)
    columns_N = learned_T.nonzero().squeeze(1)
    rows_T = (positions_1T[0] == 0).cumsum(0) - 1
    return _Laid(
        ids_BT=ids_1T,
        places_N=torch.zeros_like(columns_N),
        columns_N=columns_N,
        rows_N=rows_T[columns_N],
        more={"position_ids": positions_1T},
    )
