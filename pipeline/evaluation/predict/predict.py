"""What a model, merged and rounded as it is served, says of items, and what saying it costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.common import params
from pipeline.common.errors import GraftError
from pipeline.data.records.records import Record
from pipeline.evaluation.cost import efficiency
from pipeline.evaluation.predict import answers, chosen_label, keys, likelihood
from pipeline.model.base import pinned
from pipeline.model.chat import chat
from pipeline.model.scoring import scoring
from pipeline.model.weights import machine, weights
from pipeline.training.examples import encoding

DIGITS = 6
UNSEEN = 1e-7  # of a confidence: labels that together have less than this need not be computed
SMALL = 1_000_000_000  # bytes: of models up to here several are held at a time
DECODED = 16  # tokens generated to measure the pace

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A model in memory, with all that it is asked by."""

    model: Any
    chat: chat.Chat
    labels: Sequence[str]
    max_length: int  # tokens

    @property
    def small(self) -> bool:
        """Whether several of its size may be held at a time."""
        return bool(sum(one.numel() * one.element_size() for one in self.model.parameters()) <= SMALL)


def load(base: pinned.Base, adapter: Path | None, told: keys.ModelHashes, labels: Sequence[str]) -> Served:
    """A model as it is served.

    Args:
        base: that the adapter belongs to.
        adapter: its folder; None: the base itself.
        told: template, type of the weights, length of the context.
        labels: that it knows.
    """
    device = machine.settle(params.load_all()["train"]["threads"])
    talk = chat.load(base.folder, told.chat_template, needed=False)
    model = weights.load_merged(base, adapter, told.dtype).to(device)
    context = getattr(model.config, "max_position_embeddings", None) or told.max_length
    return Served(model=model, chat=talk, labels=labels, max_length=min(told.max_length, context))


def predict(served: Served, items: Sequence[Record], judge: keys.Decoding, batch_size: int) -> dict[str, Row]:
    """The likeliest label of every classification; of everything else how likely it is, and what is answered.

    Args:
        served: the model.
        items: of any kinds.
        judge: how answers are decoded and scored.
        batch_size: items computed at a time.

    Returns:
        By item's id the row of predictions.json, without its key.
    """
    if served.chat.template is None and any(item.kind != "text" for item in items):
        chat.load(served.chat.folder)  # says what is missing
    labelled = [item for item in items if item.kind == "classification"]
    others = [item for item in items if item.kind != "classification"]
    rows = _classify(served, labelled, judge, batch_size)
    likely = likelihood.score(served.model, served.chat, others, served.max_length, batch_size)
    rows |= {item.id: row for item, row in zip(others, likely, strict=True)}
    asked = [item for item in others if judge.max_new_tokens and answers.answerable(item)]
    made = answers.generate(
        served.model,
        served.chat,
        asked,
        max_length=served.max_length,
        max_new_tokens=judge.max_new_tokens,
        size=batch_size,
    )
    for item, answer in zip(asked, made, strict=True):
        rows[item.id] |= answer | {"truncated": rows[item.id]["truncated"] or answer["truncated"]}
    return rows


def costs(held: Mapping[str, Served], items: Sequence[Record], judge: keys.Decoding) -> dict[str, Any]:
    """What answering costs each model, all asked the same in turn; see `efficiency.measure`."""
    first = next(iter(held.values()))
    labelled = [item for item in items if item.kind == "classification"]
    asked = [item for item in items if answers.answerable(item)]
    models = {name: one.model for name, one in held.items()}
    if labelled and first.labels:
        label_ids = first.chat.answers(first.labels)
        room = max(1, first.max_length - max(map(len, label_ids)))
        prompts = encoding.prompts(first.chat, labelled)
        return efficiency.measure(
            models, prompts, room, lambda model, prompt: label_scores(model, [prompt], label_ids, judge, 1)
        )
    if asked and judge.max_new_tokens:
        prompts = encoding.prompts(first.chat, asked)
        return efficiency.measure(
            models,
            prompts,
            first.max_length,
            lambda model, prompt: weights.next_logits(model, [prompt]),
            decode=min(DECODED, judge.max_new_tokens),
        )
    prompts = [ids for ids in first.chat.beginnings_of([item.prompt or item.messages for item in items]) if ids]
    return efficiency.measure(
        models, prompts, first.max_length, lambda model, prompt: weights.next_logits(model, [prompt])
    )


def label_scores(
    model: Any, prompts: Sequence[list[int]], labels: Sequence[list[int]], judge: keys.Decoding, batch_size: int
) -> torch.Tensor:
    """What the stage asks: scores of all labels that could change a digit of a confidence.

    Args:
        model: causal language model, in evaluation mode.
        prompts: token ids, at least one each.
        labels: token ids, each with the token that ends it.
        judge: how labels are compared.
        batch_size: prompts computed at a time.

    Returns:
        scores_PL: log-likelihoods, nats, float32; minus infinity of the labels that could not.
    """
    reach = math.log(len(labels)) - math.log(UNSEEN)
    return scoring.label_scores(model, prompts, labels, batch_size, within=reach, per_token=judge.normalize == "length")


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelScores:
    """Scores of all labels for some classifications."""

    scores_PL: Any  # numpy, log-likelihoods in nats, see `label_scores`
    lengths: Sequence[int]  # tokens of each label, the end included
    truncated: Sequence[bool]  # whether each prompt was cut


def all_label_scores(served: Served, items: Sequence[Record], judge: keys.Decoding, batch_size: int) -> LabelScores:
    """Score all labels that the model knows, of which there is at least one, for classifications.

    Raises:
        GraftError: labels leave no room for a prompt.
    """
    label_ids = served.chat.answers(served.labels)
    lengths = [len(ids) for ids in label_ids]
    room = served.max_length - max(lengths)
    if room < 1:
        raise GraftError("evaluate: labels fill train.max_length", help="raise train.max_length")
    prompts = encoding.prompts(served.chat, items)
    cut = [chat.keep_end(prompt, room) for prompt in prompts]
    scores_PL = label_scores(served.model, cut, label_ids, judge, batch_size).numpy()
    return LabelScores(scores_PL=scores_PL, lengths=lengths, truncated=[len(prompt) > room for prompt in prompts])


def label_row(served: Served, scored: LabelScores, place: int, judge: keys.Decoding) -> Row:
    """The row of the classification at a place of those that were scored."""
    scores_L = scored.scores_PL[place]
    index, confidence = chosen_label.choose(scores_L, scored.lengths, judge.normalize)
    return {
        "predicted": "" if index is None else served.labels[index],
        "score": None if index is None else round(float(scores_L[index]), DIGITS),
        "confidence": round(confidence, DIGITS),
        "truncated": scored.truncated[place],
    }


def _classify(served: Served, items: Sequence[Record], judge: keys.Decoding, batch_size: int) -> dict[str, Row]:
    if not (items and served.labels):  # a model that knows no label says nothing
        nothing = {"predicted": "", "score": 0.0, "confidence": 0.0, "truncated": False}
        return {item.id: dict(nothing) for item in items}
    scored = all_label_scores(served, items, judge, batch_size)
    return {item.id: label_row(served, scored, place, judge) for place, item in enumerate(items)}
