"""How likely a model finds records that are no classifications: answers, texts, pairs; cut as `fit` cuts."""

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.data.records.records import Record
from pipeline.model.chat.chat import Chat
from pipeline.training.examples import encoding, examples
from pipeline.training.examples.example import Encoding, Example
from pipeline.training.losses import losses

DIGITS = 6
TOKENS = 2048  # computed at a time, padding included: bounds the memory of logits


def score(model: Any, chat: Chat, records: Sequence[Record], max_length: int, size: int) -> list[dict[str, Any]]:
    """What a model says of each record, in the order given.

    Args:
        model: causal language model, in evaluation mode.
        chat: renders the records.
        records: of any kind but classification.
        max_length: tokens of a sequence; a text is measured window by window.
        size: sequences computed at a time, at most.

    Returns:
        kind and truncated; of a pair chosen and rejected, log-probabilities of the answers; else nats and tokens,
        of all that is learned.
    """
    made = [_examples(chat, record, variants, max_length) for record, variants in _whole(chat, records)]
    rows = [row for many in made for one in many for row in (one, one.rejected) if row is not None]
    found = iter(_losses(model, rows, size))
    return [_row(record, many, found) for record, many in zip(records, made, strict=True)]


def _whole(chat: Chat, records: Sequence[Record]) -> Any:
    return zip(records, encoding.encode(chat, records), strict=True)


def _examples(chat: Chat, record: Record, variants: encoding.Variants, max_length: int) -> list[Example]:
    if record.kind != "text":
        return examples.of_record(
            chat, record, variants, Encoding(objective="", max_length=max_length, truncation="fit")
        )
    return examples.windows([record], [variants], max_length)


def _row(record: Record, many: list[Example], nats: Any) -> dict[str, Any]:
    row = {"kind": record.kind, "truncated": any(one.truncated for one in many)}
    if record.kind == "preference":
        chosen, rejected = (-next(nats), -next(nats)) if many else (0.0, 0.0)
        return row | {"chosen": round(chosen, DIGITS), "rejected": round(rejected, DIGITS)}
    if record.kind == "kto":
        row["desirable"] = record.desirable
    total = sum(next(nats) for _ in many)
    return row | {"nats": round(total, DIGITS), "tokens": sum(one.targets for one in many)}


@torch.inference_mode()
def _losses(model: Any, rows: Sequence[Example], size: int) -> list[float]:
    """Summed cross-entropy of each row, nats, computed in the order of their lengths."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].tokens))
    found = [0.0] * len(rows)
    while order:
        many = max(1, min(size, TOKENS // len(rows[order[-1]].tokens)))
        batch, order = order[-many:], order[:-many]
        for index, loss in zip(batch, losses.row_losses(model, [rows[index] for index in batch]).tolist(), strict=True):
            found[index] = loss
    return found
