"""What a model, merged and rounded as it will be served, says of evaluation items."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.data.records import Record
from pipeline.errors import GraftError
from pipeline.evaluation.classification import DIGITS
from pipeline.model import chat, latency, lean, machine, pinned, scoring, templates, weights
from pipeline.training import encoding, likelihood


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorer:
    """What candidate and parent are scored with alike."""

    base: pinned.Base
    chat: chat.Chat
    device: Any  # torch.device
    dtype: str  # merge.dtype
    max_length: int
    batch_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What a model says of the items, and what saying it costs."""

    rows: list[dict[str, Any]]  # truncated; and predicted and score (log-likelihood, nats), or as `likelihood` has it
    cost: dict[str, float]  # of pipeline.model.latency


def predict(scorer: Scorer, adapter: Path, labels: Sequence[str], items: Sequence[Record]) -> Scored:
    """The likeliest label of every classification, and how likely the model finds everything else."""
    latency.forget_peak()
    served = weights.load_merged(scorer.base, adapter, scorer.dtype).to(scorer.device)
    lean.started()
    labelled = [item for item in items if item.kind == "classification"]
    others = [item for item in items if item.kind != "classification"]
    found = _classify(served, scorer, labels, labelled)
    rows = likelihood.score(served, scorer.chat, others, scorer.max_length, scorer.batch_size)
    told = {item.id: row for item, row in zip([*labelled, *others], [*found.rows, *rows], strict=True)}
    return Scored(rows=[told[item.id] for item in items], cost=found.cost)


def _classify(served: Any, scorer: Scorer, labels: Sequence[str], items: Sequence[Record]) -> Scored:
    if not (items and labels):  # a model that knows no label says nothing
        return Scored(rows=[{"predicted": "", "score": 0.0, "truncated": False} for _ in items], cost={})
    label_ids = scorer.chat.answers(labels)
    room = scorer.max_length - max(len(ids) for ids in label_ids)
    if room < 1:
        raise GraftError("evaluate: labels fill train.max_length", help="raise train.max_length")
    prompts = encoding.prompts(scorer.chat, items)
    cut = [chat.keep_end(prompt, room) for prompt in prompts]
    scores = scoring.label_scores(served, cut, label_ids, scorer.batch_size)
    best = [max(range(len(labels)), key=row.__getitem__) for row in scores]
    rows = [
        {"predicted": labels[index], "score": round(row[index], DIGITS), "truncated": len(prompt) > room}
        for index, row, prompt in zip(best, scores, prompts, strict=True)
    ]
    return Scored(rows=rows, cost=latency.measure(served, cut, label_ids))


def scorer(items: Sequence[Record], batch_size: int) -> Scorer:
    """What params.yaml and the pinned base say of scoring; plain texts alone need no chat template."""
    everything = params.load_all()
    device, base = machine.settle(everything["train"]["threads"]), pinned.load()
    template = templates.text(everything["train"]["chat_template"])
    return Scorer(
        base=base,
        chat=chat.load(base.folder, template, needed=any(item.kind != "text" for item in items)),
        device=device,
        dtype=everything["merge"]["dtype"],
        max_length=everything["train"]["max_length"],
        batch_size=batch_size,
    )
