"""predictions.json as `evaluate` writes it: everything in it that no model says follows from slices and params."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.chain.lock import lockfile
from pipeline.common import files, params
from pipeline.data.records import arrow, item_marks
from pipeline.data.records.records import Record
from pipeline.evaluation import items as evaluated
from pipeline.evaluation import predictions
from pipeline.evaluation.perturb import perturb

SLICES = Path("data/assembled/slices")
TRAINING = Path("reports/training.json")
BASE_ITEMS = 500  # bounds what asking the untuned base costs

Rows = Mapping[str, Mapping[str, predictions.Row]]  # side -> id of an item or a variant -> row
Content = Mapping[str, Any]  # of a predictions.json


def read_items(slice_by: Sequence[str], max_items: int | None, folder: Path = SLICES) -> evaluated.Items:
    """The items of a folder of slices that are evaluated."""
    slices = {path.stem: arrow.read_records(path) for path in sorted(folder.glob("*.arrow"))}
    return evaluated.items(slices, item_marks.read(folder), slice_by, max_items)


def asked_of_base(items: evaluated.Items) -> list[Record]:
    """The items that the untuned base is asked, of a first release: at most BASE_ITEMS, as many of each slice."""
    slices: dict[str, list[Record]] = {name: [] for name in items.slices}
    for item in items.items:
        for name in item.slices:
            slices[name].append(item.record)
    taken = evaluated.stratified(slices, BASE_ITEMS)
    return [record for record in items.records if record.id in taken]


def variants(items: evaluated.Items, robustness: Mapping[str, Any] | None) -> list[perturb.PerturbedItem]:
    """Badly written variants of some classifications, as `evaluate.robustness` says; none without it."""
    if not robustness or not robustness["items"]:
        return []
    sources = evaluated.sources(items, robustness["items"])
    return perturb.variants(sources, robustness["kinds"], robustness["strengths"])


def build(
    items: evaluated.Items,
    varied: Iterable[perturb.PerturbedItem],
    models: Mapping[str, Mapping[str, Any]],
    labels: Sequence[str],
    rows: Rows,
    released: Mapping[str, Content],
) -> dict[str, Any]:
    """The content of predictions.json, without standard benchmarks.

    Args:
        items: the evaluated items.
        varied: variants of some of them.
        models: side -> hashes of the model, of those that are compared.
        labels: that the candidate knows.
        rows: what each model says of items and variants.
        released: parent and anchor, where there are, with their own predictions.json.
    """
    lock, varied = lockfile.load(), list(varied)
    sides = (*predictions.SIDES, *([predictions.BASE] if predictions.BASE in models else []))
    of_items, of_variants = heads(items, varied)
    return {
        "version": predictions.VERSION,
        "models": {name: models.get(name) for name in sides},
        "labels": list(labels),
        "items": [head | _rows(item.record, rows, sides) for head, item in zip(of_items, items.items, strict=True)],
        "robustness": [
            head | _rows(variant.record, rows, ("candidate", "parent"))
            for head, variant in zip(of_variants, varied, strict=True)
        ],
        "releases": {
            "parent": lock.parent.release if lock.parent else None,
            "anchor": lock.anchor.release if lock.anchor else None,
        },
        "params": {
            "candidate": _params(),
            **{name: (content.get("params") or {}).get("candidate") for name, content in released.items()},
        },
        "training": _training(),
        "golden": {name: _golden(content) for name, content in released.items()},
    }


def heads(
    items: evaluated.Items, varied: Iterable[perturb.PerturbedItem]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The fields of every item, and of every variant, that no model says."""
    by_id = {item.record.id: item for item in items.items}
    return [_item(item) for item in items.items], [
        {
            "source": variant.source,
            "kind": variant.kind,
            "strength": variant.strength,
            "slices": list(by_id[variant.source].slices),
            "answer": variant.record.answer,
        }
        for variant in varied
    ]


def _rows(record: Record, rows: Rows, sides: Sequence[str]) -> dict[str, Any]:
    return {name: rows[name].get(record.id) if name in rows else None for name in sides}


def _item(item: evaluated.Item) -> dict[str, Any]:
    record = item.record
    fields: dict[str, Any] = {"id": record.id, "kind": record.kind, "slices": list(item.slices)}
    if record.kind in ("classification", "sft"):
        fields["answer"] = record.answer
    if item.cluster != record.id:
        fields["cluster"] = item.cluster
    return fields | ({"must_pass": True} if item.must_pass else {})


def _golden(content: Content) -> dict[str, int]:
    """Items of each golden slice that a release was evaluated on, so that one that is gone is missed."""
    names = (name for item in content["items"] for name in item["slices"] if name.startswith(item_marks.PREFIX))
    return dict(sorted(Counter(names).items()))


def _training() -> dict[str, int]:
    """What became of the training's examples, so that a verdict names what was lost."""
    told = files.read_json(TRAINING)
    return {"examples": told["examples"], "cut": told["cut"], "left_out": told["dropped"]}


def _params() -> dict[str, Any]:
    """The params of this candidate, for the child's report to compare with: of `train` those that make its bytes."""
    everything = params.load_all()
    return {name: everything[name] for name in ("prepare", "assemble", "evaluate")} | {
        "train": files.read_json(TRAINING)["asked"],
        "merge": {"dtype": everything["merge"]["dtype"]},
    }
