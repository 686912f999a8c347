"""graft lock: params.yaml -> models.lock."""

from dataclasses import replace

import click

from pipeline import terminal
from pipeline.chain.candidate import anchors, candidate, merging, recorded, staleness, undo, unkept
from pipeline.chain.commits import outputs
from pipeline.chain.history import releases
from pipeline.chain.lock import environment, lockfile
from pipeline.chain.store import dvc
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check, restoring
from pipeline.common.errors import GraftError
from pipeline.settings import effective


@click.command()
@click.option("--check", is_flag=True, help="Only compare, the environment too; name every difference.")
@click.option("--parent", type=click.Choice(["latest"]), help="Move the open candidate onto the newest release.")
@click.option("--show", is_flag=True, help="Print every effective value, its origin, meaning and range; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --check or --show: as JSON.")
def lock(check: bool, parent: str | None, show: bool, as_json: bool) -> None:
    """Resolve params.yaml into models.lock.

    The base becomes a commit and file hashes, `gate.anchor` the hashes of that release's state, the toolchain
    the installed versions.

    \b
    Example:
      graft lock                  after an edit of params.yaml's base or gate.anchor, or an upgrade
      graft lock --check          in CI: exit 1 and name what differs
      graft lock --parent latest  after main moved to a newer release
      graft lock --show           what every setting is, where it comes from and what it means
    """
    if show:
        _show(as_json)
    elif check:
        _check(candidate.tree(), as_json)
    elif parent == "latest":
        _onto_latest(merging.stopped())
    else:
        _resolve(candidate.tree())


def _show(as_json: bool) -> None:
    from pipeline.settings import all_settings

    shown = all_settings.settings()
    if as_json:
        terminal.echo_json(all_settings.plain(shown))
    else:
        terminal.echo(*all_settings.lines(shown))


def differences(tree: candidate.Tree) -> list[str]:
    """What models.lock says and params.yaml, git or the environment do not, one line each."""
    asked, lock = effective.load()["base"], tree.lock
    found = []
    for key, locked in (("source", lock.base.requested.source), ("revision", lock.base.requested.revision)):
        if asked[key] != locked:
            found.append(f"params.yaml: base.{key}: locked {locked}, asked {asked[key]}")
    found += anchors.differences(tree)
    found += [f"toolchain: {line}" for line in environment.differences(lock.toolchain, environment.toolchain())]
    return found + environment.unpinned()


def only_upgraded(tree: candidate.Tree, found: list[str], reasons: list[staleness.Reason]) -> bool:
    """Whether the tree holds a release, and code or toolchain moved on and nothing that people asked for did.

    Args:
        tree: where the working tree stands.
        found: what `differences` says of it.
        reasons: why stages would run.
    """
    if tree.held is None or any(line.startswith(("params.yaml", "anchor", "dvc.lock")) for line in found):
        return False
    return not reasons or staleness.upgraded(reasons) or staleness.restated(reasons)


def _check(tree: candidate.Tree, as_json: bool) -> None:
    outputs.require_readable()
    found, stale = differences(tree), dvc.stale_stage()
    wrong = {} if stale else recorded.differences(tree)
    found += wrong.values()
    store = Store()
    reasons = staleness.find(store, tree.held) if stale else []
    upgraded, unkept_files = only_upgraded(tree, found, reasons), unkept.find(store)
    if as_json:
        report = {"differences": found, "released": tree.held.tag if tree.held else None, "stale": stale}
        terminal.echo_json(report | {"unkept": list(map(str, unkept_files))})
        raise SystemExit(1 if unkept_files or ((found or stale) and not upgraded) else 0)
    if unkept_files:
        raise GraftError(
            "files that stages read are not in git as they are",
            [*unkept.words(unkept_files), *found],
            help=unkept.way_out(unkept_files),
        )
    if wrong:
        raise GraftError("dvc.lock is not of this candidate", found, help=recorded.WAY_OUT)
    if found and not upgraded:
        raise GraftError("models.lock is not current", found, help="graft lock, then dvc repro")
    if stale and staleness.only_outputs(reasons):
        raise GraftError(
            "outputs are not those that dvc.lock names",
            staleness.words(reasons),
            help=restoring.of_stale(reasons, manifest_check.read(None), store),
        )
    if stale and not upgraded:
        raise GraftError(
            f"dvc.lock is not current: stage {stale} and what follows would run",
            help="dvc repro and a commit; graft plan names the causes",
        )
    if tree.held and staleness.restated(reasons) and not found:
        terminal.echo(f"released {tree.held.tag}; no stage but settings has anything to run:")
        terminal.echo(*(f"  {line}" for line in staleness.words(reasons)))
    elif tree.held and (found or stale):
        terminal.echo(f"released {tree.held.tag}, upgraded since: the next `graft add` picks this up")
        for line in found:
            terminal.echo(f"  {line}")
    else:
        terminal.echo("models.lock and dvc.lock are current: params, base, anchor, toolchain and environment agree")


def _resolve(tree: candidate.Tree) -> None:
    from pipeline.chain.candidate import base_resolve

    unkept.require_line_ends("not locked: files are not what git keeps, and their hashes would be pinned")
    asked = effective.load()["base"]
    resolved = base_resolve.resolve(asked["source"], asked["revision"])
    requested = lockfile.Requested(source=asked["source"], revision=asked["revision"])
    base = lockfile.LockedBase(requested=requested, resolved=resolved)
    if base.resolved != tree.lock.base.resolved:
        _refuse_to_continue_on_another_base(tree)
    new = replace(tree.lock, base=base, anchor=anchors.resolve(tree, base), toolchain=environment.toolchain())
    _save(tree.lock, new)


def _refuse_to_continue_on_another_base(tree: candidate.Tree) -> None:
    """A new base starts a new line: an adapter fits the base that it was trained on alone."""
    before = tree.held.tag if tree.held else tree.lock.parent.release if tree.lock.parent else None
    fresh = tree.held is None and effective.load()["train"]["chain"] == "fresh"
    if before is not None and not fresh:
        raise GraftError(
            f"a new base starts a new line: the adapter of {before} cannot be continued on it",
            help="set base back, graft add NAME --full, set base again, graft lock: docs/how-to/base.md",
        )


def _onto_latest(sides: merging.Sides | None) -> None:
    tree = sides.candidate if sides else candidate.tree()
    latest = _latest(sides.main if sides else tree)
    if tree.held is not None:
        raise GraftError(
            f"no candidate is open: the tree holds {tree.held.tag}", help="graft add opens one on the release it holds"
        )
    if latest.lock.increment == tree.lock.increment:
        raise GraftError(
            f"{latest.tag} already holds {tree.lock.increment}",
            help="take main's side (git checkout the release), then graft add under another name",
        )
    new = _anchored(tree, replace(tree.lock, parent=candidate.parent_of(latest), toolchain=environment.toolchain()))
    if sides is None:
        _save(tree.lock, new)
        return
    with undo.on_failure():
        candidate.save(new)
        merging.take_main(sides)
    left = merging.settled()
    _tell(tree.lock, new)
    terminal.echo("merge: dvc.lock and reports are main's until dvc repro; models.lock and .dvcignore the candidate's")
    if left:
        raise GraftError("these conflicts are yours to settle", left, help="edit them, git add, then dvc repro")
    terminal.echo("Next: dvc repro, git add --all, then git commit (in a rebase: git rebase --continue)")


def _anchored(tree: candidate.Tree, lock: lockfile.Lock) -> lockfile.Lock:
    """The lock with today's anchor; with the candidate's while params.yaml itself is in conflict."""
    try:
        effective.load()
    except GraftError:
        return lock
    return replace(lock, anchor=anchors.resolve(tree))


def _latest(tree: candidate.Tree) -> releases.Release:
    """The newest release that was not withdrawn, as the history of `tree` says."""
    if not tree.releases:
        raise GraftError("there is no release yet", help="graft release makes the first one")
    found = tree.latest
    if found is None:
        raise GraftError("every release was withdrawn", help="graft rollback VERSION, then graft add")
    return found


def _save(old: lockfile.Lock, new: lockfile.Lock) -> None:
    if old == new:
        terminal.echo("models.lock was current; nothing changed")
        return
    with undo.on_failure():
        lockfile.save(new)
    terminal.echo("models.lock written. Next: graft plan, then dvc repro")
    _tell(old, new)


def _tell(old: lockfile.Lock, new: lockfile.Lock) -> None:
    """Say what moved, and what that trains again."""
    if old.parent != new.parent and new.parent:
        terminal.echo(f"  parent: {old.parent.release if old.parent else 'none'} -> {new.parent.release}")
        terminal.echo("  to run again: parent, assemble, train, evaluate, gate, merge, manifest; prepare need not")
    if old.base != new.base:
        terminal.echo(f"  base: {new.base.requested.source}, {len(new.base.resolved.sha256)} files pinned")
    if old.anchor != new.anchor:
        before, after = (lock.anchor.release if lock.anchor else "none" for lock in (old, new))
        terminal.echo(f"  anchor: {before} -> {after}")
    for line in environment.differences(old.toolchain, new.toolchain):
        terminal.echo(f"  toolchain: {line}")
