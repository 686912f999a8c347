"""graft log: the chain of releases."""

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import click

from pipeline import files
from pipeline.chain import candidate, git, releases

REPORTS = ("metrics", "training", "manifest")


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
    status: str  # here: the tree holds it | released | withdrawn


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the releases as JSON.")
def log(as_json: bool) -> None:
    """Show the chain of releases.

    Increment, parent, accuracy, records and size of each, and which were withdrawn.

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
    return [
        _row(release, dict(zip(REPORTS, reports[3 * place :], strict=False)), status.get(release.tag, "released"))
        for place, release in enumerate(newest_first)
    ]


def _row(release: releases.Release, reports: dict[str, Any], status: str) -> Row:
    metrics, outputs = reports["metrics"], reports["manifest"].get("outputs", {})
    accuracy, before = _accuracy(metrics, "candidate"), _accuracy(metrics, "parent")
    sizes = [digest["size"] for path, digest in outputs.items() if path.startswith("models/adapter/")]
    return Row(
        version=release.tag,
        date=release.date,
        increment=PurePosixPath(release.lock.increment).name,
        parent=release.lock.parent.release if release.lock.parent else None,
        accuracy=accuracy,
        change=None if accuracy is None or before is None else round(accuracy - before, 6),
        records=reports["training"].get("records"),
        adapter_bytes=sum(sizes),
        status=status,
    )


def _accuracy(metrics: Any, side: str) -> float | None:
    value = (metrics.get(side) or {}).get("all", {}).get("accuracy")
    return None if value is None else float(value)


def _line(row: Row) -> str:
    accuracy = "accuracy   -  " if row.accuracy is None else f"accuracy {row.accuracy:.3f}"
    change = "        " if row.change is None else f"({row.change:+.3f})"
    parent = f"on {row.parent}" if row.parent else "first"
    mark = {"here": "  <- here", "withdrawn": "  withdrawn"}.get(row.status, "")
    return (
        f"{row.version:10} {row.date}  {row.increment:24} {parent:12} {accuracy} {change}"
        f"  {row.records or 0:>7,} records  {row.adapter_bytes / 1e6:6.2f} MB{mark}"
    )
