"""assemble: the increment's records against the parent's state -> what to train on, what to evaluate on.

Each record meets exactly one fate, decided by contents alone: no order, no random number. So an item
never changes side, never stands in train and in a slice, and the same records come to the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.chain.lock import lockfile
from pipeline.common import errors, files, params
from pipeline.common.words import counted
from pipeline.data.assemble import (
    assemble_report,
    augmented,
    fates,
    golden,
    lineage,
    neighbours,
    replay,
    reservoir,
    slices,
    state,
    suspects,
)
from pipeline.data.assemble.fates import Decided
from pipeline.data.assemble.neighbours import Flags, Neighbours
from pipeline.data.assemble.settings import AssembleSettings
from pipeline.data.assemble.state import ParentState
from pipeline.data.augment import key_samples
from pipeline.data.index import index
from pipeline.data.index.runs import EVAL, ID, KEY, LABEL, STATE, Rows
from pipeline.data.prepare import conflicts, rejects
from pipeline.data.prepare.conflicts import Review
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.data.reading import increment as increments
from pipeline.data.records import arrow, jsonl, kinds, message_columns
from pipeline.data.records import item_marks as marks
from pipeline.data.records.arrow import SCHEMA
from pipeline.data.records.item_marks import Marks
from pipeline.model.base import base_files
from pipeline.model.chat import templates
from pipeline.report.data import data_page as page
from pipeline.report.data import funnel

PREPARED, GOLDEN = Path("data/prepared"), Path("data/golden")
OUT = Path("data/assembled")
PAGE = Path("reports/data.html")
TEXT = "text"  # the kind of record that needs no chat template
SIMILARITY = 0.95  # of near-duplicates, where prepare.near_duplicates is off: the split follows them all the same


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRecords:
    """What a candidate brings, and how it asks to be treated."""

    name: str  # names its slice and salts its replay
    table: pa.Table  # records, by id
    rejects: pa.Table = field(default_factory=rejects.REJECTS.empty_table)  # what prepare left out
    golden: Mapping[str, pa.Table] = field(default_factory=dict)  # slice name -> items
    marks: Marks = field(default_factory=Marks)  # of golden items
    withdrawn: Sequence[str] = ()  # keys that leave
    evaluation: Sequence[str] = ()  # files held out whole
    replayable: Sequence[str] = tuple(kind for taken in kinds.KINDS.values() for kind in taken)  # kinds of records
    fresh: bool = False  # a new adapter: the records are the union of the chain's increments
    seed: int = 0  # of augmentation
    replay: str | float = replay.AUTO  # share of tokens
    similarity: float | None = SIMILARITY  # from which on near-duplicates are dropped; None: they stay
    conflicts: str = "drop"
    review: Review = field(default_factory=Review)


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembled:
    """What a candidate comes to on top of its parent."""

    train: pa.Table  # new and replayed, by id
    slices: dict[str, pa.Table]  # each by id
    golden: tuple[str, ...]  # which of them are kept by hand
    marks: Marks  # of their items
    reservoir: pa.Table  # by id
    labels: list[str]  # every label that the chain was trained on, sorted
    counts: dict[str, int]  # label -> records of the increment that the chain did not know
    rows_CN: Rows  # new rows of the index
    common: frozenset[str]  # pieces that tell no texts apart
    dates: dict[int, str]  # of the records that the chain knows from now on, by the first 64 bits of their ids
    lineage: list[pa.Table]
    dropped: list[dict[str, Any]]  # by id, with the reason
    review: str  # questions for people
    report: dict[str, Any]


def assemble(new: NewRecords, parent: ParentState, options: AssembleSettings) -> Assembled:
    """Decide every record's fate and draw the replay; writes nothing.

    Raises:
        GraftError: labels contradict history where the policy is `fail`.
    """
    table = new.table
    others = neighbours.Others(
        golden=slices.united(new.golden.values()),
        slices=slices.united(parent.slices.values()),
        reservoir=parent.reservoir,
    )
    found = neighbours.gather(table, parent.index, others, new.similarity or SIMILARITY)
    leaving = parent.index.with_key(message_columns.hashes(pa.array(new.withdrawn, pa.string()))).rows_CM
    decided = fates.decide(
        found,
        _rules(new, parent, options),
        withdrawn=_flags(pc.is_in(table.column("key"), pa.array(new.withdrawn, pa.string()))),
        evaluation=_flags(pc.is_in(table.column("file"), pa.array(new.evaluation, pa.string()))),
        leaving_CM=leaving,
    )
    kept_slices = evaluation(new, parent, decided, options)
    fate = np.array(decided.fates, dtype=object)
    evaluated = slices.united(kept_slices.values())
    held_out = np.isin(found.prompts_N4[:, 0], message_columns.digests(evaluated)[0][:, 0])
    fate[(fate == "eval") & ~held_out] = "eval_over_cap"
    fate[fates.returned(decided, held_out & (fate == "eval"))] = "train_new"
    learned = table.filter(pa.array(fate == "train_new"))
    old = old_records(new, parent, found, decided)
    of_use = old.filter(pc.is_in(old.column("kind"), pa.array(new.replayable, pa.string())))  # another objective's wait
    trained = augmented.training(learned, evaluated, options.augment, new.seed, new.similarity or SIMILARITY)
    known = parent.index.labels if "classification" in new.replayable else {}
    chosen = replay.choose(new.replay, learned, of_use, known, fresh=new.fresh)
    added = pa.concat_tables([trained.learned, trained.added])
    replayed = replay.drawn(of_use, added, chosen.share, salt=new.name)
    kept = pa.concat_tables([old, learned])
    unknown = np.isin(fate, fates.KEPT) & ~found.known.seen
    labels = found.view.labels
    return Assembled(
        train=pa.concat_tables([added, replayed]).sort_by("id"),
        slices=kept_slices,
        golden=tuple(new.golden),
        marks=new.marks,
        reservoir=reservoir.kept(kept, options.reservoir),
        labels=sorted(set(_values(labels, fate == "train_new")) | set(() if new.fresh else parent.labels)),
        counts=message_columns.counted(labels.filter(pa.array(unknown))),
        rows_CN=_index_rows(found, fate, unknown, decided),
        common=found.common,
        dates=_dates(found, np.isin(fate, (*fates.KEPT, "seen"))),
        lineage=[
            *lineage.lineage_table(new.name, table, fate, decided.near, new.rejects, replayed),
            trained.lineage,
            lineage.ended(decided.endings),
        ],
        dropped=assemble_report.dropped(table, fate.tolist()),
        review=conflicts.questions((conflict for conflict, label in decided.settled if label is None), new.review),
        report=assemble_report.report(
            new.name, table, found, decided, fate.tolist(), parent.labels, parent.index, leaving
        )
        | {
            "slices": {name: items.num_rows for name, items in kept_slices.items()},
            "replayed": replayed.num_rows,
            "replay": replay.after(chosen, replayed, added).report(),
            "augmented": trained.added.num_rows,
            "suspects": _suspects(table, options.suspects),
        },
    )


def evaluation(
    new: NewRecords, parent: ParentState, decided: Decided, options: AssembleSettings
) -> dict[str, pa.Table]:
    """Every slice to evaluate on: the chain's without what was replaced, the increment's own, the golden ones."""
    items = new.table.filter(pa.array(np.array(decided.fates, dtype=object) == "eval"))
    old = {name: slice_.filter(_stays(slice_, decided.ended_CM)) for name, slice_ in parent.slices.items()}
    chain = slices.extended(
        {name: slice_ for name, slice_ in old.items() if slice_.num_rows},
        new.name,
        items,
        slice_items=options.slice_items,
        max_slices=options.max_slices,
    )
    return chain | dict(new.golden)


def old_records(new: NewRecords, parent: ParentState, found: Neighbours, decided: Decided) -> pa.Table:
    """What may be kept and replayed: the reservoir without what was replaced, and what golden items ask."""
    if new.fresh:
        return SCHEMA.empty_table()
    return parent.reservoir.filter(pa.array(~found.unfit_R)).filter(
        _stays(parent.reservoir.filter(pa.array(~found.unfit_R)), decided.ended_CM)
    )


def load_increment(folder: Path, table: pa.Table, rejected: pa.Table, asked: Mapping[str, Any]) -> NewRecords:
    """What the open increment brings.

    Args:
        folder: the increment's.
        table: its records, as prepare made them.
        rejected: what prepare left out.
        asked: settings by section.

    Raises:
        GraftError: increment.yaml, params.yaml, a golden item or an answer in data/review.csv is no good.
    """
    increment, policy = increments.read(folder), asked["prepare"]["conflicts"]
    cleaning = params.build(PrepareSettings, asked["prepare"]).cleaning()
    kept_by_hand = golden.load(GOLDEN, increment.instruction, cleaning)
    return NewRecords(
        name=increment.name,
        table=table,
        rejects=rejected,
        golden={name: arrow.table_of(items) for name, items in kept_by_hand.slices.items()},
        marks=kept_by_hand.marks,
        withdrawn=increment.withdrawn,
        evaluation=increment.evaluation,
        replayable=kinds.KINDS[asked["train"]["objective"]],
        fresh=asked["train"]["chain"] == "fresh",
        seed=asked["train"]["seed"],
        replay=asked["train"]["replay"],
        similarity=asked["prepare"]["near_duplicates"],
        conflicts=policy,
        review=conflicts.read_review() if policy == "review" else Review(),
    )


def refuse_unreadable(
    evaluated: Mapping[str, pa.Table], asked: Mapping[str, Any], base: Callable[[], Path | None]
) -> None:
    """Refuse slices that only a chat template shows, where there is none: training on texts alone needs none.

    Args:
        evaluated: slice name -> items.
        asked: section `train` of params.yaml.
        base: finds the base's folder; None: it is not here, and nothing can be said.

    Raises:
        GraftError: such slices, each named; `evaluate` would stop at them, after the training.
    """
    if asked["chat_template"] is not None or kinds.KINDS[asked["objective"]] != (TEXT,):  # else `train` says so at once
        return
    others = {name: _count_others(items) for name, items in evaluated.items()}
    problems = [
        f"slice {name}: {counted(count, 'item')} that only a template shows" for name, count in others.items() if count
    ]
    if problems and (folder := base()) and not templates.base_has_one(folder):
        raise templates.missing(folder, problems)


def _count_others(items: pa.Table) -> int:
    return sum(kind != TEXT for kind in items.column("kind").to_pylist())


def main() -> None:
    """Assemble the open increment: data/assembled."""
    asked = params.load_all()
    files.empty_dir(OUT)
    table, rejected = jsonl.read(PREPARED / "records.jsonl"), rejects.read(PREPARED / "rejects.jsonl")
    new = load_increment(Path(lockfile.load().increment), table, rejected, asked)
    parent = state.load()
    made = assemble(new, parent, params.build(AssembleSettings, asked["assemble"]))
    refuse_unreadable(made.slices, asked["train"], base_files.locate)
    write(made, parent, new.name)
    files.write_text(PAGE, page.html(files.read_json(PREPARED / "report.json"), made.report))
    for line in summary(made.report):
        print(f"assemble: {line}")
    if questions := conflicts.count(made.review):
        print(f"assemble: {questions} contradictions are open: {OUT}/review.csv; answers go to {conflicts.REVIEW}")


def write(made: Assembled, parent: ParentState, name: str, out: Path = OUT) -> None:
    """Write every output of the stage below `out`."""
    arrow.write_table(out / "train.arrow", made.train)
    slices.write(out / "slices", made.slices, made.golden)
    marks.write(out / "slices", made.marks)
    parent.index.extended(files.empty_dir(out / "index"), name, made.rows_CN, made.counts, made.common, made.dates)
    arrow.write_table(out / "reservoir.arrow", made.reservoir)
    files.write_json(out / "labels.json", made.labels)
    lineage.write(out / "lineage.parquet", made.lineage)
    assemble_report.write_lines(out / "dropped.jsonl", made.dropped)
    files.write_text(out / "review.csv", made.review)
    files.write_json(out / "report.json", made.report)


def summary(report: Mapping[str, Any]) -> Iterator[str]:
    """The report in words, a line each."""
    met = ", ".join(f"{fate} {report[fate]}" for fate in fates.FATES if report[fate])
    yield f"{report['records']} records: {met}"
    more = f", {report['augmented']} made of them" if report["augmented"] else ""
    yield f"train on {report['train_new']} new and {report['replayed']} replayed{more}"
    yield from funnel.replay(report)
    yield "evaluate on " + (", ".join(f"{name} {items}" for name, items in report["slices"].items()) or "nothing")


def _rules(new: NewRecords, parent: ParentState, options: AssembleSettings) -> fates.Rules:
    names = list(parent.index.labels)
    hashes = message_columns.hashes(pa.array(names, pa.string())) & LABEL
    return fates.Rules(
        eval_share=options.eval_share,
        similarity=new.similarity,
        conflicts=new.conflicts,
        answers=new.review.answers,
        labels=dict(zip(hashes.tolist(), names, strict=True)),
        fresh=new.fresh,
    )


def _suspects(table: pa.Table, predictions: str | None) -> list[dict[str, Any]]:
    """Records whose label is probably another, where predictions say so."""
    if predictions is None:
        return []
    labels = dict(zip(table.column("id").to_pylist(), message_columns.view(table).labels.to_pylist(), strict=True))
    told = key_samples.load(Path(predictions))
    return [asdict(suspect) for suspect in suspects.find({id_: labels[id_] for id_ in told if labels.get(id_)}, told)]


def _index_rows(found: Neighbours, fate: Any, unknown: Flags, decided: Decided) -> Rows:
    moved = found.known.seen & (found.rows_CN[KEY] != 0) & (found.rows_CN[KEY] != found.known.keys_N)
    added_CN = found.rows_CN[:, unknown | moved]  # a record that comes under another key is known by that from now on
    held_out = np.where(moved, found.known.evaluated, fate != "train_new")
    added_CN[STATE] |= np.where(held_out[unknown | moved], np.uint64(EVAL), np.uint64(0))
    return np.concatenate([index.gone(decided.ended_CM), added_CN], axis=1)


def _dates(found: Neighbours, known: Flags) -> dict[int, str]:
    ids = found.rows_CN[ID].tolist()
    return {ids[row]: date for row, date in enumerate(found.dates) if date is not None and known[row]}


def _stays(records: pa.Table, ended_CM: Rows) -> pa.Array:
    """Which records history keeps."""
    ids_N4 = message_columns.digests(records)[1]
    return pa.array(~np.isin(ids_N4[:, 0], ended_CM[ID]))


def _values(labels: pa.Array, which: Flags) -> list[str]:
    found: list[str] = labels.filter(pa.array(which)).drop_null().to_pylist()
    return found


def _flags(column: pa.ChunkedArray) -> Flags:
    flags: Flags = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    return flags.astype(bool)


if __name__ == "__main__":
    errors.run(main)
