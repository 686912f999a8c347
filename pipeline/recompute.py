"""Computes a candidate's metrics, verdict and report once more: `python -m pipeline.recompute`.

Runs in a folder that holds a candidate's inputs and reports/params.json and nothing else
(pipeline/chain/verify/recomputed.py lays it out and compares what is written). No model runs, so what a model says of
an item is taken as recorded: `graft verify --rescore` asks it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.chain.lock import environment, lockfile
from pipeline.chain.verify import slice_check
from pipeline.common import errors, files, params
from pipeline.data.assemble import golden, slices
from pipeline.data.assemble.state import PARENT
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.data.reading import increment as increments
from pipeline.data.records.records import Record
from pipeline.evaluation import compared_models, predictions, predictions_content
from pipeline.evaluation import items as evaluated
from pipeline.evaluation.metrics import write_figures
from pipeline.evaluation.predict import keys
from pipeline.evaluation.settings import EvaluateSettings
from pipeline.model.adapter import saved_adapter
from pipeline.stages import gate

PREDICTIONS = Path("reports/predictions.json")
MANIFEST = Path("reports/manifest.json")
PROBLEMS = Path("problems.json")  # what this process writes for its parent: lines of text
SHOWN = 5  # problems of one kind
BESIDE = ("lm_eval", "sources")  # parts of predictions.json that are checked elsewhere
ADDED = ("custom", "judge")  # fields of a row that no model says


def main() -> None:
    """Write problems.json; where it is empty, the metrics, the verdict and the report, too."""
    asked, recorded = params.load("evaluate", EvaluateSettings), predictions.read(PREDICTIONS)
    items = predictions_content.read_items(asked.slice_by, asked.max_items)
    varied = predictions_content.variants(items, asked.robustness)
    records = [*items.records, *(variant.record for variant in varied)]
    entries = [*recorded["items"], *recorded["robustness"]]
    released = dict(_released())
    problems = list(_slices())
    problems += [*_entries(recorded["items"], items.records), *_counts(recorded["robustness"], varied)]
    if not problems:
        rows = _rows(records, entries, recorded["models"])
        models = {name: model for name, model in recorded["models"].items() if model is not None}
        labels = files.read_json(compared_models.LABELS)
        again = predictions_content.build(items, varied, models, labels, rows, released)
        problems += _differences(again, {k: v for k, v in recorded.items() if k not in BESIDE})
        problems += _models(recorded["models"], released)
        problems += _asked_of_base(items, rows.get(predictions.BASE))
        problems += islice(_keys(records, rows, recorded["models"], compared_models.decoding(asked)), SHOWN)
        problems += islice(_kept(records, rows, released), SHOWN)
    files.write_json(PROBLEMS, problems)
    if not problems:
        write_figures.write(recorded, items.slices, asked.language)
        gate.main()


def _slices() -> Iterator[str]:
    """Slices that are not the parent's, the golden items' and the increment's own."""
    increment, asked = increments.read(Path(lockfile.load().increment)), params.load_all()
    cleaning = params.build(PrepareSettings, asked["prepare"]).cleaning()
    kept_by_hand = golden.load(Path("data/golden"), increment.instruction, cleaning)
    parent = slices.read(PARENT / "slices") if (PARENT / "slices").exists() else {}
    limits = {name: asked["assemble"][name] for name in ("slice_items", "max_slices")}
    return slice_check.problems(
        predictions_content.SLICES, parent, kept_by_hand, increment.name, increment.withdrawn, **limits
    )


def _released() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, folder in compared_models.RELEASED.items():
        if (folder / compared_models.PREDICTIONS).exists():
            yield name, predictions.read(folder / compared_models.PREDICTIONS)


def _entries(recorded: Iterable[Mapping[str, Any]], records: Iterable[Record]) -> Iterator[str]:
    """Items that only one of predictions.json and the slices has."""
    here, there = [item["id"] for item in recorded], [record.id for record in records]
    if here == there:
        return
    yield from islice(
        (f"item {id_[:12]}: of the slices, and not evaluated" for id_ in sorted({*there} - {*here})), SHOWN
    )
    yield from islice((f"item {id_[:12]}: in none of the slices" for id_ in sorted({*here} - {*there})), SHOWN)
    if set(here) == set(there):
        yield "items: in another order than evaluate writes them"


def _counts(recorded: list[Any], varied: list[Any]) -> Iterator[str]:
    if len(recorded) != len(varied):
        yield f"robustness: {len(recorded)} variants, params.yaml and the slices give {len(varied)}"


def _rows(
    records: list[Record], entries: list[Mapping[str, Any]], models: Mapping[str, Any]
) -> predictions_content.Rows:
    """The recorded rows, by side and record."""
    return {
        name: {record.id: entry.get(name) for record, entry in zip(records, entries, strict=True)}  # type: ignore[misc]
        for name in (*predictions.SIDES, predictions.BASE)
        if models.get(name) is not None
    }


def _differences(expected: Any, recorded: Any, path: str = "") -> Iterator[str]:
    """Each place where the recorded content is not what slices, params and the parent's state give."""
    if isinstance(expected, Mapping) and isinstance(recorded, Mapping):
        for name in sorted(expected.keys() | recorded.keys()):
            yield from _differences(expected.get(name), recorded.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(expected, list) and isinstance(recorded, list) and len(expected) == len(recorded):
        for number, (one, other) in enumerate(zip(expected, recorded, strict=True)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif expected != recorded:
        yield f"{path}: {_short(recorded)}, expected {_short(expected)}"


def _models(models: Mapping[str, Any], released: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Models that are not the ones that this commit holds: the adapter of its manifest, the releases of its state."""
    outputs = files.read_json(MANIFEST)["outputs"]
    if (models["candidate"] or {}).get("weights") != _weights(outputs, compared_models.ADAPTER):
        yield "models.candidate: not the adapter that reports/manifest.json lists"
    for name, folder in compared_models.RELEASED.items():
        own = (released[name].get("models") or {}).get("candidate") if name in released else None
        if name in released and own is None:  # adopted: no release has served it, so it is served as the candidate is
            labels = keys.digest(files.read_json(folder / compared_models.LABELS.name))
            weights = _weights(outputs, folder / compared_models.ADAPTER.name)
            own = {**(models["candidate"] or {}), "weights": weights, "labels": labels}
        if models.get(name) != own:
            yield f"models.{name}: not the model that models/{name} holds"
    untuned = None if lockfile.load().parent else {**(models["candidate"] or {}), "weights": keys.digest([])}
    if models.get(predictions.BASE) != untuned:
        yield "models.base: not the pinned base, which a first release alone is held against"


def _asked_of_base(items: evaluated.Items, rows: Mapping[str, Any] | None) -> Iterator[str]:
    """Items that the untuned base was asked and need not be, or the other way round."""
    if rows is None:
        return
    asked = {record.id for record in predictions_content.asked_of_base(items)}
    differing = sorted(id_ for id_ in rows.keys() | asked if (rows.get(id_) is not None) != (id_ in asked))
    yield from islice((f"item {id_[:12]}: asked of the base or not, against evaluate" for id_ in differing), SHOWN)


def _weights(outputs: Mapping[str, Any], adapter: Path) -> str:
    """The hash of an adapter's two files, as predictions.json names it, by the manifest."""
    names = (saved_adapter.WEIGHTS, saved_adapter.CONFIG)
    return keys.digest([outputs.get(f"{adapter.as_posix()}/{name}", {}).get("sha256") for name in names])


def _keys(
    records: list[Record], rows: predictions_content.Rows, models: Mapping[str, Any], asked: keys.Decoding
) -> Iterator[str]:
    """Rows whose key is not the one of their model and item. With other libraries every key is another one."""
    if environment.differences(lockfile.load().toolchain, environment.toolchain()):
        return
    for name, by_id in rows.items():
        model = keys.known(models[name])
        decoding = replace(asked, max_new_tokens=0) if name == predictions.BASE else asked
        for record in records:
            row = by_id[record.id]
            if row is not None and row.get("key") != keys.key(model, decoding, record):
                yield f"item {record.id[:12]}: {name}: its key is not that of this model and item"


def _kept(
    records: list[Record], rows: predictions_content.Rows, released: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Rows that a release recorded, and that read otherwise here."""
    known = {key: row for one in released.values() for key, row in predictions.rows(one).items()}
    for name, by_id in rows.items():
        for record in records:
            row = by_id[record.id]
            before = known.get(row["key"]) if row is not None else None
            if row is not None and before is not None and _said(row) != _said(before):
                yield f"item {record.id[:12]}: {name}: not the row that the release's own predictions.json holds"


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ADDED}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


if __name__ == "__main__":
    errors.run(main)
