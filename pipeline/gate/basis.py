"""What a verdict rests on beside the model: rules, code, evaluation files and golden items, of a candidate or a parent.

A release hands it to its child: its gate section and gate code in rules.json, the rest in predictions.json and slices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.common import files
from pipeline.data.records import arrow, item_marks, records
from pipeline.evaluation import predictions

SLICES = Path("data/assembled/slices")
RULES = Path("reports/rules.json")
PREDICTIONS = "predictions.json"
VERSION = 1  # of rules.json
SLICING = ("eval_share", "max_slices", "slice_items")  # of section `assemble`

Content = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """What a verdict rests on."""

    gate: Content | None  # section `gate` of params.yaml; None: not recorded
    gate_code: Mapping[str, str] | None  # path -> SHA-256; None: not recorded
    evaluated: Mapping[str, str] | None  # metric code and evaluation files, likewise
    settings: Content | None  # of params.yaml: which items are evaluated, and how, likewise
    golden: Mapping[str, Content]  # id -> golden item of predictions.json, with the id of its question


def record(gate: Content, gate_code: Mapping[str, str]) -> dict[str, Any]:
    """What rules.json holds."""
    return {"version": VERSION, "gate": gate, "sources": gate_code}


def settings(params: Content | None) -> Content | None:
    """Section `evaluate`, and what of `assemble` decides how many items there are; None where neither is recorded.

    Args:
        params: sections of params.yaml by name.
    """
    if not params or "evaluate" not in params:
        return None
    assemble = params.get("assemble") or {}
    return {"evaluate": params["evaluate"], "assemble": {key: assemble[key] for key in SLICING if key in assemble}}


def candidate(gate: Content, gate_code: Mapping[str, str], content: Content) -> Basis:
    """The working tree's.

    Args:
        gate: section `gate` of params.yaml.
        gate_code: path -> SHA-256 of the code that decides.
        content: of reports/predictions.json.
    """
    return _basis(record(gate, gate_code), content, SLICES)


def parent(folder: Path) -> Basis | None:
    """The parent's, from its state; None where nothing was released before, or an adapter was adopted."""
    if not (folder / PREDICTIONS).is_file():
        return None
    content = predictions.read(folder / PREDICTIONS)
    if content["models"]["candidate"] is None:  # adopted
        return None
    recorded = files.read_json(folder / RULES.name) if (folder / RULES.name).is_file() else {}
    return _basis(recorded if recorded.get("version") == VERSION else {}, content, folder / SLICES.name)


def _basis(recorded: Content, content: Content, slices: Path) -> Basis:
    return Basis(
        gate=recorded.get("gate"),
        gate_code=recorded.get("sources"),
        evaluated=content.get("sources"),
        settings=settings((content.get("params") or {}).get("candidate")),
        golden=_golden(content, slices),
    )


def _golden(content: Content, slices: Path) -> dict[str, Content]:
    """Golden items by id, each with its golden slices, and the id of its question: of the prompt without the answer."""
    questions = {
        record.id: records.content_id(record.prompt)
        for path in sorted(slices.glob(f"{item_marks.PREFIX}*.arrow"))
        for record in arrow.read_records(path)
    }
    items = (
        (item, [name for name in item["slices"] if name.startswith(item_marks.PREFIX)]) for item in content["items"]
    )
    return {
        item["id"]: {**item, "golden": names, "question": questions.get(item["id"])} for item, names in items if names
    }
