"""Classification by likelihood: which label, its end of turn included, does the model find most likely?

What all prompts begin with, such as an instruction, is computed once, and so is each prompt. A label is at most as
likely as its first token: where only those within reach of the best one are asked for, the others cost nothing. The
few that are left get a copy of their prompt's keys and values. Where many are, all stand behind the prompt as a tree,
in one row: a token sees the prompt and the tokens before it in its own label, so that a label costs only those of its
tokens that no other label begins with.
"""

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from pipeline.model.scoring import label_tree
from pipeline.model.scoring.label_tree import LabelTree
from pipeline.model.weights.weights import left_padded

# Shape legend: B = prompts of a batch, P = prompt tokens, L = labels, R = pairs of a prompt and a label, T = tokens of
# the longest label, N = nodes of the labels' tree, S = steps in it, V = vocabulary, X = what a node may see.

ROWS = 1024  # prompt-label pairs, or prompts times nodes, computed at a time
LOGITS = 2**26  # figures of an output computed at a time: bounds memory, whatever the labels and the vocabulary
SHARED = 8  # tokens: from here on what all prompts begin with is worth a pass of its own
PROMPTS = (
    16  # at a time, or a multiple, beside labels of many tokens: more would part their tree, computed in part twice
)
FEW = 0.25  # of all pairs: up to here each is computed by itself


@torch.inference_mode()
def label_scores(
    model: Any,
    prompts: Sequence[list[int]],
    labels: Sequence[list[int]],
    batch_size: int,
    *,
    within: float | None = None,
    per_token: bool = False,
) -> torch.Tensor:
    """Log-likelihood (nats) of every label after every prompt.

    Args:
        model: causal language model, in evaluation mode.
        prompts: token ids, at least one each.
        labels: token ids, each with the token that ends it; any lengths, one may begin like another.
        batch_size: prompts computed at a time.
        within: nats; labels that are less likely than the prompt's best by more may be left at minus infinity, and are
            where their first token says as much. None: every label is computed.
        per_token: `within` is of log-likelihoods divided by the label's tokens.

    Returns:
        scores_PL, float32, on the CPU: a row for each prompt, in the order given.
    """
    scores_PL = torch.empty(len(prompts), len(labels))
    if not (prompts and labels):
        return scores_PL
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))  # little padding
    positions = max(1, min(ROWS, LOGITS // model.config.get_text_config().vocab_size))
    fit = positions // max(1, max(map(len, labels)) - 1)  # beside the longest label
    quick = max(1, positions // max(1, sum(map(len, labels)) - len(labels)) // PROMPTS) * PROMPTS
    batch_size = max(1, min(batch_size, len(prompts), fit, quick))
    asked = _Labels(model, labels, positions, batch_size, within, per_token)
    begun = _Begun(model, prompts if asked.plain and len(prompts) > 1 else prompts[:0])
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        scores_PL[batch] = asked.score(_Prompts(model, begun, [prompts[index] for index in batch])).float().cpu()
    return scores_PL


def _plain(model: Any) -> bool:
    """Whether a mask and positions say all that a token of this model sees: no sliding windows, ALiBi, states."""
    config = model.config.get_text_config()
    return (
        "position_ids" in inspect.signature(model.forward).parameters
        and not getattr(config, "alibi", False)
        and config._attn_implementation in ("sdpa", "eager")
        and all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)
    )


class _Begun:
    """What all prompts begin with, computed once; nothing, if it is short."""

    def __init__(self, model: Any, prompts: Sequence[list[int]]) -> None:
        known = label_tree.common(prompts) if prompts else 0
        self.tokens = known if known >= SHARED else 0
        self.cache = None
        if self.tokens:
            ids_BP = torch.tensor([prompts[0][: self.tokens]], device=next(model.parameters()).device)
            self.cache = model(input_ids=ids_BP, use_cache=True, logits_to_keep=1).past_key_values

    def copied(self, many: int) -> Any:
        """Keys and values for a batch to append its own to; None: there are none."""
        if self.cache is None:
            return None
        copied = copy.deepcopy(self.cache)
        copied.batch_repeat_interleave(many)
        return copied


class _Prompts:
    """A batch of prompts, computed: what each of them sees, its keys and values, and what it says next."""

    def __init__(self, model: Any, begun: _Begun, prompts: Sequence[list[int]]) -> None:
        inputs = left_padded([prompt[begun.tokens :] for prompt in prompts], next(model.parameters()).device)
        inputs["position_ids"] += begun.tokens
        self.mask_BP = torch.nn.functional.pad(inputs.pop("attention_mask"), (begun.tokens, 0), value=1)
        said = model(
            **inputs,
            attention_mask=self.mask_BP,
            past_key_values=begun.copied(len(prompts)),
            use_cache=True,
            logits_to_keep=1,
        )
        self.cache, self.first_BV = said.past_key_values, said.logits[:, -1].float().log_softmax(-1)


class _Labels:
    """The labels, ready to be asked for after any prompts."""

    def __init__(
        self,
        model: Any,
        labels: Sequence[list[int]],
        positions: int,
        batch_size: int,
        within: float | None,
        per_token: bool,
    ) -> None:
        device, longest = next(model.parameters()).device, max(map(len, labels))
        self.model, self.within, self.plain, self.positions = model, within, _plain(model), positions
        self.trees = list(label_tree.trees(labels, max(1, positions // batch_size))) if self.plain else []
        self.labels_LT = torch.tensor([label + [0] * (longest - len(label)) for label in labels], device=device)
        self.lengths_L = torch.tensor([len(label) for label in labels], device=device)
        self.units_L = self.lengths_L if per_token else torch.ones_like(self.lengths_L)

    def score(self, prompts: _Prompts) -> torch.Tensor:
        """scores_BL of a batch."""
        first_BL = prompts.first_BV[:, self.labels_LT[:, 0]]
        left_BL = torch.ones_like(first_BL, dtype=torch.bool)
        if self.within is None:
            return self._all(prompts, first_BL, left_BL)
        at_most_BL, rows_B = first_BL / self.units_L, torch.arange(len(first_BL), device=first_BL.device)
        place_B = at_most_BL.argmax(1)
        sure_BL = at_most_BL >= at_most_BL[rows_B, place_B][:, None] - self.within  # no label can put them out of reach
        if self.plain and sure_BL.sum() > FEW * sure_BL.numel():
            return self._all(prompts, first_BL, left_BL)
        scores_B = self._pairs(prompts, first_BL, rows_B, place_B)
        left_BL = ~(at_most_BL < (scores_B / self.units_L[place_B])[:, None] - self.within)  # what is no number stays
        left_BL[rows_B, place_B] = False
        if self.plain and left_BL.sum() > FEW * left_BL.numel():
            return self._all(prompts, first_BL, left_BL)
        scores_BL = self._some(prompts, first_BL, left_BL)
        scores_BL[rows_B, place_B] = scores_B
        return scores_BL

    def _all(self, prompts: _Prompts, first_BL: torch.Tensor, left_BL: torch.Tensor) -> torch.Tensor:
        if not self.plain:
            return self._some(prompts, first_BL, left_BL)
        scores_BL = first_BL.clone()
        for tree in self.trees:
            if tree.tokens:
                scores_BL[:, tree.labels] += _behind(self.model, prompts, tree)
        return scores_BL

    def _some(self, prompts: _Prompts, first_BL: torch.Tensor, left_BL: torch.Tensor) -> torch.Tensor:
        scores_BL = torch.full_like(first_BL, -torch.inf)
        row_R, place_R = left_BL.nonzero(as_tuple=True)
        by_length_R = self.lengths_L[place_R].argsort(stable=True)  # one long label must not pad all others
        row_R, place_R = row_R[by_length_R], place_R[by_length_R]
        lengths, end = self.lengths_L[place_R].tolist(), len(place_R)
        while end:
            start = max(0, end - max(1, self.positions // max(1, lengths[end - 1] - 1)))
            row, place = row_R[start:end], place_R[start:end]
            scores_BL[row, place] = self._pairs(prompts, first_BL, row, place)
            end = start
        return scores_BL

    def _pairs(
        self, prompts: _Prompts, first_BL: torch.Tensor, row_R: torch.Tensor, place_R: torch.Tensor
    ) -> torch.Tensor:
        """scores_R: the first token's comes from the prompt; the others' from one pass over all but the last token."""
        lengths_R, scores_R = self.lengths_L[place_R], first_BL[row_R, place_R]
        longest = int(lengths_R.max()) if len(lengths_R) else 0
        if longest <= 1:
            return scores_R
        labels_RT = self.labels_LT[place_R, :longest]
        cache = copy.deepcopy(prompts.cache)  # the pass appends to it
        cache.batch_select_indices(row_R)
        # Padding stands after a label's own tokens, which never look ahead: it needs no mask, only no score.
        mask_RX = torch.cat([prompts.mask_BP[row_R], torch.ones_like(labels_RT[:, :-1])], dim=1)
        logits_RTV = self.model(
            input_ids=labels_RT[:, :-1],
            attention_mask=mask_RX,
            position_ids=mask_RX.cumsum(1)[:, 1 - longest :] - 1,
            past_key_values=cache,
        ).logits.float()
        own_RT = torch.arange(1, longest, device=row_R.device) < lengths_R[:, None]
        said_RT = logits_RTV.gather(-1, labels_RT[:, 1:, None]).squeeze(-1)
        top_RT, rest_RT = _normaliser(logits_RTV)
        asked_RT = said_RT - top_RT - rest_RT
        scores_R += asked_RT.masked_fill(~own_RT, 0.0).sum(-1)
        return scores_R


def _behind(model: Any, prompts: _Prompts, tree: LabelTree) -> torch.Tensor:
    """What all but the first tokens of a tree's labels add to their scores, from one pass over its nodes."""
    mask_BP, nodes = prompts.mask_BP, len(tree.tokens)
    many, device = len(mask_BP), mask_BP.device
    sees_NN = torch.zeros(nodes, nodes, dtype=torch.bool)
    for node, way in enumerate(tree.above):
        sees_NN[node, way] = True
    sees_BNX = torch.cat(
        [mask_BP.bool()[:, None].expand(-1, nodes, -1), sees_NN.to(device).expand(many, -1, -1)], dim=-1
    )
    dtype = next(model.parameters()).dtype
    bias_BNX = torch.zeros(sees_BNX.shape, dtype=dtype, device=device).masked_fill_(~sees_BNX, torch.finfo(dtype).min)
    depth_N = torch.tensor([len(way) for way in tree.above], device=device)
    logits_BNV = model(
        input_ids=torch.tensor([tree.tokens], device=device).expand(many, -1),
        attention_mask=bias_BNX[:, None],
        position_ids=mask_BP.sum(-1, keepdim=True) + depth_N - 1,
        past_key_values=prompts.cache,
        use_cache=True,
    ).logits.float()
    prompts.cache.crop(-nodes)  # the prompts' own again
    label_S, node_S, token_S = torch.tensor(tree.steps, device=device).unbind(-1)
    said_BS = logits_BNV[:, node_S, token_S]
    top_BN, rest_BN = _normaliser(logits_BNV)
    steps_BS = said_BS - top_BN[:, node_S] - rest_BN[:, node_S]
    added_BL = torch.zeros(many, len(tree.labels), device=device)
    return added_BL.index_add_(1, label_S, steps_BS)


def _normaliser(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What to take off a logit for a log-probability, in two parts: their sum would lose the likely tokens' digits.

    The logits are spent: nothing is left of them.
    """
    top = logits.amax(-1, keepdim=True)
    return top.squeeze(-1), logits.sub_(top).exp_().sum(-1).log_()
