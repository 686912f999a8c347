"""graft log: the chain of releases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import click

from pipeline import terminal
from pipeline.chain.candidate import candidate
from pipeline.chain.commits import git
from pipeline.chain.history import releases, sizes, thinning
from pipeline.chain.lock.lockfile import Lock
from pipeline.commands import log_graph
from pipeline.common import documents
from pipeline.common.errors import GraftError

REPORTS = ("metrics", "training")
METRICS = ("accuracy", "preference_accuracy", "loss")  # the first that a release was measured by is shown
_SCORE = 24  # columns: an older release's figure beside its own
UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRow:
    """One release, as the table and --json show it."""

    version: str
    date: str
    increment: str
    parent: str | None
    metric: str | None  # the figure's that the table shows; None: not measured
    value: float | None
    before: float | None  # the parent's, on the same items
    accuracy: float | None
    change: float | None  # against the parent's accuracy on the same items
    records: int | None  # trained on, replay included
    adapter_bytes: int
    added_bytes: int  # to the remote, beyond what lower versions hold there
    full_bytes: int  # of a full copy of models/merged
    keep: str  # full | on-demand: so released | thinned: on demand since `graft gc --thin`
    status: str  # here: the tree holds it | released | withdrawn | unreadable: a file of its commit is broken
    why: str | None  # it was withdrawn, as `graft rollback --why` said; or what cannot be read
    same_as: str | None  # an older release of the same bytes: a tagged rollback
    verdict: str | None  # pass: the gate's; without it there is no release. None: unreadable


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the releases as JSON.")
def log(as_json: bool) -> None:
    """Show the chain of releases.

    For each release: the increment, the accuracy (else the share preferred, or the loss) beside the
    parent's on the same items, the records it was trained on, and what it added to the remote. Marked
    are withdrawn releases, and those whose weights are on demand: not in the remote, `dvc repro merge`
    makes them. --json adds the sizes of the adapter and of models/merged. No remote is asked.

    \b
    Example:
      graft log
      graft log --json | jq '.[0].version'
    """
    tree = candidate.tree()
    rows = _rows(tree)
    if as_json:
        terminal.echo_json([{name: getattr(row, name) for name in LogRow.__slots__} for row in rows])
        return
    if tree.held is None:
        on = tree.lock.parent.release if tree.lock.parent else "no parent"
        terminal.echo(f"open candidate: {PurePosixPath(tree.lock.increment).name} on {on}")
    if not rows:
        terminal.echo("no release yet")
    width = max((len(row.increment) for row in rows), default=0)
    for row, (joins, left) in zip(rows, log_graph.drawn(_lines(rows)), strict=True):
        terminal.echo(*joins, f"{left} {_line(row, width)}")


def _rows(tree: candidate.Tree) -> list[LogRow]:
    newest_first = list(reversed(tree.releases))
    names = [f"{release.commit}:reports/{name}.json" for release in newest_first for name in REPORTS]
    contents = list(git.contents(names)) if names else []
    withdrawn = tree.withdrawn
    oldest: dict[str, str] = {}
    for release in tree.releases:
        oldest.setdefault(release.manifest, release.tag)
    kept = thinning.kept_as(tree.releases)
    size, broken = sizes.release_sizes(tree.releases, kept)
    reports: dict[str, Any] = {}
    for place, release in enumerate(newest_first):
        try:
            reports[release.tag] = _reports(release.tag, contents[len(REPORTS) * place :])
        except GraftError as error:
            broken.setdefault(release.tag, error.message)
    same = [r.tag for r in newest_first if tree.held and r.manifest == tree.held.manifest and r.tag not in broken]
    here = tree.held.tag if tree.held and (tree.held.tag not in broken or not same) else next(iter(same), None)
    status = dict.fromkeys(withdrawn, "withdrawn") | ({here: "here"} if here else {})
    rows = [_unreadable(tag.tag, tag.date, tag.why) for tag in tree.unreadable]
    for release in newest_first:
        if release.tag in broken:
            rows.append(_unreadable(release.tag, release.date, broken[release.tag], release.lock))
            continue
        row = _row(
            release,
            reports[release.tag],
            status=status.get(release.tag, "released"),
            why=withdrawn.get(release.tag) or None,
            same_as=oldest[release.manifest] if oldest[release.manifest] != release.tag else None,
            kept=kept[release.tag],
            size=size[release.tag],
        )
        rows.append(row)
    return sorted(rows, key=lambda row: releases.parse(row.version) or (), reverse=True)


def _reports(tag: str, contents: Sequence[bytes | None]) -> dict[str, Any]:
    """The release's reports by name; of one that its commit has not, nothing."""
    return {
        name: {} if content is None else documents.parse_object(content, f"{tag}:reports/{name}.json")
        for name, content in zip(REPORTS, contents, strict=False)
    }


def _unreadable(tag: str, date: str, why: str, lock: Lock | None = None) -> LogRow:
    return LogRow(
        version=tag,
        date=date,
        increment=PurePosixPath(lock.increment).name if lock else "",
        parent=lock.parent.release if lock and lock.parent else None,
        metric=None,
        value=None,
        before=None,
        accuracy=None,
        change=None,
        records=None,
        adapter_bytes=0,
        added_bytes=0,
        full_bytes=0,
        keep="full",
        status=UNREADABLE,
        why=why,
        same_as=None,
        verdict=None,
    )


def _row(release: releases.Release, reports: dict[str, Any], *, size: sizes.Sizes, kept: str, **known: Any) -> LogRow:
    metrics = reports["metrics"]
    accuracy, before = _measured(metrics, "candidate", "accuracy"), _measured(metrics, "parent", "accuracy")
    metric = next((name for name in METRICS if _measured(metrics, "candidate", name) is not None), None)
    return LogRow(
        version=release.tag,
        date=release.date,
        increment=PurePosixPath(release.lock.increment).name,
        parent=release.lock.parent.release if release.lock.parent else None,
        metric=metric,
        value=_measured(metrics, "candidate", metric),
        before=_measured(metrics, "parent", metric),
        accuracy=accuracy,
        change=None if accuracy is None or before is None else round(accuracy - before, 6),
        records=None if (records := documents.number(reports["training"].get("records"))) is None else int(records),
        adapter_bytes=size.adapter,
        added_bytes=size.added,
        full_bytes=size.full,
        keep=kept,
        verdict="pass",
        **known,
    )


def _measured(metrics: Any, side: str, metric: str | None) -> float | None:
    return None if metric is None else documents.number(documents.at(metrics, side, "all", metric))


def _lines(rows: list[LogRow]) -> list[tuple[str, str | None]]:
    """Who stands on whom; a tagged rollback on the release whose bytes it brought back."""
    known = {row.version for row in rows}
    return [(row.version, above if (above := row.same_as or row.parent) in known else None) for row in rows]


def _line(row: LogRow, width: int) -> str:
    if row.status == UNREADABLE:
        return f"{row.version:8} {row.date}  {row.increment:{width}}  unreadable: {row.why}"
    records = f"{row.records or 0:,} records"
    return (
        f"{row.version:8} {row.date}  {row.increment:{width}}  {_score(row):{_SCORE}}  {records:>14}"
        f"  +{row.added_bytes / 1e6:.2f} MB{_marks(row)}"
    )


def _score(row: LogRow) -> str:
    """The release's figure, and the parent's on the same items, so that like stands beside like."""
    if row.value is None:
        return "-"
    before = "" if row.before is None else f" ({row.parent}: {_figure(row.metric, row.before)})"
    name = {"accuracy": "", "preference_accuracy": "preferred "}.get(row.metric or "", f"{row.metric} ")
    return f"{name}{_figure(row.metric, row.value)}{before}"


def _figure(metric: str | None, value: float) -> str:
    return f"{value:.3f}" if metric == "loss" else f"{value:.1%}"


def _marks(row: LogRow) -> str:
    marks = [
        f"on {row.parent}" if row.parent == releases.ADOPTED else None,
        {"on-demand": "on demand", "thinned": "on demand (thinned)"}.get(row.keep),
        f"same bytes as {row.same_as}" if row.same_as else None,
        {"here": "<- here", "withdrawn": "withdrawn" + (f": {row.why}" if row.why else "")}.get(row.status),
    ]
    return "".join(f"  {mark}" for mark in marks if mark)
