"""graft gc: drop what no kept release needs; a chain is never broken."""

import time
from collections.abc import Callable

import click

from pipeline import terminal
from pipeline.chain.candidate import candidate
from pipeline.chain.commits import git
from pipeline.chain.history import thinning
from pipeline.chain.history.releases import Release
from pipeline.chain.store.objects import Store
from pipeline.chain.store.places import Place
from pipeline.common.errors import GraftError
from pipeline.common.words import counted
from pipeline.garbage import deletions, history, inventory
from pipeline.garbage.deletions import Garbage, UnknownObjects

DAY = 86400  # seconds


@click.command()
@click.option("--keep", "newest", type=int, metavar="N", help="The N newest releases stay whole; by default all do.")
@click.option("--thin", is_flag=True, help="The others stay, on demand: state and data stay, merged weights go.")
@click.option("--remote", is_flag=True, help="Clean the remote too; do not run it during a release.")
@click.option("--foreign", is_flag=True, help="Where others may keep objects, too: delete what no commit here names.")
@click.option("--grace", type=click.IntRange(min=0), metavar="DAYS", help="With --foreign: younger ones stay. [14]")
@click.option("--apply/--dry-run", help="Delete, or only say what would go, which is the default.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def gc(
    newest: int | None, thin: bool, remote: bool, foreign: bool, grace: int | None, apply: bool, as_json: bool
) -> None:
    """Drop what no kept release, tag, branch, stash, worktree or chain needs.

    Of releases that are not kept, the state and the data stay wherever a kept one was trained on
    them, so that every chain can be continued, rebuilt and refreshed. Nothing is deleted without
    --apply. Killed at any moment, it can be run again.

    What is not understood stays, or stops it: a tag or lock file that cannot be read, a parent that
    is not here, a folder listing that is corrupt or lost. In a remote, and in a cache outside the
    repository, objects that no commit here ever named may be another clone's or project's: they stay,
    unless --foreign says that nobody else uses the place.

    --thin keeps every release, and of all but the N newest (default 1), HEAD and the branches drops
    what `dvc repro merge` makes again. In the remote they are then on demand: `graft log` and
    `graft verify` say so, by the tag thin/VERSION, in every clone that fetches it.

    \b
    Example:
      graft gc --keep 10                         what would go from the cache
      graft gc --keep 10 --thin --remote --apply
    """
    if newest is not None and newest < 1:
        raise click.UsageError("--keep must be at least 1")
    if grace is not None and not foreign:
        raise click.UsageError("--grace goes with --foreign")
    newest = 1 if thin and newest is None else newest
    tree, store = candidate.tree(), Store()
    stays = deletions.plan(tree, newest, thin=thin, heads=_heads() if remote else {}, foreign=foreign)
    thinned = deletions.unthinned(stays.thin) if remote else []
    places: list[Place] = ["cache", "remote"] if remote else ["cache"]
    rule = UnknownObjects(foreign=foreign, written_before=time.time() - (14 if grace is None else grace) * DAY)
    found, notes = deletions.unneeded(store, stays, places, rule)
    deletions.require_state(thinned, found[-1])
    say: Callable[..., None] = _nothing if as_json else terminal.echo
    say(*(f"note: {note}" for note in notes))
    if apply and thin and remote:
        thinning.mark(thinned)  # before anything goes; with nothing to thin, what a killed run did not push yet
    if thinned:
        say(f"{'thinned' if apply else 'would thin'}: {', '.join(release.tag for release in thinned)}")
    for each in found:
        if apply:
            history.write_journal(store, each.place, each.objects)
            inventory.delete(store, each.objects, each.place)
            history.write_journal(store, each.place, [])
        say(*_lines(each, apply))
    if as_json:
        terminal.echo_json(_counts(found, thinned, notes, apply))
    elif not apply and any(each.objects for each in found):
        terminal.echo("nothing was deleted; --apply does it")


def _heads() -> dict[str, str]:
    """Origin's branches and their commits, each of which this clone knows.

    Raises:
        GraftError: origin has releases or branches that this clone lacks: what they name would be deleted.
    """
    if not git.has_origin():
        return {}
    heads = git.remote_heads()
    unknown = [name for name, commit in heads.items() if not git.succeeds("cat-file", "-e", f"{commit}^{{commit}}")]
    tags = set(git.remote_tags("v*")) - set(git.run("tag", "--list", "v*").split())
    if unknown or tags:
        raise GraftError(
            "origin has branches or releases that this clone lacks: what they need would be deleted",
            sorted([*unknown, *tags]),
            help="git fetch --tags origin, then again",
        )
    return heads


def _nothing(*_: str) -> None:
    """With --json, nothing is said but JSON."""


def _lines(found: Garbage, applied: bool) -> list[str]:
    size, word = sum(found.objects.values()), "deleted" if applied else "would delete"
    line = f"{found.place}: {word} {counted(len(found.objects), 'object')}, {size:,} bytes; {found.kept:,} are kept"
    if not found.foreign:
        return [line]
    foreign = f"{counted(len(found.foreign), 'object')}, {sum(found.foreign.values()):,} bytes"
    return [line, f"{found.place}: {foreign}, named by no commit here, may be in use elsewhere and stay (--foreign)"]


def _counts(found: list[Garbage], thinned: list[Release], notes: list[str], applied: bool) -> dict[str, object]:
    counts: dict[str, object] = {
        g.place: {
            "objects": len(g.objects),
            "bytes": sum(g.objects.values()),
            "kept": g.kept,
            "foreign": {"objects": len(g.foreign), "bytes": sum(g.foreign.values())},
        }
        for g in found
    }
    return {"applied": applied, "thinned": [release.tag for release in thinned], "notes": notes, **counts}
