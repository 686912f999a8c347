"""The index of a chain made again from the records that its releases hold, when this Graft hashes otherwise."""

import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.chain.commits import git, outputs
from pipeline.chain.commits import manifest_file as manifests
from pipeline.chain.lock import lockfile
from pipeline.chain.lock.lockfile import Lock
from pipeline.chain.store.objects import Store
from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.data.index import common_pieces, index, runs, sketch
from pipeline.data.index.index import Index
from pipeline.data.index.runs import Rows
from pipeline.data.reading import increment
from pipeline.data.records import jsonl, message_columns

RECORDS, DROPPED, SLICES = "data/prepared/records.jsonl", "data/assembled/dropped.jsonl", "data/assembled/slices"
_KNOWN = ("seen", "eval_over_cap")  # fates in dropped.jsonl of records that the chain knows all the same
_SORTABLE = re.compile(r"[0-9]{4}-[0-9]{2}|[0-9]{20}$")  # an older Graft kept dates as they were written


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one release of the chain brought."""

    release: str
    commit: str
    lock: Lock
    md5: dict[str, str]  # of the three outputs above
    size: int  # bytes of its records


def is_current(folder: Path) -> bool:
    """Whether an index is of the kind that this Graft reads."""
    return not index.differences(files.read_json(folder / "index.json"))


def make_again(parent: lockfile.LockedParent, store: Store, target: Path) -> None:
    """Write the index of a parent's chain to the empty folder `target`; says first what that costs.

    Raises:
        GraftError: this clone lacks a release's commit, or its records are nowhere to be had.
    """
    chain = parts(parent)
    megabytes = sum(part.size for part in chain) / 1e6
    print(
        f"parent: the index of {parent.release} was made by another Graft: it is made again from the records of "
        f"{len(chain)} releases, {megabytes:.1f} MB to read",
        flush=True,
    )
    md5s = [md5 for part in chain for md5 in part.md5.values()]
    store.fetch(md5s)
    if missing := store.missing(md5s, "cache"):
        lacking = [part.release for part in chain if set(part.md5.values()) & set(missing)]
        raise GraftError(
            f"records of {', '.join(lacking)} are neither in the cache nor in the remote",
            help="where they are on demand, in a clone of each: git checkout RELEASE, dvc repro assemble, dvc push",
        )
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        grown = Index()
        for number, part in enumerate(chain):
            folder = files.empty_dir(Path(scratch) / str(number))
            grown = _extended(grown, part, store, folder)
        if grown.folder is not None:
            target.rmdir()
            grown.folder.rename(target)


def parts(parent: lockfile.LockedParent) -> list[Part]:
    """Releases of a parent's chain, oldest first, each by its own commit."""
    found: list[Part] = []
    following: lockfile.LockedParent | None = parent
    while following is not None and following.commit.strip("0"):  # an adopted adapter has no commit
        part = _part(following)
        found.insert(0, part)
        following = part.lock.parent
    return found


def _part(parent: lockfile.LockedParent) -> Part:
    texts = [git.show(parent.commit, name) for name in ("models.lock", "dvc.yaml", "dvc.lock", "reports/manifest.json")]
    if any(text is None for text in texts):
        raise GraftError(
            f"this clone lacks the commit of {parent.release}, {parent.commit[:12]}",
            help="git fetch --unshallow --tags: the index is made again from all releases",
        )
    lock, dvc_yaml, dvc_lock, manifest = (text or b"" for text in texts)
    at = f"{parent.release}:"
    md5 = {output.path: output.md5 for output in outputs.read(dvc_yaml, dvc_lock, at)}
    listed = manifests.parse(manifest, f"{at}{manifests.PATH}")
    return Part(
        release=parent.release,
        commit=parent.commit,
        lock=lockfile.parse(lock, f"{parent.release}:models.lock"),
        md5={name: md5[name] for name in (RECORDS, DROPPED, SLICES)},
        size=int(listed[RECORDS]["size"]),
    )


def _extended(grown: Index, part: Part, store: Store, folder: Path) -> Index:
    """The index with one release more: what it kept, and what that replaced."""
    table = jsonl.read(store.path(part.md5[RECORDS]))
    forms = sketch.normal_forms(message_columns.view(table).bodies)
    common = common_pieces.find(forms.to_pylist(), grown.common)
    reasons = {row["id"]: row["reason"] for row in _lines(store.path(part.md5[DROPPED]))}
    over_cap = {id_ for id_, reason in reasons.items() if reason == "eval_over_cap"}
    ids = table.column("id").to_pylist()
    dates = _dates(table.filter(pa.array([reasons.get(id_, "seen") in _KNOWN for id_ in ids], pa.bool_())))
    stays = [reasons.get(id_, "eval_over_cap") == "eval_over_cap" for id_ in ids]
    table = table.filter(pa.array(stays, pa.bool_()))
    held_out = over_cap | _in_slices(store, part.md5[SLICES])
    rows_CN = _rows(table, np.array([id_ in held_out for id_ in table.column("id").to_pylist()], dtype=bool), common)
    known = grown.compare(rows_CN)
    ended = [index.gone(known.others.rows_CM), index.gone(_replaced(grown, rows_CN, part))]
    added_CN = np.concatenate([*ended, rows_CN[:, ~known.seen]], axis=1)
    counts = message_columns.counted(message_columns.view(table.filter(pa.array(~known.seen))).labels)
    return grown.extended(folder, Path(part.lock.increment).name, added_CN, counts, common, dates)


def _dates(table: pa.Table) -> dict[int, str]:
    ids = message_columns.digests(table)[1][:, 0].tolist()
    dates = table.column("date").to_pylist()
    return {record: date for record, date in zip(ids, dates, strict=True) if date and _SORTABLE.match(date)}


def _rows(table: pa.Table, evaluated: npt.NDArray[np.bool_], common: frozenset[str]) -> Rows:
    view = message_columns.view(table)
    prompts_N4, ids_N4 = message_columns.digests(table)
    return index.rows(
        prompts_N4,
        ids_N4,
        common_pieces.sketched(sketch.normal_forms(view.bodies), common),
        evaluated=evaluated,
        labelled=view.labelled,
        answers_N=message_columns.hashes(view.answers),
        keys_N=message_columns.hashes(table.column("key")),
    )


def _replaced(grown: Index, rows_CN: Rows, part: Part) -> Rows:
    """Rows of items that came with other content, or were withdrawn."""
    same = grown.with_key(rows_CN[runs.KEY])
    other = same.rows_CM[runs.ID] != rows_CN[runs.ID][same.query_M]
    leaving_CM = grown.with_key(message_columns.hashes(pa.array(_withdrawn(part), pa.string()))).rows_CM
    return np.concatenate([leaving_CM, same.rows_CM[:, other]], axis=1)


def _withdrawn(part: Part) -> tuple[str, ...]:
    """Keys that a release's increment withdrew, by its increment.yaml as it was in the commit."""
    text = git.show(part.commit, f"{part.lock.increment}/{increment.NAME}") or b""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, Path(part.lock.increment).name)
        files.write_bytes(folder / increment.NAME, text)
        return increment.read(folder).withdrawn


def _in_slices(store: Store, md5: str) -> set[str]:
    listed = store.listing(md5, "cache").items()
    found: set[str] = set()
    for name, object_md5 in listed:
        if name.endswith(".arrow"):
            with pa.memory_map(str(store.path(object_md5))) as source:
                found.update(pa.ipc.open_stream(source).read_all().column("id").to_pylist())
    return found


def _lines(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
