"""What a chain forgets, and what it costs: five increments, each trained on its parent, against one training on all.

`python benchmarks/chain.py [FILE] [--records N]`; FILE is the CSV of docs/how-to/real-titles.md; without it titles are
made as the sample's are. The stages' own code runs, in this process: `assemble` draws split and replay, `train` learns,
`evaluate` scores. Printed is the frontier, accuracy against tokens, for several shares of replay and ways to hold on to
the parent; then a line of JSON for each target.
"""

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.common import files, params
from pipeline.data.assemble import state
from pipeline.data.assemble.settings import AssembleSettings
from pipeline.data.records import arrow, records
from pipeline.data.records.records import Record
from pipeline.evaluation import compared_models
from pipeline.evaluation.metrics import slice_metrics
from pipeline.evaluation.settings import EvaluateSettings
from pipeline.model.base import base_files
from pipeline.stages import assemble, settings, train
from pipeline.training.settings import TrainSettings

ROOT = Path(__file__).resolve().parent.parent
TITLES = ROOT / "../shared/data/pricerunner/pricerunner_aggregate.csv"
STEPS, RECORDS = 5, 700
KEPT = {"same labels": (0.98, 0.25), "new labels": (0.90, 0.60)}  # of the cumulative training's accuracy, of its tokens
FORGOTTEN = 0.05  # accuracy that the worst slice may lose
WAYS: Mapping[str, Mapping[str, Any]] = {  # beside the defaults
    "auto": {},
    "none": {"replay": 0.0},
    "a tenth": {"replay": 0.1},
    "half": {"replay": 0.5},
    "half rate": {"rewarm": 0.25},
    "stack": {"chain": "stack"},
    "ema": {"parent": {"ema": 0.97}},
    "kl": {"parent": {"kl": 1.0}},
    "batch of 16": {"batch_size": 16},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A title of the source: what it is, and who sells it."""

    text: str
    label: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A finished chain, or a training on everything."""

    accuracy: Mapping[str, float]  # of each slice, at the end
    tokens: int  # of steps 2 to the last
    forgotten: float  # most that a slice lost since its own step
    replayed: Sequence[float]  # shares chosen

    @property
    def mean(self) -> float:
        """Average accuracy over the slices."""
        return sum(self.accuracy.values()) / len(self.accuracy)


def read(source: Path) -> list[Row]:
    """Distinct titles of the public data set, or made ones, in an order that says nothing."""
    if source.is_file():
        with source.open(encoding="utf-8", newline="") as lines:
            found = [Row(text=" ".join(line[1].split()), label=line[6], source=line[2]) for line in csv.reader(lines)]
    else:
        sys.path.insert(0, str(ROOT))
        from examples.titles import KINDS, Dice, title

        dice = Dice(5)
        kinds = [dice.pick(KINDS[:10]) for _ in range(30_000)]
        found = [Row(text=title(kind, dice), label=kind, source=str(dice.below(60))) for kind in kinds]
    distinct = {row.text.casefold(): row for row in reversed(found)}
    return sorted(distinct.values(), key=lambda row: _hash(row.text))


def by_source(rows: Sequence[Row]) -> dict[str, int]:
    """Sources dealt to the steps, the largest first, always to the smallest step: same labels, other titles."""
    sizes, dealt = [0] * STEPS, {}
    for source, count in sorted(Counter(row.source for row in rows).items(), key=lambda item: (-item[1], item[0])):
        dealt[source] = sizes.index(min(sizes))
        sizes[dealt[source]] += count
    return dealt


def drops(rows: Sequence[Row], kind: str, count: int) -> list[list[Record]]:
    """The increments of a chain, `count` records each."""
    labels = sorted({row.label for row in rows}, key=_hash)
    sources = by_source(rows)
    made: list[list[Record]] = [[] for _ in range(STEPS)]
    for row in rows:
        step = sources[row.source] if kind == "same labels" else labels.index(row.label) * STEPS // len(labels)
        if len(made[step]) < count:
            messages = records.classification(row.text, row.label)
            made[step].append(
                Record(
                    id=records.content_id(messages),
                    messages=messages,
                    increment=f"step-{step + 1}",
                    file="raw/titles.csv",
                    line=len(made[step]) + 1,
                )
            )
    return made


class Bench:
    """A folder in which stages run, as in a clone."""

    def __init__(self, folder: Path) -> None:
        """Lay out base and params; the folder is the current one from now on."""
        shutil.copytree(ROOT / "examples/base", folder / "examples/base")
        shutil.copy2(ROOT / "params.yaml", folder)
        os.chdir(folder)
        sha256 = {path.name: files.sha256(path) for path in Path("examples/base").iterdir()}
        base_files.write_pin(base_files.Pin(source="builtin", revision=None, sha256=sha256, store="cache"))
        settings.main()
        asked = params.load_all()
        self.folder, self.asked = folder, params.load("train", TrainSettings)
        self.options = params.build(AssembleSettings, asked["assemble"])

    def chain(self, name: str, increments: Sequence[Sequence[Record]], more: Mapping[str, Any]) -> Outcome:
        """Train each increment on the one before; a first step that was trained before is taken over."""
        parts = {name: replace(self.asked.parent, **part) for name, part in more.items() if name == "parent"}
        asked, own, shares, tokens = replace(self.asked, **{**more, **parts}), {}, [], 0
        scores: dict[str, float] = {}
        parent, adapter = state.ParentState(), None
        for step, items in enumerate(increments):
            made, out = self._assembled(items, parent, asked), self.folder / (name if step else "first") / str(step)
            facts = self._trained(asked, made.train, adapter, out / "adapter", again=bool(step))
            adapter = out / "adapter"
            assemble.write(made, parent, items[0].increment, out)
            parent = state.load(out)
            scores = self._scores(adapter, made)
            own[items[0].increment] = scores[items[0].increment]
            if step:
                tokens += facts["tokens"]
                shares.append(made.report["replay"]["share"])
        lost = max(own[slice_] - scores[slice_] for slice_ in own)
        return Outcome(accuracy=scores, tokens=tokens, forgotten=lost, replayed=shares)

    def cumulative(self, increments: Sequence[Sequence[Record]]) -> Outcome:
        """A new adapter on all of the increments, scored on the chain's slices; tokens: of one such training a step."""
        asked = replace(self.asked, chain="fresh")
        parent, tables, tokens = state.ParentState(), [], 0
        for step, items in enumerate(increments):
            made = self._assembled(items, parent, replace(asked, replay=0.0))
            out = self.folder / "all" / str(step)
            assemble.write(made, parent, items[0].increment, out)
            parent = state.load(out)
            tables.append(arrow.records_of(made.train))
        learned = [item for table in tables for item in table]
        facts = self._trained(asked, arrow.table_of(learned), None, self.folder / "all/adapter", again=True)
        for step in range(1, len(tables)):
            tokens += facts["tokens"] * sum(map(len, tables[: step + 1])) // len(learned)
        return Outcome(
            accuracy=self._scores(self.folder / "all/adapter", made), tokens=tokens, forgotten=0, replayed=[]
        )

    def _assembled(
        self, items: Sequence[Record], parent: state.ParentState, asked: TrainSettings
    ) -> assemble.Assembled:
        table = arrow.table_of(sorted(items, key=lambda item: item.id))
        new = assemble.NewRecords(name=items[0].increment, table=table, seed=asked.seed, replay=asked.replay)
        return assemble.assemble(new, parent, self.options)

    def _trained(
        self, asked: TrainSettings, table: Any, parent: Path | None, out: Path, *, again: bool
    ) -> Mapping[str, Any]:
        if out.exists() and not again:
            return {}
        if out.exists():
            shutil.rmtree(out)
        out.mkdir(parents=True)
        arrow.write_table(train.RECORDS, table)  # what a checkpoint would be named by
        with contextlib.redirect_stdout(io.StringIO()):
            done = train.learn(asked, arrow.records_of(table), parent, out)
        done.clear()
        return done.facts

    def _scores(self, adapter: Path, made: assemble.Assembled) -> dict[str, float]:
        slices = {name: arrow.records_of(table) for name, table in made.slices.items()}
        asked = params.load("evaluate", EvaluateSettings)
        with contextlib.redirect_stdout(io.StringIO()):
            return {
                name: slice_metrics.measure(compared_models.judged(items, asked, adapter, made.labels), "candidate")[
                    "accuracy"
                ]
                for name, items in slices.items()
            }


def frontier(kind: str, found: Mapping[str, Outcome]) -> Iterator[str]:
    """A table: every way's accuracy and tokens, beside those of the training on everything."""
    every = found["everything"]
    yield f"\n{kind}: {len(every.accuracy)} slices"
    yield f"{'way':12} {'accuracy':>8} {'of all':>7} {'worst':>7} {'lost':>6} {'tokens':>10} {'of all':>7}  replayed"
    for name, one in found.items():
        shares = ", ".join(f"{share:.2f}" for share in one.replayed)
        yield (
            f"{name:12} {one.mean:8.4f} {one.mean / every.mean:7.1%} {min(one.accuracy.values()):7.4f} "
            f"{one.forgotten:6.3f} {one.tokens:10,} {one.tokens / every.tokens:7.1%}  {shares}"
        )


def verdicts(kind: str, found: Mapping[str, Outcome]) -> Iterator[dict[str, object]]:
    """The targets: accuracy kept, tokens spent, accuracy lost on the worst slice."""
    one, every = found["auto"], found["everything"]
    kept, spent = KEPT[kind]
    yield _line(f"accuracy of a chain, {kind}", one.mean, every.mean, kept, "accuracy")
    yield _line(f"tokens of a chain, {kind}", one.tokens, every.tokens, spent, "tokens")
    yield {
        "name": f"most that a slice lost, {kind}",
        "ours": round(one.forgotten, 4),
        "theirs": None,
        "ratio": None,
        "target": FORGOTTEN,
        "unit": "accuracy",
    }


def _line(name: str, ours: float, theirs: float, target: float, unit: str) -> dict[str, object]:
    figures = {"ours": round(ours, 4), "theirs": round(theirs, 4), "ratio": round(ours / theirs, 4)}
    return {"name": name, **figures, "target": target, "unit": unit}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    """Run both chains in throw-away folders and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file", nargs="?", type=Path, default=TITLES)
    parser.add_argument("--records", type=int, default=RECORDS, help="of each increment")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--kinds", nargs="*", default=list(KEPT), choices=list(KEPT))
    asked = parser.parse_args()
    rows = read(asked.file.resolve())
    lines = []
    for kind in asked.kinds:
        increments = drops(rows, kind, asked.records)
        with tempfile.TemporaryDirectory(prefix="graft-chain-") as scratch:
            bench = Bench(Path(scratch))
            found = {"everything": bench.cumulative(increments)}
            for way in asked.ways:
                found[way] = bench.chain(way, increments, WAYS[way])
                print(f"{kind}: {way} done", file=sys.stderr, flush=True)
            os.chdir(ROOT)
        print("\n".join(frontier(kind, found)), flush=True)
        lines += list(verdicts(kind, found))
    for line in lines:
        print(json.dumps(line))


if __name__ == "__main__":
    main()
