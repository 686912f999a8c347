"""Cross-validation of a small increment: every record is evaluated once, by a model that never saw it.

`python -m pipeline.cross_validation --folds 5` trains as the tree's params say, once for each fold, on what
assemble leaves of the other folds, and prints a table and a line of JSON. It works in a folder of its own beside the
tree's base, parent and templates, and writes nothing into the tree.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.chain.lock import lockfile
from pipeline.common import errors, files, params
from pipeline.common.errors import GraftError
from pipeline.data.assemble import state
from pipeline.data.assemble.settings import AssembleSettings
from pipeline.data.prepare import rejects
from pipeline.data.records import arrow, jsonl, records
from pipeline.data.records.records import Record
from pipeline.evaluation import compared_models
from pipeline.evaluation.metrics import slice_metrics
from pipeline.evaluation.settings import EvaluateSettings
from pipeline.model.base import pinned
from pipeline.stages import assemble, settings, train
from pipeline.training.settings import TrainSettings

FOLD = "golden-fold"  # as items kept by hand: neither they nor what is near them are trained on
_OWN = (".dvc", ".git", ".graft", "models", "reports")  # not shared with the tree, or in part only
_DIGITS = 6

Metrics = Mapping[str, float | None]


def folds(items: Sequence[Record], count: int) -> list[list[Record]]:
    """The items dealt to `count` folds by the hashes of their questions, each label as evenly as it can be.

    Items with one question share a fold.
    """
    hashes = {item.id: records.content_id(item.prompt) for item in items}

    def order(item: Record) -> tuple[str, str]:
        return item.answer if item.kind == "classification" else item.kind, hashes[item.id]

    places: dict[str, int] = {}
    for item in sorted(items, key=order):
        places.setdefault(hashes[item.id], len(places) % count)
    dealt: list[list[Record]] = [[] for _ in range(count)]
    for item in sorted(items, key=lambda item: item.id):
        dealt[places[hashes[item.id]]].append(item)
    return dealt


def summary(measured: Sequence[Metrics]) -> dict[str, dict[str, Any]]:
    """Mean over the folds of each metric that all of them have, and the standard error of the mean.

    The folds' trainings share most of their records, so the error is rather too small (Bengio and Grandvalet 2004).
    """
    found = {}
    for name in measured[0]:
        values = [float(value) for fold in measured if (value := fold.get(name)) is not None]
        if len(values) == len(measured) and name not in ("items", "tokens"):
            error = statistics.stdev(values) / len(values) ** 0.5
            found[name] = {
                "mean": round(statistics.fmean(values), _DIGITS),
                "standard_error": round(error, _DIGITS),
                "folds": values,
            }
    return found


def table(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The summary in lines."""
    yield f"{'metric':20} {'mean':>9} {'std. err.':>9}  folds"
    for name, figures in found.items():
        values = " ".join(f"{value:.4f}" for value in figures["folds"])
        yield f"{name:20} {figures['mean']:9.4f} {figures['standard_error']:9.4f}  {values}"


def usable(new: assemble.NewRecords, parent: state.ParentState, options: AssembleSettings) -> list[Record]:
    """What the increment brings that is new to the chain and contradicts nothing: all that assemble would keep."""
    dropped = assemble.assemble(new, parent, options).dropped
    gone = pa.array([row["id"] for row in dropped if row["reason"] != "eval_over_cap"], pa.string())
    return arrow.records_of(new.table.filter(pc.invert(pc.is_in(new.table.column("id"), gone))))


def run(count: int) -> list[Metrics]:
    """Train and evaluate each fold, in the current folder.

    Raises:
        GraftError: nothing is prepared, or there are fewer records than folds.
    """
    settings.main()  # of this folder: reports/params.json
    new, parent, options = _increment(), state.load(), params.load("assemble", AssembleSettings)
    dealt = folds(usable(new, parent, options), count)
    if not all(dealt):
        raise GraftError(f"{sum(map(len, dealt))} usable records are too few for {count} folds")
    measured: list[Metrics] = []
    for number, held in enumerate(dealt):
        apart = {**new.golden, FOLD: arrow.table_of(held)}
        made = assemble.assemble(replace(new, golden=apart), parent, replace(options, eval_share=0.0))
        adapter = files.empty_dir(Path(f"fold-{number}"))
        print(
            f"fold {number + 1}: train on {made.train.num_rows}, evaluate on {len(held)}", file=sys.stderr, flush=True
        )
        with contextlib.redirect_stdout(sys.stderr):
            _trained(made.train, adapter)
            measured.append(_measured(adapter, made.labels, held))
    return measured


def _increment() -> assemble.NewRecords:
    folder = Path(lockfile.load().increment)
    report = assemble.PREPARED / "report.json"
    if not report.exists() or files.read_json(report)["increment"] != folder.name:
        raise GraftError(f"{assemble.PREPARED}: holds no records of {folder.name}", help="dvc repro prepare parent")
    table = jsonl.read(assemble.PREPARED / "records.jsonl")
    rejected = rejects.read(assemble.PREPARED / "rejects.jsonl")
    return assemble.load_increment(folder, table, rejected, params.load_all())


def _trained(table: pa.Table, adapter: Path) -> None:
    asked = replace(params.load("train", TrainSettings), checkpoint_url=None, trackers=[])
    arrow.write_table(train.RECORDS, table)  # what a checkpoint would be named by
    parent = train.parent_of(asked, pinned.load())
    train.learn(asked, arrow.records_of(table), parent, adapter).clear()


def _measured(adapter: Path, labels: Sequence[str], items: Sequence[Record]) -> Metrics:
    asked = params.load("evaluate", EvaluateSettings)
    found: Metrics = slice_metrics.measure(
        compared_models.judged(items, asked, adapter, labels), "candidate", asked.language
    )
    return found


@contextlib.contextmanager
def _beside(tree: Path) -> Iterator[None]:
    """A folder that reads as the tree does, and into which stages may write; it is the current one inside."""
    with tempfile.TemporaryDirectory(prefix="graft-folds-") as scratch, contextlib.chdir(scratch):
        for path in tree.iterdir():
            if path.name not in (*_OWN, "data"):
                Path(path.name).symlink_to(path)
        for folder, own in (("models", ("adapter", "merged")), ("data", ("assembled",))):
            Path(folder).mkdir()
            for path in (tree / folder).iterdir():
                if path.name not in own:
                    Path(folder, path.name).symlink_to(path)
        yield


def main() -> None:
    """Cross-validate the open increment; print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--folds", type=int, default=5, help="2 at least (5)")
    count = parser.parse_args().folds
    if count < 2:
        parser.error("--folds: 2 at least")
    with _beside(Path.cwd()):
        measured = run(count)
    found = summary(measured)
    print("\n".join(table(found)))
    print(json.dumps({"folds": count, "records": sum(int(fold["items"] or 0) for fold in measured), "metrics": found}))


if __name__ == "__main__":
    errors.run(main)
