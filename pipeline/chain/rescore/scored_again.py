"""Scores items again, and how close the recorded labels and answers are to the likeliest."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.chain.rescore.agreement import Fresh, Row
from pipeline.data.records.records import Record
from pipeline.evaluation.predict import answers, keys, predict
from pipeline.evaluation.predict.predict import Served
from pipeline.model.base.pinned import Base
from pipeline.model.chat import chat
from pipeline.model.weights import base_model, machine, weights
from pipeline.training.examples import encoding


def load_published(folder: Path, labels: Sequence[str], max_length: int, threads: int) -> Served:
    """The model in a folder `models/merged`, with the tokenizer and template that are published with it.

    Args:
        folder: its files.
        labels: that it knows.
        max_length: tokens of a prompt and its answer.
        threads: train.threads.
    """
    device = machine.settle(threads)
    talk = chat.load(folder, needed=False)
    return _served(base_model.load(folder).eval().to(device), talk, labels, max_length)


def load_adapted(
    base: Base, adapter: Path, labels: Sequence[str], *, template: str | None, dtype: str, max_length: int, threads: int
) -> Served:
    """The model that base and adapter make, merged and rounded as `merge` does.

    Args:
        base: the pinned base.
        adapter: its folder.
        labels: that the model knows.
        template: Jinja text in place of the base's own chat template.
        dtype: that the weights are rounded to.
        max_length: tokens of a prompt and its answer.
        threads: train.threads.
    """
    device = machine.settle(threads)
    talk = chat.load(base.folder, template, needed=False)
    return _served(weights.load_merged(base, adapter, dtype).to(device), talk, labels, max_length)


def machine_class(served: Served) -> dict[str, Any]:
    """The class of this machine, with the threads that were set."""
    return machine.machine_class(next(served.model.parameters()).device)


def score(
    served: Served, records: Sequence[Record], recorded: Sequence[Row | None], decoding: keys.Decoding, batch_size: int
) -> list[Fresh]:
    """Score records again.

    Args:
        served: the model.
        records: of any kinds.
        recorded: of each record its row of predictions.json.
        decoding: how answers are decoded and scored.
        batch_size: records computed at a time.

    Returns:
        What the model says of each record, in the order given.
    """
    labelled = [place for place, record in enumerate(records) if record.kind == "classification" and served.labels]
    others = sorted(set(range(len(records))) - set(labelled))
    fresh: dict[int, Fresh] = {}
    for places, method in ((labelled, _labels), (others, _others)):
        chosen = [records[place] for place in places]
        rows = [recorded[place] or {} for place in places]
        fresh |= dict(zip(places, method(served, chosen, rows, decoding, batch_size), strict=True))
    return [fresh[place] for place in range(len(records))]


@torch.inference_mode()
def answer_gap(
    model: Any, talk: chat.Chat, record: Record, text: Any, *, finished: bool, max_length: int, max_new_tokens: int
) -> float:
    """How far the tokens of an answer are below the likeliest ones: the largest difference of logits, nats.

    Args:
        model: causal language model, in evaluation mode.
        talk: renders the prompt.
        record: an answerable one.
        text: the answer, as it was generated once.
        finished: whether it ended by itself; else it has max_new_tokens.
        max_length: tokens of a prompt.
        max_new_tokens: of an answer.

    Returns:
        0 for what greedy decoding generates; infinite for what it cannot have generated.
    """
    ids = talk.continuations([text])[0] if isinstance(text, str) and text else []
    if not isinstance(text, str) or (len(ids) >= max_new_tokens if finished else len(ids) != max_new_tokens):
        return math.inf
    prompt = chat.keep_end(encoding.prompts(talk, [record])[0], answers.room_for(model, max_length, max_new_tokens))
    whole = torch.tensor([[*prompt, *ids]], device=next(model.parameters()).device)
    kept = len(ids) + 1
    logits_TV = model(input_ids=whole, use_cache=False, logits_to_keep=kept).logits[0].float()
    below = [logits_TV[place].max() - logits_TV[place, token] for place, token in enumerate(ids)]
    if finished:
        below.append(logits_TV[-1].max() - logits_TV[-1, answers.end_tokens(model, talk)].max())
    return float(torch.stack(below).max())  # NaN where one is no number


def _served(model: Any, talk: chat.Chat, labels: Sequence[str], max_length: int) -> Served:
    context = getattr(model.config, "max_position_embeddings", None) or max_length
    return Served(model=model, chat=talk, labels=labels, max_length=min(max_length, context))


def _labels(
    served: Served, records: Sequence[Record], recorded: Sequence[Row], decoding: keys.Decoding, batch_size: int
) -> Iterator[Fresh]:
    if not records:
        return
    scored = predict.all_label_scores(served, records, decoding, batch_size)
    places = {label: place for place, label in enumerate(served.labels)}
    units_L = np.asarray(scored.lengths if decoding.normalize == "length" else 1.0)
    for number, old in enumerate(recorded):
        row, scores_L = predict.label_row(served, scored, number, decoding), scored.scores_PL[number].astype(np.float64)
        place = places.get(str(old.get("predicted")))
        if place is None or not row["predicted"]:  # an unknown label, or a model that diverged
            yield Fresh(row=row, label_score=row["score"], label_confidence=row["confidence"])
            continue
        values_L = scores_L / units_L
        gap = float(values_L[places[row["predicted"]]] - values_L[place])
        yield Fresh(
            row=row,
            label_score=float(scores_L[place]),
            label_confidence=row["confidence"] * math.exp(-gap),
            gap=gap,
        )


def _others(
    served: Served, records: Sequence[Record], recorded: Sequence[Row], decoding: keys.Decoding, batch_size: int
) -> Iterator[Fresh]:
    rows = predict.predict(served, records, decoding, batch_size)
    for record, old in zip(records, recorded, strict=True):
        row = rows[record.id]
        if "text" not in row or old.get("text") == row["text"]:
            yield Fresh(row=row)
            continue
        yield Fresh(
            row=row,
            gap=answer_gap(
                served.model,
                served.chat,
                record,
                old.get("text"),
                finished=old.get("unfinished") is False,
                max_length=served.max_length,
                max_new_tokens=decoding.max_new_tokens,
            ),
        )
