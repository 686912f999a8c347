"""Classification by likelihood: which label, its end of turn included, does the model find most likely?

What all prompts begin with, such as an instruction, is computed once, and so is each prompt. The labels then stand
behind it as a tree, in one row: a token sees the prompt and the tokens before it in its own label, so that a label costs
only those of its tokens that no other label begins with. Models that look at tokens in another way than by a mask and
by positions (sliding windows, ALiBi, states) get the prompt's keys and values repeated for each label.
"""

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from pipeline.model import label_tree
from pipeline.model.label_tree import Tree
from pipeline.model.weights import left_padded

# Shape legend: B = prompts of a batch, P = prompt tokens, L = labels of a part, T = tokens of the longest
# label in it, N = nodes of the labels' tree, S = steps in it, V = vocabulary. BL: each prompt with each label, a
# prompt's rows next to one another.

ROWS = 1024  # prompt-label pairs, or prompts times nodes, computed at a time
LOGITS = 2**26  # figures of an output computed at a time: bounds memory, whatever the labels and the vocabulary
SHARED = 8  # tokens: from here on what all prompts begin with is worth a pass of its own


@torch.inference_mode()
def label_scores(
    model: Any, prompts: Sequence[list[int]], labels: Sequence[list[int]], batch_size: int
) -> torch.Tensor:
    """Log-likelihood (nats) of every label after every prompt.

    Args:
        model: causal language model, in evaluation mode.
        prompts: token ids, at least one each.
        labels: token ids, each with the token that ends it; any lengths, one may begin like another.
        batch_size: prompts computed at a time.

    Returns:
        scores_PL, float32, on the CPU: a row for each prompt, in the order given.
    """
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))  # little padding
    scores_PL = torch.empty(len(prompts), len(labels))
    plain, most = _plain(model), min(batch_size, len(prompts)) or 1
    room = max(1, min(ROWS, LOGITS // model.config.get_text_config().vocab_size) // most)
    trees = list(label_tree.trees(labels, room)) if plain else []
    begun = _Begun(model, prompts) if plain and len(prompts) > 1 else None
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        chosen = [prompts[index] for index in batch]
        found = _score_trees(model, begun, chosen, trees) if plain else _score_batch(model, chosen, labels, room)
        scores_PL[batch] = found.float().cpu()
    return scores_PL


def _plain(model: Any) -> bool:
    """Whether a mask and positions say all that a token of this model sees."""
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
        self.tokens = label_tree.common(prompts)
        self.cache = None
        if self.tokens < SHARED:
            self.tokens = 0
            return
        ids_BP = torch.tensor([prompts[0][: self.tokens]], device=next(model.parameters()).device)
        self.cache = model(input_ids=ids_BP, use_cache=True, logits_to_keep=1).past_key_values

    def copies(self, many: int) -> Any:
        """Keys and values for a batch to append its own to; None: there are none."""
        if self.cache is None:
            return None
        copied = copy.deepcopy(self.cache)
        copied.batch_repeat_interleave(many)
        return copied


def _score_trees(
    model: Any, begun: _Begun | None, prompts: Sequence[list[int]], trees: Sequence[Tree]
) -> torch.Tensor:
    device, known = next(model.parameters()).device, begun.tokens if begun else 0
    inputs = left_padded([prompt[known:] for prompt in prompts], device)
    inputs["position_ids"] += known
    mask_BP = torch.nn.functional.pad(inputs.pop("attention_mask"), (known, 0), value=1)
    cache = begun.copies(len(prompts)) if begun else None
    said = model(**inputs, attention_mask=mask_BP, past_key_values=cache, use_cache=True, logits_to_keep=1)
    first_BV = said.logits[:, -1].float().log_softmax(-1)
    scores_BL = first_BV.new_empty(len(prompts), sum(len(tree.labels) for tree in trees))
    for tree in trees:
        found_BL = first_BV[:, tree.first]
        if tree.tokens:
            found_BL = found_BL + _score_tree(model, mask_BP, said.past_key_values, tree)
        scores_BL[:, tree.labels] = found_BL
    return scores_BL


def _score_tree(model: Any, mask_BP: torch.Tensor, cache: Any, tree: Tree) -> torch.Tensor:
    """What all but the first tokens of each label add to its score, from one pass over the nodes."""
    many, nodes, device = len(mask_BP), len(tree.tokens), mask_BP.device
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
        past_key_values=cache,
        use_cache=True,
    ).logits.float()
    cache.crop(-nodes)  # the prompt's again
    label_S, node_S, token_S = torch.tensor(tree.steps, device=device).unbind(-1)
    steps_BS = logits_BNV[:, node_S, token_S] - logits_BNV.logsumexp(-1)[:, node_S]
    return steps_BS.new_zeros(many, len(tree.labels)).index_add_(1, label_S, steps_BS)


def _score_batch(model: Any, prompts: Sequence[list[int]], labels: Sequence[list[int]], room: int) -> torch.Tensor:
    inputs = left_padded(prompts, next(model.parameters()).device)
    known = model(**inputs, use_cache=True, logits_to_keep=1)
    first_BV = known.logits[:, -1].float().log_softmax(-1)
    return torch.cat(
        [
            _score_chunk(model, inputs["attention_mask"], known.past_key_values, first_BV, chunk)
            for chunk in _chunks(labels, room)
        ],
        dim=1,
    )


def _chunks(labels: Sequence[list[int]], size: int) -> Iterator[Sequence[list[int]]]:
    for start in range(0, len(labels), size):
        yield labels[start : start + size]


def _score_chunk(
    model: Any, mask_BP: torch.Tensor, cache: Any, first_BV: torch.Tensor, labels: Sequence[list[int]]
) -> torch.Tensor:
    """The first token's score comes from the prompt; the others' from one pass over all but the last token."""
    longest, many, device = max(len(label) for label in labels), len(labels), mask_BP.device
    labels_LT = torch.tensor([label + [0] * (longest - len(label)) for label in labels], device=device)
    lengths_L1 = torch.tensor([[len(label)] for label in labels], device=device)
    scores_BLT = first_BV[:, labels_LT[:, :1]]
    if longest > 1:
        prefix = copy.deepcopy(cache)  # the pass appends to it
        prefix.batch_repeat_interleave(many)
        given_BLT = labels_LT[:, :-1].repeat(len(mask_BP), 1)
        # Padding stands after a label's own tokens, which never look ahead: it needs no mask, only no score.
        mask_BLPT = torch.cat([mask_BP.repeat_interleave(many, 0), torch.ones_like(given_BLT)], dim=1)
        positions_BLT = mask_BLPT.cumsum(1)[:, -given_BLT.shape[1] :] - 1
        rest_BLTV = model(
            input_ids=given_BLT, attention_mask=mask_BLPT, position_ids=positions_BLT, past_key_values=prefix
        ).logits
        asked_BLT1 = labels_LT[:, 1:].repeat(len(mask_BP), 1).unsqueeze(-1)
        rest_BLT = rest_BLTV.float().log_softmax(-1).gather(-1, asked_BLT1).squeeze(-1)
        scores_BLT = torch.cat([scores_BLT, rest_BLT.view(len(mask_BP), many, -1)], dim=-1)
    own_LT = torch.arange(longest, device=device) < lengths_L1
    return scores_BLT.masked_fill(~own_LT, 0.0).sum(-1)
