"""Classification by likelihood: which label, its end of turn included, does the model find most likely?

The prompt is computed once; its keys and values are then repeated for each label, so that a label
costs only its own few tokens.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from pipeline.model.weights import left_padded

# Shape legend: B = prompts of a batch, P = prompt tokens, L = labels of a chunk, T = tokens of the longest
# label in it, V = vocabulary. BL: each prompt with each label, a prompt's rows next to one another.

ROWS = 1024  # prompt-label pairs computed at a time: bounds memory, whatever the number of labels


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
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        scores_PL[batch] = _score_batch(model, [prompts[index] for index in batch], labels).float().cpu()
    return scores_PL


def _score_batch(model: Any, prompts: Sequence[list[int]], labels: Sequence[list[int]]) -> torch.Tensor:
    inputs = left_padded(prompts, next(model.parameters()).device)
    known = model(**inputs, use_cache=True, logits_to_keep=1)
    first_BV = known.logits[:, -1].float().log_softmax(-1)
    return torch.cat(
        [
            _score_chunk(model, inputs["attention_mask"], known.past_key_values, first_BV, chunk)
            for chunk in _chunks(labels, max(1, ROWS // len(prompts)))
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
