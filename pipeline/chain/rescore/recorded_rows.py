"""The evaluation items of a release, from its own slices, each with its recorded rows."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.chain.rescore import agreement
from pipeline.chain.rescore.agreement import Difference, Row
from pipeline.chain.rescore.release_files import ScoringSettings
from pipeline.common import files
from pipeline.data.records.records import Record
from pipeline.evaluation import predictions, predictions_content

SLICES = "data/assembled/slices"
LABELS = "data/assembled/labels.json"
PREDICTIONS = "reports/predictions.json"
# What chooses items and makes variants.
CODE = (
    "pipeline/common/draws.py",
    "pipeline/data/records/item_marks.py",
    "pipeline/data/records/records.py",
    "pipeline/evaluation/predictions_content.py",
    "pipeline/evaluation/fields.py",
    "pipeline/evaluation/items.py",
    "pipeline/evaluation/perturb/perturb.py",
    "pipeline/evaluation/perturb/perturbations.py",
)
CHOSEN = ("item", "slices")  # fields that depend on that code


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedItem:
    """An item or a variant of one, with its recorded rows."""

    name: str  # its id; of a variant its source's, with kind and strength
    record: Record
    rows: Mapping[str, Row | None]  # side -> row of predictions.json; only the sides that can have one


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """What a release was evaluated on, and what predictions.json says otherwise."""

    entries: list[RecordedItem]
    labels: list[str]  # that the candidate knows
    models: Mapping[str, Any]  # of predictions.json
    differences: list[Difference]  # of fields that no model says


def read(folder: Path, settings: ScoringSettings) -> Evaluated:
    """Choose the items as `evaluate` does, and match them with predictions.json.

    Args:
        folder: with the release's outputs, see `published.check_out`.
        settings: of the release.

    Raises:
        GraftError: predictions.json is damaged or another Graft's.
    """
    recorded = predictions.read(folder / PREDICTIONS)
    labels = files.read_json(folder / LABELS)
    items = predictions_content.read_items(settings.slice_by, settings.max_items, folder / SLICES)
    varied = predictions_content.variants(items, settings.robustness)
    item_heads, variant_heads = predictions_content.heads(items, varied)
    records = [*items.records, *(variant.record for variant in varied)]
    expected = {_key(head): (head, record) for head, record in zip([*item_heads, *variant_heads], records, strict=True)}
    found = {_key(row): row for row in [*recorded["items"], *recorded["robustness"]]}
    differences = [] if recorded.get("labels") == labels else [_labels(recorded.get("labels"), labels)]
    for key in sorted(expected.keys() | found.keys(), key=str):
        head = expected[key][0] if key in expected else None
        differences += agreement.compare_fields(_name(key), found.get(key), head)
    return Evaluated(
        entries=[
            RecordedItem(name=_name(key), record=record, rows=_rows(found[key]))
            for key, (_, record) in expected.items()
            if key in found
        ],
        labels=labels,
        models=recorded["models"],
        differences=differences,
    )


def _key(item: Mapping[str, Any]) -> tuple[Hashable, ...]:
    return (item["source"], item["kind"], item["strength"]) if "source" in item else (item["id"],)


def _name(key: Iterable[Any]) -> str:
    name, *variant = key
    return f"{name} ({' '.join(map(str, variant))})" if variant else str(name)


def _rows(item: Mapping[str, Any]) -> dict[str, Row | None]:
    return {side: item.get(side) for side in predictions.SIDES if "source" not in item or side != "anchor"}


def _labels(recorded: Any, labels: list[str]) -> Difference:
    return Difference(id="labels", side="", field="labels", recorded=recorded, rescored=labels)
