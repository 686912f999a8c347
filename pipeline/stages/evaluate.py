"""evaluate: candidate and parent on every slice -> predictions and metrics

The candidate is scored as it will be served: merged and rounded to merge.dtype. The parent's
predictions are part of its state; only items that it has not seen yet are scored with its adapter.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import errors, files, params, timing
from pipeline.data import arrow
from pipeline.data.records import Record
from pipeline.errors import GraftError
from pipeline.model import chat, latency, machine, measures, metrics, pinned, scoring, templates, weights
from pipeline.training import encoding, likelihood

SLICES = Path("data/assembled/slices")
LABELS = Path("data/assembled/labels.json")
ADAPTER = Path("models/adapter")
PARENT = Path("models/parent")
PREDICTIONS = Path("reports/predictions.jsonl")
METRICS = Path("reports/metrics.json")

Slices = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `evaluate` of params.yaml."""

    batch_size: int


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
        {"predicted": labels[index], "score": round(row[index], metrics.DIGITS), "truncated": len(prompt) > room}
        for index, row, prompt in zip(best, scores, prompts, strict=True)
    ]
    return Scored(rows=rows, cost=latency.measure(served, cut, label_ids))


def scorer(items: Sequence[Record]) -> Scorer:
    """What params.yaml and the pinned base say of scoring; plain texts alone need no chat template."""
    asked, everything = params.load("evaluate", Params), params.load_all()
    device, base = machine.settle(everything["train"]["threads"]), pinned.load()
    template = templates.text(everything["train"]["chat_template"])
    return Scorer(
        base=base,
        chat=chat.load(base.folder, template, needed=any(item.kind != "text" for item in items)),
        device=device,
        dtype=everything["merge"]["dtype"],
        max_length=everything["train"]["max_length"],
        batch_size=asked.batch_size,
    )


def measure(slices: Slices, told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics of each slice and of all of them pooled; `told` goes from an item's id to what was said of it."""
    pooled = [item for items in slices.values() for item in items]
    return {
        "all": measures.measure(pooled, told),
        "slices": {name: measures.measure(items, told) for name, items in slices.items()},
    }


def distinct(slices: Slices) -> list[Record]:
    """Every item once, by id, whatever slices it stands in."""
    return [item for _, item in sorted({item.id: item for items in slices.values() for item in items}.items())]


def parent_predictions(
    scorer: Scorer, items: Sequence[Record]
) -> tuple[dict[str, dict[str, Any]], dict[str, float] | None]:
    """What the parent says of each item: as it said when it was released, or scored now; and what scoring cost."""
    told = {row["id"]: row for row in _read_lines(PARENT / "predictions.jsonl")}
    unseen = [item for item in items if not _fits(item, told.get(item.id, {}))]
    print(f"evaluate: parent: {len(items) - len(unseen)} predictions known, {len(unseen)} to score", flush=True)
    if not unseen:
        return told, None
    scored = predict(scorer, PARENT / "adapter", files.read_json(PARENT / "labels.json"), unseen)
    return told | {item.id: row for item, row in zip(unseen, scored.rows, strict=True)}, scored.cost


def main() -> None:
    """Read slices, adapters and labels; write predictions.jsonl and metrics.json."""
    PREDICTIONS.unlink(missing_ok=True)
    METRICS.unlink(missing_ok=True)
    with timing.measured("evaluate") as figures:
        slices = {path.stem: arrow.read_records(path) for path in sorted(SLICES.glob("*.arrow"))}
        items = distinct(slices)
        told_by = scorer(items)
        print(f"evaluate: candidate: {len(items)} items to score", flush=True)
        scored = predict(told_by, ADAPTER, files.read_json(LABELS), items)
        told = {item.id: row for item, row in zip(items, scored.rows, strict=True)}
        parent = parent_predictions(told_by, items) if (PARENT / "adapter").exists() else (None, None)
        found = {
            "candidate": measure(slices, told),
            "parent": None if parent[0] is None else measure(slices, parent[0]),
            "truncated": sum(row["truncated"] for row in scored.rows),
        }
        _write_predictions(slices, told)
        files.write_json(METRICS, found)
        adapter = files.sha256(ADAPTER / "adapter_model.safetensors")  # whose figures these are
        figures |= {"adapter": adapter, "candidate": scored.cost, "parent": parent[1]}
        print("evaluate: " + ", ".join(f"{k} {v}" for k, v in found["candidate"]["all"].items()), flush=True)


def _write_predictions(slices: Slices, told: Mapping[str, dict[str, Any]]) -> None:
    rows = [
        {"slice": name, "id": item.id, **_answer(item), **told[item.id]}
        for name in sorted(slices)
        for item in sorted(slices[name], key=lambda item: item.id)
    ]
    lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows]
    files.write_text(PREDICTIONS, "".join(lines))


def _fits(item: Record, row: Mapping[str, Any]) -> bool:
    return ("predicted" in row) if item.kind == "classification" else (row.get("kind") == item.kind)


def _answer(item: Record) -> dict[str, str]:
    return {"answer": item.answer} if item.kind == "classification" else {}


def _read_lines(path: Path) -> Iterable[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:  # a line ends at \n alone: labels may hold U+2028
        yield from map(json.loads, lines)


if __name__ == "__main__":
    errors.run(main)
