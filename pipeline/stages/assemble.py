"""assemble: the increment's records against the parent's state -> what to train on, what to evaluate on.

Each record meets exactly one fate, decided by content hashes alone: no order, no random number. So an item
never changes side, never stands in train and in a slice, and the same records come to the same bytes.
"""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import errors, files, params
from pipeline.chain import lockfile
from pipeline.data import arrow, golden, index, records, slices
from pipeline.data import increment as increments
from pipeline.data.index import Index, Keys
from pipeline.data.records import Record

PREPARED, GOLDEN = Path("data/prepared/records.jsonl"), Path("data/golden")
PARENT, OUT = Path("models/parent"), Path("data/assembled")
FATES = ("seen", "conflicts", "golden", "eval", "eval_over_cap", "train_new")
KEPT = ("eval", "eval_over_cap", "train_new")  # what the chain did not know: it enters the index


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `assemble` of params.yaml."""

    eval_share: float
    slice_items: int
    max_slices: int  # golden ones not counted
    reservoir: int
    replay_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Parent:
    """The state that the parent release hands on; empty before the first."""

    index: Index = field(default_factory=Index)
    reservoir: Sequence[Record] = ()
    slices: Mapping[str, Sequence[Record]] = field(default_factory=dict)  # oldest first, no golden ones
    labels: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Increment:
    """What a candidate brings."""

    name: str  # names its slice and salts its replay
    records: Sequence[Record]  # no prompt stands there twice
    golden: Mapping[str, Sequence[Record]] = field(default_factory=dict)  # slice name -> items
    fresh: bool = False  # a new adapter: `records` are the union of the chain's increments


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembled:
    """What a candidate comes to on top of its parent."""

    train: list[Record]  # new and replayed, by id
    slices: dict[str, list[Record]]  # each by id
    reservoir: list[Record]  # by id
    labels: list[str]  # every label that the chain was trained on, sorted
    dropped: list[tuple[Record, str]]  # by id, with the reason
    keys: Keys  # new rows of the index
    report: dict[str, Any]


def assemble(new: Increment, parent: Parent, options: Params) -> Assembled:
    """Decide every record's fate and draw the replay; writes nothing."""
    items = sorted(new.records, key=attrgetter("id"))
    prompts = [records.content_id(item.prompt) for item in items]
    keys = index.keys((prompt, item.answer) for prompt, item in zip(prompts, items, strict=True))
    known = parent.index.compare(keys)
    fates = first_fates(prompts, known.tolist(), new, parent, options)
    all_slices = evaluation(new, parent, _having(items, fates, "eval"), options)
    held_out = slices.prompts(item for slice_ in all_slices.values() for item in slice_)
    fates = [
        "eval_over_cap" if fate == "eval" and prompt not in held_out else fate
        for fate, prompt in zip(fates, prompts, strict=True)
    ]
    learned = _having(items, fates, "train_new")
    old = [] if new.fresh else [item for item in parent.reservoir if records.content_id(item.prompt) not in held_out]
    replayed = replay(old, len(learned), options.replay_share, salt=new.name)
    added = np.array([fate in KEPT for fate in fates], dtype=bool) & (known != index.SEEN)
    return Assembled(
        train=sorted([*learned, *replayed], key=attrgetter("id")),
        slices=all_slices,
        reservoir=heapq.nsmallest(options.reservoir, [*old, *learned], key=attrgetter("id")),
        labels=sorted({item.answer for item in learned} | set(() if new.fresh else parent.labels)),
        dropped=[(item, fate) for item, fate in zip(items, fates, strict=True) if fate not in ("eval", "train_new")],
        keys=keys[:, added],
        report={
            "increment": new.name,
            "records": len(items),
            **{fate: fates.count(fate) for fate in FATES},
            "replayed": len(replayed),
            "slices": {name: len(slice_) for name, slice_ in all_slices.items()},
            "labels": dict(sorted(Counter(item.answer for item in learned).items())),
            "new_labels": sorted({item.answer for item in learned} - set(parent.labels)),
        },
    )


def first_fates(
    prompts: Sequence[str], known: Sequence[int], new: Increment, parent: Parent, options: Params
) -> list[str]:
    """Each record's fate before slices are cut to size.

    What the chain knows is dropped. With a fresh adapter the chain's training is repeated, so only the
    evaluation side is compared with history; but what stands in a slice is never trained on.
    """
    golden_prompts = slices.prompts(item for slice_ in new.golden.values() for item in slice_)
    in_slices = slices.prompts(item for slice_ in parent.slices.values() for item in slice_)
    fates = []
    for prompt, state in zip(prompts, known, strict=True):
        evaluated = slices.held_out(prompt, options.eval_share)
        if prompt in golden_prompts:
            fates.append("golden")
        elif state != index.NEW and (evaluated or not new.fresh):
            fates.append("seen" if state == index.SEEN else "conflicts")
        elif prompt in in_slices:
            fates.append("seen")
        else:
            fates.append("eval" if evaluated else "train_new")
    return fates


def evaluation(new: Increment, parent: Parent, items: Sequence[Record], options: Params) -> dict[str, list[Record]]:
    """Every slice to evaluate on: the chain's, the increment's own out of `items`, the golden ones."""
    chain = slices.extended(
        parent.slices, new.name, items, slice_items=options.slice_items, max_slices=options.max_slices
    )
    return chain | {name: list(slice_) for name, slice_ in new.golden.items()}


def replay(reservoir: Sequence[Record], learned: int, share: float, *, salt: str) -> list[Record]:
    """Old records to train on beside `learned` new ones, so that they are `share` of all, if there are enough.

    The lowest salted hashes: each increment draws another sample, and draws it again when run again.
    """
    wanted = round(learned * share / (1 - share))
    return heapq.nsmallest(wanted, reservoir, key=lambda item: hashlib.sha256(f"{salt}\n{item.id}".encode()).digest())


def load_parent(folder: Path = PARENT) -> Parent:
    """The parent's state.

    Raises:
        GraftError: its index is damaged or of another kind.
    """
    if (folder / "NONE").exists():
        return Parent()
    seen = index.load(folder / "index")
    return Parent(
        index=seen,
        reservoir=arrow.read_records(folder / "reservoir.arrow"),
        slices=slices.read(folder / "slices", [run.increment for run in seen.runs]),
        labels=files.read_json(folder / "labels.json"),
    )


def read_records(path: Path = PREPARED) -> list[Record]:
    """Records that `prepare` wrote."""
    with path.open(encoding="utf-8") as lines:
        return [Record(**json.loads(line)) for line in lines]


def main() -> None:
    """Assemble the open increment: data/assembled."""
    options, chain = params.load("assemble", Params), params.load_all()["train"]["chain"]
    files.empty_dir(OUT)
    increment = increments.read(Path(lockfile.load().increment))
    new = Increment(
        name=increment.name,
        records=read_records(),
        golden=golden.load(GOLDEN, increment.instruction),
        fresh=chain == "fresh",
    )
    parent = load_parent()
    assembled = assemble(new, parent, options)
    write(assembled, parent, increment.name)
    for line in summary(assembled.report):
        print(f"assemble: {line}")


def write(assembled: Assembled, parent: Parent, name: str, out: Path = OUT) -> None:
    """Write every output of the stage below `out`."""
    arrow.write_records(out / "train.arrow", assembled.train)
    slices.write(out / "slices", assembled.slices)
    parent.index.extended(files.empty_dir(out / "index"), name, assembled.keys)
    arrow.write_records(out / "reservoir.arrow", assembled.reservoir)
    files.write_json(out / "labels.json", assembled.labels)
    dropped = [
        {"id": item.id, "reason": reason, "increment": item.increment, "file": item.file, "line": item.line}
        for item, reason in assembled.dropped
    ]
    files.write_text(out / "dropped.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in dropped))
    files.write_json(out / "report.json", assembled.report)


def summary(report: Mapping[str, Any]) -> Iterator[str]:
    """The report in words, a line each."""
    fates = ", ".join(f"{fate} {report[fate]}" for fate in FATES if report[fate])
    yield f"{report['records']} records: {fates}"
    yield f"train on {report['train_new']} new and {report['replayed']} replayed"
    yield "evaluate on " + (", ".join(f"{name} {items}" for name, items in report["slices"].items()) or "nothing")


def _having(items: Sequence[Record], fates: Sequence[str], wanted: str) -> list[Record]:
    return [item for item, fate in zip(items, fates, strict=True) if fate == wanted]


if __name__ == "__main__":
    errors.run(main)
