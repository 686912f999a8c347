"""graft gc: drop what no kept release needs; a chain is never broken."""

from collections.abc import Callable

import click

from pipeline import terminal
from pipeline.chain import candidate, garbage, git, inventory, keep
from pipeline.chain.garbage import Garbage
from pipeline.chain.releases import Release
from pipeline.chain.places import Place
from pipeline.chain.store import Store
from pipeline.errors import GraftError


@click.command()
@click.option("--keep", "newest", type=int, metavar="N", help="The N newest releases stay whole; by default all do.")
@click.option("--thin", is_flag=True, help="The others stay, on demand: state and data stay, merged weights go.")
@click.option("--remote", is_flag=True, help="Clean the remote, too: not while anybody releases.")
@click.option("--apply/--dry-run", help="Delete, or only say what would go, which is the default.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def gc(newest: int | None, thin: bool, remote: bool, apply: bool, as_json: bool) -> None:
    """Drop what no kept release, branch or chain needs.

    Of releases that are not kept, the state and the data stay wherever a kept one was trained on
    them, so that every chain can be continued, rebuilt and refreshed. Nothing is deleted without
    --apply. Killed at any moment, it can be run again.

    --thin keeps every release, and of all but the N newest (default 1), HEAD and the branches drops
    what `dvc repro merge` makes again. In the remote they are then on demand: `graft log` and
    `graft verify` say so, by the tag thin/VERSION, in every clone that fetches it.

    \b
    Example:
      graft gc --keep 10                         what would go from the cache
      graft gc --keep 10 --thin --remote --apply
    """
    if newest is not None and newest < 1:
        raise click.UsageError("--keep takes a number from 1")
    newest = 1 if thin and newest is None else newest
    tree, store = candidate.tree(), Store()
    plan = garbage.plan(tree, newest, thin=thin, heads=_heads() if remote else ())
    thinned = garbage.unthinned(plan.thin) if remote else []
    places: list[Place] = ["cache", "remote"] if remote else ["cache"]
    found = [garbage.of(store, plan.roots, place) for place in places]
    garbage.require_state(thinned, found[-1])
    say: Callable[..., None] = _nothing if as_json else terminal.echo
    if apply and thin and remote:
        keep.mark(thinned)  # before anything goes; with nothing to thin, what a killed run did not push yet
    if thinned:
        say(f"{'thinned' if apply else 'would thin'}: {', '.join(release.tag for release in thinned)}")
    for each in found:
        if apply:
            inventory.delete(store, each.objects, each.place)
        say(_line(each, apply))
    if as_json:
        terminal.echo_json(_counts(found, thinned, apply))
    elif not apply and any(each.objects for each in found):
        terminal.echo("nothing was deleted; --apply does it")


def _heads() -> list[str]:
    """Commits of origin's branches, each of which this clone knows.

    Raises:
        GraftError: origin has releases or branches that this clone lacks: what they name would be deleted.
    """
    if not git.has_origin():
        return []
    heads = git.remote_heads()
    unknown = [name for name, commit in heads.items() if not git.succeeds("cat-file", "-e", f"{commit}^{{commit}}")]
    tags = set(git.remote_tags("v*")) - set(git.run("tag", "--list", "v*").split())
    if unknown or tags:
        raise GraftError(
            "origin has branches or releases that this clone lacks: what they need would be deleted",
            sorted([*unknown, *tags]),
            help="git fetch --tags origin, then again",
        )
    return list(heads.values())


def _nothing(_: str) -> None:
    """With --json, nothing is said but JSON."""


def _line(found: Garbage, applied: bool) -> str:
    size, word = sum(found.objects.values()), "deleted" if applied else "would delete"
    return f"{found.place}: {word} {len(found.objects)} objects, {size:,} bytes; {found.kept} are kept"


def _counts(found: list[Garbage], thinned: list[Release], applied: bool) -> dict[str, object]:
    counts: dict[str, object] = {
        g.place: {"objects": len(g.objects), "bytes": sum(g.objects.values()), "kept": g.kept} for g in found
    }
    return {"applied": applied, "thinned": [release.tag for release in thinned], **counts}
