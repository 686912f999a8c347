"""graft log: the chain of releases."""

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import click

from pipeline import files
from pipeline.chain import candidate, git, keep, releases, sizes

REPORTS = ("metrics", "training")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One release, as the table and --json show it."""

    version: str
    date: str
    increment: str
    parent: str | None
    accuracy: float | None
    change: float | None  # against the parent's accuracy on the same items
    records: int | None  # trained on, replay included
    adapter_bytes: int
    added_bytes: int  # to the remote, beyond what lower versions hold there
    full_bytes: int  # of a full copy of models/merged
    keep: str  # full | on-demand: so released | thinned: on demand since `graft gc --thin`
    status: str  # here: the tree holds it | released | withdrawn


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the releases as JSON.")
def log(as_json: bool) -> None:
    """Show the chain of releases.

    Increment, parent, accuracy, records of each; its sizes: the adapter, what the release added to
    the remote, a full copy of models/merged; whether it was withdrawn; and whether its weights are on
    demand, that is not in the remote: `dvc repro merge` makes them. No remote is asked.

    \b
    Example:
      graft log
      graft log --json | jq '.[0].version'
    """
    tree = candidate.tree()
    rows = _rows(tree)
    if as_json:
        click.echo(files.dumps([{name: getattr(row, name) for name in Row.__slots__} for row in rows]), nl=False)
        return
    if tree.held is None:
        on = tree.lock.parent.release if tree.lock.parent else "no parent"
        click.echo(f"open candidate: {PurePosixPath(tree.lock.increment).name} on {on}")
    if not rows:
        click.echo("no release yet")
    for row in rows:
        click.echo(_line(row))


def _rows(tree: candidate.Tree) -> list[Row]:
    newest_first = list(reversed(tree.releases))
    names = [f"{release.commit}:reports/{name}.json" for release in newest_first for name in REPORTS]
    reports = [json.loads(content) if content else {} for content in git.contents(names)] if names else []
    withdrawn = tree.withdrawn
    status = dict.fromkeys(withdrawn, "withdrawn") | ({tree.held.tag: "here"} if tree.held else {})
    kept = keep.of(tree.releases)
    size = sizes.of(tree.releases, kept)
    return [
        _row(
            release,
            dict(zip(REPORTS, reports[len(REPORTS) * place :], strict=False)),
            status=status.get(release.tag, "released"),
            kept=kept[release.tag],
            size=size[release.tag],
        )
        for place, release in enumerate(newest_first)
    ]


def _row(release: releases.Release, reports: dict[str, Any], *, status: str, kept: str, size: sizes.Sizes) -> Row:
    metrics = reports["metrics"]
    accuracy, before = _accuracy(metrics, "candidate"), _accuracy(metrics, "parent")
    return Row(
        version=release.tag,
        date=release.date,
        increment=PurePosixPath(release.lock.increment).name,
        parent=release.lock.parent.release if release.lock.parent else None,
        accuracy=accuracy,
        change=None if accuracy is None or before is None else round(accuracy - before, 6),
        records=reports["training"].get("records"),
        adapter_bytes=size.adapter,
        added_bytes=size.added,
        full_bytes=size.full,
        keep=kept,
        status=status,
    )


def _accuracy(metrics: Any, side: str) -> float | None:
    value = (metrics.get(side) or {}).get("all", {}).get("accuracy")
    return None if value is None else float(value)


def _line(row: Row) -> str:
    accuracy = "accuracy   -  " if row.accuracy is None else f"accuracy {row.accuracy:.3f}"
    change = "        " if row.change is None else f"({row.change:+.3f})"
    parent = f"on {row.parent}" if row.parent else "first"
    mark = {"on-demand": "  on demand", "thinned": "  on demand (thinned)"}.get(row.keep, "")
    mark += {"here": "  <- here", "withdrawn": "  withdrawn"}.get(row.status, "")
    size = (
        f"adapter {row.adapter_bytes / 1e6:.2f} MB, added {row.added_bytes / 1e6:.2f}, full {row.full_bytes / 1e6:.2f}"
    )
    return (
        f"{row.version:10} {row.date}  {row.increment:24} {parent:12} {accuracy} {change}"
        f"  {row.records or 0:>7,} records  {size}{mark}"
    )
