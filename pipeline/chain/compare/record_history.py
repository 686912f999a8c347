"""What each release did with one record, read from the lineage tables of the chain.

dvc.lock is read by pattern, as in garbage.py: a chain has a thousand of them. Of a table, only the row groups
whose statistics let them hold the record are read.
"""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.commits import git
from pipeline.chain.history.releases import Release
from pipeline.chain.store.objects import Store
from pipeline.common import files
from pipeline.common.errors import GraftError

PATH = Path("data/assembled/lineage.parquet")
COLUMNS = ("id", "increment", "file", "line", "fate", "reason", "near")
CANDIDATE = "candidate"
SHORTEST = 8  # hex digits of a prefix: by chance, 2 of 65,000 records share it
SHORT = 16  # digits by which history names a record that is not at hand: `near`, and what was replaced
_ID = re.compile(rf"[0-9a-f]{{{SHORTEST},64}}")
_ENTRY = re.compile(rb"- path: '?%s'?\n\s+hash: md5\n\s+md5: '?([0-9a-f]{32})\b" % re.escape(bytes(PATH)))
_HELP = "docs/how-to/data.md says how to find the id of a text"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordEvent:
    """What one release did with the record, or with one that stands for it; one row of its lineage."""

    release: str  # v1.0.0 | candidate
    withdrawn: str | None  # why a rollback took the release back
    id: str
    increment: str | None  # that brought it; null, as file and line: history only says that it leaves
    file: str | None
    line: int | None
    fate: str  # train | eval | replay | augmented | dropped
    reason: str | None  # why it was dropped, or the slice's name
    near: str | None  # id, or its first 16 digits, of what it is near to, was made from or gave way to


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """A record's way through the chain, oldest release first."""

    id: str
    steps: list[RecordEvent]
    related: list[RecordEvent]  # other records whose `near` is this one: made from it, or left out beside it
    not_recorded: list[str]  # releases from before lineage was kept
    gone: list[str]  # releases whose lineage is neither in the cache nor in the remote


def trace(asked: str, tree: Tree, store: Store) -> History:
    """Follow a record through every release and through the working tree's own candidate.

    Args:
        asked: its id, or the beginning of it.
        tree: where the working tree stands.
        store: what is not in its cache is fetched.

    Raises:
        GraftError: not an id, the beginning of several ids, unknown, or the remote is out of reach.
    """
    prefix = asked.strip().lower()
    if not _ID.fullmatch(prefix):
        raise GraftError(f"{asked!r} is no record's id: {SHORTEST} to 64 hex digits", help=_HELP)
    named = tables(tree.releases)
    gone = _bring({md5 for md5 in named.values() if md5}, store)
    paths = {release: store.path(md5) for release, md5 in named.items() if md5 and md5 not in gone}
    if _is_candidates_own(tree, named):
        paths[CANDIDATE] = PATH
    with ThreadPoolExecutor() as pool:
        found = dict(zip(paths, pool.map(lambda path: _rows(path, prefix[:SHORT]), paths.values()), strict=True))
    steps = [_step(release, row, tree.withdrawn) for release, rows in found.items() for row in sorted(rows, key=_order)]
    absent = [release for release, md5 in named.items() if md5 is None]
    lost = [release for release, md5 in named.items() if md5 in gone]
    identity = _identity(prefix, steps, [*absent, *lost])
    return History(
        id=identity,
        steps=[step for step in steps if _names(step.id, identity)],
        related=[s for s in steps if s.near and _names(s.near, identity) and not _names(s.id, identity)],
        not_recorded=absent,
        gone=lost,
    )


def _order(row: Mapping[str, Any]) -> tuple[bool, str, int]:
    """What was used first, then by place."""
    return row["fate"] == "dropped", row["file"] or "", row["line"] or 0


def _names(short: str, identity: str) -> bool:
    """Whether an id, or its first digits, is that one."""
    return len(short) >= SHORT and identity.startswith(short)


def tables(releases: Sequence[Release]) -> dict[str, str | None]:
    """Tag of each release -> MD5 of its lineage, in their order; None where it has none. One git process."""
    locks = git.contents(f"{release.commit}:dvc.lock" for release in releases) if releases else iter(())
    found = (_ENTRY.search(lock or b"") for lock in locks)
    return {r.tag: match[1].decode() if match else None for r, match in zip(releases, found, strict=True)}


def _bring(md5s: set[str], store: Store) -> set[str]:
    """Fetch what the cache lacks; returns those that are nowhere."""
    absent = store.missing(md5s, "cache")
    nowhere = set(store.missing(absent, "remote")) if absent else set()
    if left := set(absent) - nowhere:
        store.fetch(left)
    return nowhere


def _is_candidates_own(tree: Tree, named: Mapping[str, str | None]) -> bool:
    """Whether the working tree's table is of the open candidate and not still its parent's, from before `dvc repro`."""
    if tree.held is not None or not PATH.is_file():
        return False
    parent = named.get(tree.lock.parent.release) if tree.lock.parent else None
    return parent is None or files.md5(PATH) != parent


def _rows(path: Path, prefix: str) -> list[dict[str, Any]]:
    """Rows whose id or `near` begins with the prefix, of at most 16 digits."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    def begins(column: Any) -> Any:
        return pc.fill_null(pc.starts_with(column, prefix), fill_value=False)

    found = []
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            kinds = {name: file.schema_arrow.field(name).type for name in COLUMNS}
            if not all(pa.types.is_string(kind) for name, kind in kinds.items() if name != "line"):
                raise pa.ArrowInvalid(f"its columns are {kinds}")
            for group in range(file.num_row_groups):
                may = [name for name in ("id", "near") if _may_hold(file, group, name, prefix)]
                if not may or not any(pc.any(begins(c)).as_py() for c in file.read_row_group(group, may).columns):
                    continue
                rows = file.read_row_group(group)
                found += rows.filter(pc.or_(begins(rows["id"]), begins(rows["near"]))).to_pylist()
    except (pa.ArrowException, KeyError) as error:
        raise GraftError(f"{path}: not a lineage table: {str(error).splitlines()[0]}", help="graft verify") from None
    return found


def _may_hold(file: Any, group: int, name: str, prefix: str) -> bool:
    """Whether the statistics of a row group allow a value that begins with the prefix."""
    column = file.metadata.row_group(group).column(file.schema_arrow.get_field_index(name))
    statistics = column.statistics
    if statistics is None or not statistics.has_min_max:
        return statistics is None or statistics.null_count != column.num_values
    return bool(statistics.min[: len(prefix)] <= prefix <= statistics.max[: len(prefix)])


def _step(release: str, row: Mapping[str, Any], withdrawn: Mapping[str, str]) -> RecordEvent:
    columns = {name: row[name] for name in COLUMNS}
    return RecordEvent(release=release, withdrawn=withdrawn.get(release), **columns)


def _identity(prefix: str, steps: Sequence[RecordEvent], unread: list[str]) -> str:
    """The one id that begins with the prefix."""
    named = sorted({step.id for step in steps} | {step.near for step in steps if step.near})
    ids = [name for name in named if name.startswith(prefix) or _names(name, prefix)]
    ids = [name for name in ids if not any(other != name and _names(name, other) for other in ids)]
    if len(ids) > 1:
        raise GraftError(f"{prefix}: {len(ids)} records begin so", ids[:20], help="give more of its digits")
    if not ids:
        unknown = [f"not known: what {release} did, for its lineage is not there" for release in unread]
        raise GraftError(f"{prefix}: no release and no candidate here knows this record", unknown[:20], help=_HELP)
    return ids[0]
