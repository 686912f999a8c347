"""evaluate: candidate and parent on every slice -> predictions and metrics

The candidate is scored as it will be served: merged and rounded to merge.dtype. The parent's
predictions are part of its state; only items that it has not seen yet are scored with its adapter.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import errors, files, params, timing
from pipeline.chain import lockfile
from pipeline.data import arrow
from pipeline.data.records import Record
from pipeline.evaluation import custom, details, matrix, measures
from pipeline.model import lean

SLICES = Path("data/assembled/slices")
LABELS = Path("data/assembled/labels.json")
ADAPTER = Path("models/adapter")
PARENT = Path("models/parent")
PREDICTIONS = Path("reports/predictions.jsonl")
METRICS = Path("reports/metrics.json")
DETAILS = Path("reports/details.json")
MATRIX = Path("reports/matrix.json")
PLOTS = Path("reports/plots")

Slices = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `evaluate` of params.yaml."""

    batch_size: int
    language: str | None  # of generated texts; None: by their script
    custom: str | list[str] | None  # metrics.FILE:FUNCTION


def measure(slices: Slices, told: Mapping[str, Mapping[str, Any]], language: str | None = None) -> dict[str, Any]:
    """Metrics of each slice, and of every item once; `told` goes from an item's id to what was said of it."""

    def measured(items: Sequence[Record]) -> dict[str, Any]:
        rows = [{"kind": item.kind, **_answer(item), "said": told[item.id]} for item in items]
        return measures.measure(rows, "said", language)

    return {
        "all": measured(distinct(slices)),
        "slices": {name: measured(items) for name, items in slices.items()},
    }


def chain(found: Mapping[str, Any]) -> dict[str, Any]:
    """The chain's matrix with the candidate's row, from its metrics and the parent's."""
    lock, known = lockfile.load(), PARENT / MATRIX.name
    return matrix.extend(
        files.read_json(known) if known.exists() else None,
        lock.parent.release if lock.parent else None,
        Path(lock.increment).name,
        found["candidate"]["slices"],
        found["parent"]["slices"] if found["parent"] else None,
    )


def distinct(slices: Slices) -> list[Record]:
    """Every item once, by id, whatever slices it stands in."""
    return [item for _, item in sorted({item.id: item for items in slices.values() for item in items}.items())]


def parent_predictions(
    items: Sequence[Record], score: Callable[[Sequence[Record]], Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, float] | None]:
    """What the parent says of each item: as it said when it was released, or scored now; and what scoring cost.

    Args:
        items: of every slice.
        score: what the parent's adapter says of items, `pipeline.evaluation.predict.Scored`.
    """
    told = {row["id"]: row for row in _read_lines(PARENT / "predictions.jsonl")}
    unseen = [item for item in items if not _fits(item, told.get(item.id, {}))]
    print(f"evaluate: parent: {len(items) - len(unseen)} predictions known, {len(unseen)} to score", flush=True)
    if not unseen:
        return told, None
    scored = score(unseen)
    return told | {item.id: row for item, row in zip(unseen, scored.rows, strict=True)}, scored.cost


def main() -> None:
    """Read slices, adapters and labels; write predictions.jsonl, metrics.json and what stands behind them."""
    for path in (PREDICTIONS, METRICS, DETAILS, MATRIX):
        path.unlink(missing_ok=True)
    asked = params.load("evaluate", Params)
    own = custom.load(asked.custom)
    with timing.measured("evaluate") as figures, lean.serving(ADAPTER, PARENT / "adapter"):
        from pipeline.evaluation import predict

        slices = {path.stem: arrow.read_records(path) for path in sorted(SLICES.glob("*.arrow"))}
        items = distinct(slices)
        scorer = predict.scorer(items, asked.batch_size)
        print(f"evaluate: candidate: {len(items)} items to score", flush=True)
        scored = predict.predict(scorer, ADAPTER, files.read_json(LABELS), items)
        told = {item.id: row for item, row in zip(items, scored.rows, strict=True)}

        def parents(unseen: Sequence[Record]) -> predict.Scored:
            return predict.predict(scorer, PARENT / "adapter", files.read_json(PARENT / "labels.json"), unseen)

        parent = parent_predictions(items, parents) if (PARENT / "adapter").exists() else (None, None)
        said = _with_own(items, told, own)
        before = None if parent[0] is None else _with_own(items, parent[0], own)
        found = {
            "candidate": measure(slices, said, asked.language),
            "parent": None if before is None else measure(slices, before, asked.language),
            "anchor": None,
            "truncated": sum(row["truncated"] for row in scored.rows),
            "robustness": None,
        }
        grown = chain(found)
        found["chain"] = matrix.chain(grown, len(files.read_json(LABELS)))
        rows = _items(slices, items, said)
        behind = details.details(rows)
        _write_predictions(slices, told)
        files.write_json(METRICS, found)
        files.write_json(DETAILS, behind)
        files.write_json(MATRIX, grown)
        for name, text in details.plots(rows, behind, found, grown).items():
            files.write_text(PLOTS / name, text)
        adapter = files.sha256(ADAPTER / "adapter_model.safetensors")  # whose figures these are
        figures |= {"adapter": adapter, "candidate": scored.cost, "parent": parent[1]}
        print("evaluate: " + ", ".join(f"{k} {v}" for k, v in found["candidate"]["all"].items()), flush=True)


def _with_own(
    items: Sequence[Record], told: Mapping[str, Mapping[str, Any]], own: Sequence[custom.Metric]
) -> dict[str, dict[str, Any]]:
    """What was said of each item, with the values of the user's metrics."""
    rows = custom.added(own, items, [told[item.id] for item in items])
    return {item.id: row for item, row in zip(items, rows, strict=True)}


def _items(slices: Slices, items: Sequence[Record], said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every item once, with its slices and what the candidate said of it."""
    places: dict[str, list[str]] = {}
    for name, held in slices.items():
        for item in held:
            places.setdefault(item.id, []).append(name)
    return [
        {"id": item.id, "kind": item.kind, "slices": places[item.id], **_answer(item), "candidate": said[item.id]}
        for item in items
    ]


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
