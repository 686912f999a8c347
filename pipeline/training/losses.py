"""What a step minimises, at the learned positions only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy, logsigmoid

from pipeline.model.weights import left_padded
from pipeline.training.examples import Example

# Shape legend: B = sequences of a micro-batch, T = tokens, A = positions from the first learned one on, V = vocabulary.

IGNORE = -100  # cross_entropy skips this target


def nats(model: Any, rows: Sequence[Example]) -> torch.Tensor:
    """Cross-entropy of each sequence, summed over its learned tokens, in nats; float32, shape (B,)."""
    device = next(model.parameters()).device
    inputs = left_padded([row.tokens for row in rows], device)
    longest = inputs["input_ids"].shape[1]
    learned_BT = torch.tensor([[False] * (longest - len(row.tokens)) + list(row.learned) for row in rows])
    kept = longest - int(learned_BT.any(0).int().argmax())  # from the first learned position on
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits_BAV = model(**inputs, use_cache=False, logits_to_keep=kept + 1).logits[:, :-1]
    targets_BA = inputs["input_ids"][:, -kept:].masked_fill(~learned_BT[:, -kept:].to(device), IGNORE)
    losses = cross_entropy(
        logits_BAV.flatten(0, 1).float(), targets_BA.flatten(), ignore_index=IGNORE, reduction="none"
    )
    return losses.view(targets_BA.shape).sum(-1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Likelihood:
    """Of sft and pretrain: the learned tokens' cross-entropy."""

    def count(self, batch: Sequence[Example]) -> int:
        """Learned tokens."""
        return sum(sum(example.learned) for example in batch)

    def loss(self, model: Any, micro: Sequence[Example]) -> torch.Tensor:
        """Sum over a micro-batch, nats."""
        return nats(model, micro).sum()


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """Of dpo: how much more than the reference does the model prefer the chosen answer to the rejected one?

    -log sigmoid(beta * ((log p(chosen) - log p(rejected)) - the reference's)): Rafailov et al. 2023,
    arXiv:2305.18290, equation 7. The log-probabilities are sums over an answer, the end of its turn included.
    """

    beta: float
    reference: Mapping[str, float]  # example's id -> log p(chosen) - log p(rejected) of the model as it started, nats

    def count(self, batch: Sequence[Example]) -> int:
        """Pairs."""
        return len(batch)

    def loss(self, model: Any, micro: Sequence[Example]) -> torch.Tensor:
        """Sum over a micro-batch."""
        margins_B = preferences(model, micro)
        reference_B = torch.tensor([self.reference[example.id] for example in micro], device=margins_B.device)
        return -logsigmoid(self.beta * (margins_B - reference_B)).sum()


def preferences(model: Any, pairs: Sequence[Example]) -> torch.Tensor:
    """log p(chosen) - log p(rejected) of each pair, nats, shape (B,)."""
    rejected = [pair.rejected for pair in pairs if pair.rejected is not None]
    chosen_B, rejected_B = nats(model, [*pairs, *rejected]).chunk(2)
    return rejected_B - chosen_B


def reference(model: Any, pairs: Sequence[Example], size: int) -> dict[str, float]:
    """What a model, as it is before training, prefers: by pair, for `Preference`.

    Args:
        model: stays as it is; dropout is off meanwhile.
        pairs: in any order.
        size: pairs computed at a time.
    """
    was_training = model.training
    model.eval()
    ordered = sorted(pairs, key=lambda pair: (len(pair.tokens), pair.id))
    found: dict[str, float] = {}
    with torch.no_grad():
        for start in range(0, len(ordered), size):
            part = ordered[start : start + size]
            found |= zip((pair.id for pair in part), preferences(model, part).tolist(), strict=True)
    model.train(was_training)
    return found
