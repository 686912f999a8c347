"""graft diff: two releases side by side, or one record through all of them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click

from pipeline import files
from pipeline.chain import candidate, comparison, git, lineage, lockfile, verify
from pipeline.chain.comparison import Changed, Example, Slice
from pipeline.chain.store import Store
from pipeline.errors import GraftError
from pipeline.report import record as described

SHOWN = 5  # examples of each kind in the table


@dataclass(frozen=True, kw_only=True, slots=True)
class Diff:
    """What `graft diff --json` holds."""

    before: str
    after: str
    params: list[Changed]
    lock: list[Changed]  # base, parent, increment, toolchain
    data: list[Changed]  # rows, records by fate, rejects by reason, labels
    training: list[Changed]  # records, steps, tokens, ...
    bytes: list[Changed]  # per output
    slices: list[Slice]
    fixed: list[Example]
    broken: list[Example]


@click.command()
@click.argument("a", required=False)
@click.argument("b", required=False, default="HEAD")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--markdown", is_flag=True, help="Print tables for a pull request.")
@click.option("--record", metavar="ID", help="Trace one record through every release; 8 digits of its id are enough.")
def diff(a: str | None, b: str, as_json: bool, markdown: bool, record: str | None) -> None:
    """Compare two releases or commits, or trace one record through all of them.

    Params, base, toolchain, data, training, sizes, accuracy per slice with an exact McNemar test, and the
    very examples that were fixed and broken. A is the parent of what the tree holds, B is HEAD.
    Predictions are read from the cache or the remote; no model is loaded.

    With --record: which increment brought it, which releases trained on it, in which slice it is evaluated, or
    why it was dropped.

    \b
    Example:
      graft diff                   the last commit against its parent release
      graft diff v1.0.0 v1.1.0 --markdown
      graft diff --record 3f2a9c41
    """
    if record is not None:
        if a is not None or markdown:
            raise click.UsageError("--record goes through all releases: it takes no A, B or --markdown")
        _trace(record, as_json)
        return
    found = compare(a or _parent(), b, Store())
    if as_json:
        click.echo(files.dumps(asdict(found)), nl=False)
    else:
        click.echo("\n".join(_markdown(found) if markdown else _table(found)))


def _trace(record: str, as_json: bool) -> None:
    history = lineage.trace(record, candidate.tree(), Store())
    click.echo(files.dumps(asdict(history)) if as_json else "\n".join(described.table(history)), nl=not as_json)


def compare(a: str, b: str, store: Store) -> Diff:
    """Everything that differs between two commits.

    Raises:
        GraftError: one holds no finished pipeline, or its predictions are nowhere to be had.
    """
    before, after = verify.read(a), verify.read(b)
    old, new = (comparison.predictions(_object(store, side, "reports/predictions.jsonl")) for side in (before, after))
    fixed, broken = comparison.turned(old, new, _texts(store, after) if old.keys() & new.keys() else {})
    return Diff(
        before=a,
        after=b,
        params=comparison.changed(_params(a), _params(b)),
        lock=comparison.changed(_pins(before.lock), _pins(after.lock)),
        data=comparison.changed(_data(store, before), _data(store, after)),
        training=comparison.changed(_json(a, "reports/training.json"), _json(b, "reports/training.json")),
        bytes=comparison.changed(_sizes(before), _sizes(after)),
        slices=comparison.slices(old, new),
        fixed=fixed,
        broken=broken,
    )


def _parent() -> str:
    line = candidate.tree_of("HEAD")
    parent = line.lock.parent
    if parent is None:
        raise GraftError("HEAD has no parent release to compare with", help="graft diff A B")
    return parent.release


def _params(revision: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    return dict(YAML(typ="safe", pure=True).load(git.show(revision, "params.yaml") or b"") or {})


def _pins(lock: lockfile.Lock) -> dict[str, Any]:
    return {
        "base": {"source": lock.base.requested.source, **lock.base.resolved.sha256},
        "parent": lock.parent.release if lock.parent else None,
        "increment": lock.increment,
        "toolchain": lock.toolchain,
    }


def _json(revision: str, path: str) -> dict[str, Any]:
    return dict(json.loads(git.show(revision, path) or b"{}"))


def _data(store: Store, commit: verify.Commit) -> dict[str, Any]:
    """What became of the increment's rows; fetched, for the reports of prepare and assemble are not in git."""
    prepared, assembled = (
        json.loads(_object(store, commit, f"data/{s}/report.json")) for s in ("prepared", "assembled")
    )
    return {"rows": prepared["read"], "rejects": prepared["rejects"], **assembled}


def _sizes(commit: verify.Commit) -> dict[str, int]:
    return {
        output.path: sum(
            digest["size"]
            for path, digest in commit.manifest.items()
            if path == output.path or path.startswith(f"{output.path}/")
        )
        for output in commit.outputs
        if output.cached
    }


def _object(store: Store, commit: verify.Commit, path: str) -> bytes:
    md5 = next(output.md5 for output in commit.outputs if output.path == path)
    store.fetch([md5])
    return store.read(md5)


def _texts(store: Store, commit: verify.Commit) -> dict[str, str]:
    """Prompt of every evaluation item, by record id."""
    from pipeline.data import arrow

    folder = next(output.md5 for output in commit.outputs if output.path == "data/assembled/slices")
    store.fetch([folder])
    listed = store.listing(folder, "cache").items()
    paths = [store.path(md5) for name, md5 in listed if name.endswith(".arrow")]
    return {item.id: item.prompt[-1]["content"] for path in paths for item in arrow.read_records(path)}


def _table(found: Diff) -> Iterator[str]:
    yield f"{found.before} -> {found.after}"
    for title, changes in _sections(found):
        yield f"\n{title}"
        yield from (f"  {change.name}: {_short(change.before)} -> {_short(change.after)}" for change in changes)
    yield "\nslices" + 28 * " " + "before    after  fixed broken       p  items in common"
    for row in found.slices:
        yield (
            f"  {row.name:28} {_number(row.before)} {_number(row.after)} {row.fixed:6} {row.broken:6}"
            f" {_number(row.p_value)}  {row.items}"
        )
    for title, examples in (("fixed", found.fixed), ("broken", found.broken)):
        yield f"\n{title}: {len(examples)}"
        yield from (f"  [{e.slice}] {e.text!r}: {e.before} -> {e.after} (is {e.answer})" for e in examples[:SHOWN])
        if len(examples) > SHOWN:
            yield f"  and {len(examples) - SHOWN} more: --json lists all"


def _markdown(found: Diff) -> Iterator[str]:
    yield f"## {found.before} → {found.after}\n"
    yield "| slice | before | after | fixed | broken | p | items in common |\n|---|---:|---:|---:|---:|---:|---:|"
    for row in found.slices:
        figures = f"{_number(row.before)} | {_number(row.after)} | {row.fixed} | {row.broken} | {_number(row.p_value)}"
        yield f"| {row.name} | {figures} | {row.items} |"
    for title, changes in _sections(found):
        yield f"\n**{title}**\n"
        yield from (f"- `{change.name}`: {_short(change.before)} → {_short(change.after)}" for change in changes)
    for title, examples in (("fixed", found.fixed), ("broken", found.broken)):
        yield f"\n**{title}: {len(examples)}**\n"
        yield from (f"- `{e.slice}` {e.text}: {e.before} → {e.after} (is {e.answer})" for e in examples[:SHOWN])
        if len(examples) > SHOWN:
            yield f"- and {len(examples) - SHOWN} more"


def _sections(found: Diff) -> list[tuple[str, list[Changed]]]:
    names = ("params", "lock", "data", "training", "bytes")
    return [(name, changes) for name in names if (changes := getattr(found, name))]


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."


def _number(value: float | None) -> str:
    return "      -" if value is None else f"{value:7.4f}"
