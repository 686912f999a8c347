"""evaluate: candidate and parent on every slice -> predictions and metrics

The candidate is scored as it will be served: merged and rounded to merge.dtype. The parent's
predictions are part of its state; only items that it has not seen yet are scored with its adapter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import errors, files, params, timing
from pipeline.data import arrow
from pipeline.data.records import Record
from pipeline.evaluation import predictions
from pipeline.model import lean, measures

SLICES = Path("data/assembled/slices")
LABELS = Path("data/assembled/labels.json")
ADAPTER = Path("models/adapter")
PARENT = Path("models/parent")
PREDICTIONS = Path("reports/predictions.json")
MATRIX = Path("reports/matrix.json")
METRICS = Path("reports/metrics.json")

Slices = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `evaluate` of params.yaml."""

    batch_size: int


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
    items: Sequence[Record], score: Callable[[Sequence[Record]], Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, float] | None]:
    """What the parent says of each item: as it said when it was released, or scored now; and what scoring cost.

    Args:
        items: of every slice.
        score: what the parent's adapter says of items, `pipeline.evaluation.predict.Scored`.
    """
    told = {item["id"]: item["candidate"] for item in predictions.read(PARENT / "predictions.json")["items"]}
    unseen = [item for item in items if not _fits(item, told.get(item.id, {}))]
    print(f"evaluate: parent: {len(items) - len(unseen)} predictions known, {len(unseen)} to score", flush=True)
    if not unseen:
        return told, None
    scored = score(unseen)
    return told | {item.id: row for item, row in zip(unseen, scored.rows, strict=True)}, scored.cost


def main() -> None:
    """Read slices, adapters and labels; write predictions.json and metrics.json."""
    PREDICTIONS.unlink(missing_ok=True)
    METRICS.unlink(missing_ok=True)
    asked = params.load("evaluate", Params)
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
        found = {
            "candidate": measure(slices, told),
            "parent": None if parent[0] is None else measure(slices, parent[0]),
            "truncated": sum(row["truncated"] for row in scored.rows),
        }
        _write_predictions(slices, told, parent[0])
        files.write_json(MATRIX, {"version": 1, "releases": []})
        files.write_json(METRICS, found)
        adapter = files.sha256(ADAPTER / "adapter_model.safetensors")  # whose figures these are
        figures |= {"adapter": adapter, "candidate": scored.cost, "parent": parent[1]}
        print("evaluate: " + ", ".join(f"{k} {v}" for k, v in found["candidate"]["all"].items()), flush=True)


def _write_predictions(
    slices: Slices, told: Mapping[str, dict[str, Any]], parent: Mapping[str, dict[str, Any]] | None
) -> None:
    standing: dict[str, list[str]] = {}
    for name in sorted(slices):
        for item in slices[name]:
            standing.setdefault(item.id, []).append(name)
    items = [
        {
            "id": item.id,
            "kind": item.kind,
            "slices": standing[item.id],
            **_answer(item),
            "candidate": told[item.id],
            "parent": (parent or {}).get(item.id),
            "anchor": None,
        }
        for item in distinct(slices)
    ]
    predictions.write(PREDICTIONS, {"version": predictions.VERSION, "items": items, "robustness": []})


def _fits(item: Record, row: Mapping[str, Any]) -> bool:
    return ("predicted" in row) if item.kind == "classification" else (row.get("kind") == item.kind)


def _answer(item: Record) -> dict[str, str]:
    return {"answer": item.answer} if item.kind == "classification" else {}


if __name__ == "__main__":
    errors.run(main)
