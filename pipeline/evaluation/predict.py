"""What a model, merged and rounded as it will be served, says of evaluation items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.data.records import Record
from pipeline.errors import GraftError
from pipeline.evaluation import answers, choice, keys
from pipeline.model import chat, latency, lean, machine, pinned, scoring, weights
from pipeline.training import encoding, likelihood

DIGITS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What a model says of items, and what saying it costs."""

    rows: Mapping[str, dict[str, Any]]  # by the item's id; see docs/reference.md, reports/predictions.json
    cost: Mapping[str, float]  # of pipeline.model.latency


def predict(
    base: pinned.Base,
    adapter: Path,
    told: keys.Model,
    labels: Sequence[str],
    items: Sequence[Record],
    *,
    judge: keys.Judge,
    batch_size: int,
    threads: int,
) -> Scored:
    """The likeliest label of every classification; of everything else how likely it is, and what is answered.

    Args:
        base: that the adapter belongs to.
        adapter: its folder.
        told: how the model is served: template, type of the weights, length of the context.
        labels: that it knows.
        items: of any kinds.
        judge: how answers are decoded and scored.
        batch_size: items computed at a time.
        threads: train.threads.
    """
    latency.forget_peak()
    device = machine.settle(threads)
    talk = chat.load(base.folder, told.chat_template, needed=any(item.kind != "text" for item in items))
    served = weights.load_merged(base, adapter, told.dtype).to(device)
    lean.started()
    labelled = [item for item in items if item.kind == "classification"]
    others = [item for item in items if item.kind != "classification"]
    rows, cost = _classify(served, talk, told, labels, labelled, judge, batch_size)
    for item, row in zip(others, likelihood.score(served, talk, others, told.max_length, batch_size), strict=True):
        rows[item.id] = row
    if judge.max_new_tokens:
        asked = [item for item in others if answers.answerable(item)]
        made = answers.generate(
            served,
            talk,
            asked,
            max_length=told.max_length,
            max_new_tokens=judge.max_new_tokens,
            size=batch_size,
        )
        for item, answer in zip(asked, made, strict=True):
            rows[item.id] |= answer | {"truncated": rows[item.id]["truncated"] or answer["truncated"]}
    return Scored(rows=rows, cost=cost)


def _classify(
    served: Any,
    talk: chat.Chat,
    told: keys.Model,
    labels: Sequence[str],
    items: Sequence[Record],
    judge: keys.Judge,
    batch_size: int,
) -> tuple[dict[str, dict[str, Any]], Mapping[str, float]]:
    if not (items and labels):  # a model that knows no label says nothing
        nothing = {"predicted": "", "score": 0.0, "confidence": 0.0, "truncated": False}
        return {item.id: dict(nothing) for item in items}, {}
    label_ids = talk.answers(labels)
    lengths = [len(ids) for ids in label_ids]
    room = told.max_length - max(lengths)
    if room < 1:
        raise GraftError("evaluate: labels fill train.max_length", help="raise train.max_length")
    prompts = encoding.prompts(talk, items)
    cut = [chat.keep_end(prompt, room) for prompt in prompts]
    rows = {}
    for item, prompt, scores_L in zip(
        items, prompts, scoring.label_scores(served, cut, label_ids, batch_size), strict=True
    ):
        index, confidence = choice.choose(scores_L, lengths, judge.normalize)
        rows[item.id] = {
            "predicted": labels[index],
            "score": round(float(scores_L[index]), DIGITS),
            "confidence": round(confidence, DIGITS),
            "truncated": len(prompt) > room,
        }
    return rows, latency.measure(served, cut, label_ids)
