"""graft diff: two releases side by side, or one record through all of them."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from pipeline import terminal
from pipeline.chain.candidate import candidate
from pipeline.chain.commits import git
from pipeline.chain.compare import pairs, record_history, release_comparison, release_table
from pipeline.chain.compare import record_story as described
from pipeline.chain.compare.release_comparison import Diff
from pipeline.chain.history import releases
from pipeline.chain.lock import lockfile
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check
from pipeline.common import documents
from pipeline.common.errors import GraftError
from pipeline.evaluation import predictions
from pipeline.settings import effective

PREDICTIONS = "reports/predictions.json"


@click.command()
@click.argument("a", required=False)
@click.argument("b", required=False, default="HEAD")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--markdown", is_flag=True, help="Print tables for a pull request.")
@click.option("--record", metavar="ID", help="Trace one record through every release; 8 digits of its id are enough.")
def diff(a: str | None, b: str, as_json: bool, markdown: bool, record: str | None) -> None:
    """Compare two releases or commits, or trace one record through all of them.

    Params, base, toolchain, data, training, sizes; accuracy, exact match, preference accuracy or loss per slice, their
    change on the items in common with an exact McNemar test, and the very examples that were fixed and broken. A is
    the parent of what the tree holds, B is HEAD. Predictions are read from the cache or the remote; no model is loaded.

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
        terminal.echo_json(asdict(found))
    elif markdown:
        terminal.echo_markdown(*release_table.markdown(found))
    else:
        terminal.echo(*release_table.table(found))


def _trace(record: str, as_json: bool) -> None:
    history = record_history.trace(record, candidate.tree(), Store())
    if as_json:
        terminal.echo_json(asdict(history))
    else:
        terminal.echo(*described.table(history))


def compare(a: str, b: str, store: Store) -> Diff:
    """Everything that differs between two commits.

    Raises:
        GraftError: one holds no finished pipeline, or its predictions are nowhere to be had.
    """
    before, after = manifest_check.read(a), manifest_check.read(b)
    one, other = _predictions(store, before, a), _predictions(store, after, b)
    old, new = pairs.items(one, other), pairs.items(other, one)
    notes: list[str] = []
    asked = {example.id for side in pairs.turned(old, new, {}) for example in side}
    texts = _texts(store, {b: after, a: before}, asked, notes)
    fixed, broken = pairs.turned(old, new, texts)
    data = [_data(store, side, name, notes) for side, name in ((before, a), (after, b))]
    return Diff(
        before=a,
        after=b,
        params=release_comparison.changed(*(effective.of_commit(partial(git.show, name), name) for name in (a, b))),
        lock=release_comparison.changed(_pins(before.lock), _pins(after.lock)),
        data=release_comparison.changed(*data) if all(data) else [],
        training=release_comparison.changed(_json(a, "reports/training.json"), _json(b, "reports/training.json")),
        bytes=release_comparison.changed(_sizes(before), _sizes(after)),
        slices=pairs.slices(old, new),
        fixed=fixed,
        broken=broken,
        notes=notes,
    )


def _parent() -> str:
    line = candidate.tree_of("HEAD")
    parent = line.lock.parent
    if parent is None or parent.release == releases.ADOPTED:
        why = "HEAD has no parent release" if parent is None else "HEAD's parent is an adopted adapter, not a release"
        raise GraftError(f"{why}: nothing to compare with", help="graft diff A B")
    return parent.release


def _pins(lock: lockfile.Lock) -> dict[str, Any]:
    return {
        "base": {"source": lock.base.requested.source, **lock.base.resolved.sha256},
        "parent": lock.parent.release if lock.parent else None,
        "anchor": lock.anchor.release if lock.anchor else None,
        "increment": lock.increment,
        "toolchain": lock.toolchain,
    }


def _json(revision: str, path: str) -> dict[str, Any]:
    return documents.parse_object(git.show(revision, path) or b"{}", f"{revision}:{path}")


def _data(store: Store, commit: manifest_check.Commit, name: str, notes: list[str]) -> dict[str, Any]:
    """What became of the increment's rows; fetched, for the reports of prepare and assemble are not in git."""
    try:
        prepared, assembled = (
            documents.parse_object(_object(store, commit, f"data/{stage}/report.json"), f"data/{stage}/report.json")
            for stage in ("prepared", "assembled")
        )
    except GraftError as error:
        notes.append(f"data: not compared: {name}: {error.message}")
        return {}
    return {"rows": prepared.get("read"), "rejects": prepared.get("rejects"), **assembled}


def _sizes(commit: manifest_check.Commit) -> dict[str, int]:
    return {
        output.path: sum(
            digest["size"]
            for path, digest in commit.manifest.items()
            if path == output.path or path.startswith(f"{output.path}/")
        )
        for output in commit.outputs
        if output.cached
    }


def _predictions(store: Store, commit: manifest_check.Commit, name: str) -> dict[str, Any]:
    if all(output.path != PREDICTIONS for output in commit.outputs):
        raise GraftError(
            f"{name} was released by an older Graft: it has no {PREDICTIONS}",
            help=f"git checkout {name} and look with the graft of that commit",
        )
    return predictions.parse(_object(store, commit, PREDICTIONS), f"{name}: {PREDICTIONS}")


def _object(store: Store, commit: manifest_check.Commit, path: str) -> bytes:
    md5 = next((output.md5 for output in commit.outputs if output.path == path), None)
    if md5 is None:
        raise GraftError(f"{path}: no output of dvc.lock", help="graft verify")
    store.fetch([md5])
    return store.read(md5)


def _texts(
    store: Store, sides: dict[str, manifest_check.Commit], ids: Iterable[str], notes: list[str]
) -> dict[str, str]:
    """What the models were given, by record id; of the items whose slices can be had."""
    missing, found = set(ids), dict[str, str]()
    for name, commit in sides.items():
        if not missing:
            break
        try:
            found |= _prompts(store, commit)
        except GraftError as error:
            notes.append(f"texts: not shown: {name}: {error.message}")
        missing -= found.keys()
    return found


def _prompts(store: Store, commit: manifest_check.Commit) -> dict[str, str]:
    """The last message before the answer of every evaluation item."""
    from pipeline.data.records import arrow

    folder = next((output.md5 for output in commit.outputs if output.path == "data/assembled/slices"), None)
    if folder is None:
        raise GraftError("data/assembled/slices: no output of dvc.lock", help="graft verify")
    store.fetch([folder])
    listed = store.listing(folder, "cache").items()
    paths = [store.path(md5) for name, md5 in listed if name.endswith(".arrow")]
    return {
        item.id: str(item.prompt[-1]["content"]) for path in paths for item in arrow.read_records(path) if item.prompt
    }
