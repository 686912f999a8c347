"""What an increment comes to on its parent, counted before any training and written nowhere."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.lock.lockfile import LockedParent
from pipeline.chain.store.objects import Store
from pipeline.common import params
from pipeline.common.words import counted
from pipeline.data.reading import increment
from pipeline.report.data import funnel

KNOWN = ("seen", "golden", "superseded")
NEAR = ("near-duplicate", "bridges-split", "near-evaluation")
_SAID = {"near-duplicates": "near-duplicate", "conflicts": "in conflict"}  # whatever the number
FEW = 4  # reasons of rejection that the table names


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What prepare and assemble would come to."""

    prepared: dict[str, Any]  # data/prepared/report.json
    assembled: dict[str, Any]  # data/assembled/report.json
    train: Any  # pa.Table: records to train on
    slices: dict[str, Any]  # name -> pa.Table: items to evaluate on


def count(tree: Tree, asked: dict[str, Any], store: Store) -> Counted | None:
    """What prepare and assemble would make of the increment; nothing is written in the tree.

    None when the increment's files are not here.
    """
    from pipeline.data.assemble import state
    from pipeline.data.assemble.settings import AssembleSettings
    from pipeline.data.prepare import rejects
    from pipeline.data.prepare.settings import PrepareSettings
    from pipeline.data.records import jsonl
    from pipeline.stages import assemble, prepare

    folder = Path(tree.lock.increment)
    if not (folder / increment.RAW).is_dir():
        return None
    loaded = increment.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        prepared = prepare.prepare(loaded, folder, params.build(PrepareSettings, asked["prepare"]), out)
        table, rejected = jsonl.read(out / "records.jsonl"), rejects.read(out / "rejects.jsonl")
        new = assemble.load_increment(folder, table, rejected, asked)
    options = params.build(AssembleSettings, asked["assemble"])
    with tempfile.TemporaryDirectory() as scratch:  # models/parent may still be the last candidate's
        if tree.lock.parent:
            _link_state(tree.lock.parent, store, Path(scratch))
        parent = state.load(Path(scratch)) if tree.lock.parent else state.ParentState()
        made = assemble.assemble(new, parent, options)
        return Counted(prepared=prepared, assembled=made.report, train=made.train, slices=made.slices)


def _link_state(parent: LockedParent, store: Store, folder: Path) -> None:
    """Lay the parent's state out as links into the cache: an index of ten million records is not copied."""
    md5s = {Path(path).name: output["md5"] for path, output in parent.state.items()}
    store.fetch(md5s.values())
    for name, md5 in md5s.items():
        files_of = store.listing(md5, "cache") if md5.endswith(".dir") else {"": md5}
        for inner, child in files_of.items():
            path = folder / name / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(store.path(child).resolve())


def summed(prepared: Mapping[str, Any], assembled: Mapping[str, Any]) -> dict[str, int]:
    """The two reports in a few counts: rows = rejected + records, and records = known + ... + new."""
    dropped = funnel.dropped(assembled)
    named = {
        "known": sum(dropped.pop(fate, 0) for fate in KNOWN),
        "near-duplicates": sum(dropped.pop(fate, 0) for fate in NEAR),
        "conflicts": dropped.pop("conflicts", 0),
        "withdrawn": dropped.pop("withdrawn", 0),
        "otherwise dropped": sum(dropped.values()),
    }
    return {
        "rows": prepared["read"],
        "rejected": sum(prepared["rejects"].values()),
        "records": assembled["records"],
        **named,
        "held out": funnel.held_out(assembled),
        "new": funnel.new(assembled),
        "replayed": assembled.get("replayed", 0),
        "augmented": assembled.get("augmented", 0),
    }


def lines(prepared: Mapping[str, Any], assembled: Mapping[str, Any]) -> Iterator[str]:
    """The counts in words: rows, records by fate, what is trained on, kinds and keys."""
    counts = summed(prepared, assembled)
    rows, rejected, records = (counts.pop(name) for name in ("rows", "rejected", "records"))
    train = {name: counts[name] for name in ("new", "replayed", "augmented")}
    fates = {_SAID.get(name, name): n for name, n in counts.items() if n and name not in ("replayed", "augmented")}
    yield f"{counted(rows, 'row')} read, {rejected:,} rejected{_reasons(prepared['rejects'])}"
    yield f"{counted(records, 'record')}: {_listed(fates) or 'none'}"
    yield f"{counted(funnel.trained(assembled), 'record')} to train on: {_listed(train)}"
    yield from funnel.replay(assembled)
    if len(kinds := prepared.get("kinds", {})) > 1:
        yield f"kinds: {_listed(kinds)}"
    if keys := assembled.get("keys"):
        yield f"keys: {_listed(keys)}"


def _reasons(rejects: Mapping[str, int]) -> str:
    """The most frequent reasons, in brackets."""
    top = sorted(rejects.items(), key=lambda item: (-item[1], item[0]))
    shown = _listed(dict(top[:FEW])) + (", ..." if len(top) > FEW else "")
    return f" ({shown})" if top else ""


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in values.items())
