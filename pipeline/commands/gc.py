"""graft gc: drop what no kept release needs; a chain is never broken."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain as joined

import click

from pipeline import files
from pipeline.chain import candidate, git, lockfile, releases
from pipeline.chain.store import Place, Store
from pipeline.errors import GraftError

_MD5 = re.compile(rb"\bmd5: '?([0-9a-f]{32}(?:\.dir)?)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Garbage:
    """Objects of one place that nothing kept names."""

    place: Place
    objects: dict[str, int]  # md5 -> bytes
    kept: int  # objects


@click.command()
@click.option("--keep", type=int, metavar="N", help="Keep the N newest releases whole; all of them by default.")
@click.option("--remote", is_flag=True, help="Clean the remote, too. Others may need what only their branches name.")
@click.option("--apply", is_flag=True, help="Delete; without it, only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def gc(keep: int | None, remote: bool, apply: bool, as_json: bool) -> None:
    """Drop what no kept release, branch or chain needs.

    Of releases that are not kept, the state and the data stay wherever a kept one was trained on
    them, so that every chain can be continued, rebuilt and refreshed. Nothing is deleted without
    --apply. Every branch of this clone counts as a candidate: fetch before you clean a remote.

    \b
    Example:
      graft gc --keep 10            what would go from the cache
      graft gc --keep 10 --remote --apply
    """
    if keep is not None and keep < 1:
        raise click.UsageError("--keep takes a number from 1")
    store = Store()
    roots = needed(candidate.tree(), keep)
    places: list[Place] = ["cache", "remote"] if remote else ["cache"]
    found = [_garbage(store, roots, place) for place in places]
    if apply:
        for garbage in found:
            store.delete(garbage.objects, garbage.place)
    if as_json:
        counts = {g.place: {"objects": len(g.objects), "bytes": sum(g.objects.values()), "kept": g.kept} for g in found}
        click.echo(files.dumps({"applied": apply, **counts}), nl=False)
        return
    for garbage in found:
        size = sum(garbage.objects.values())
        word = "deleted" if apply else "would delete"
        click.echo(f"{garbage.place}: {word} {len(garbage.objects)} objects, {size:,} bytes; {garbage.kept} are kept")
    if not apply and any(garbage.objects for garbage in found):
        click.echo("nothing was deleted; --apply does it")


def needed(tree: candidate.Tree, keep: int | None) -> set[str]:
    """MD5s that the kept releases, every branch, and the chains below them name; folders not yet opened."""
    kept = tree.releases if keep is None else tree.releases[-keep:]
    tips = git.run("for-each-ref", "refs/heads", "refs/remotes", "--format=%(objectname)").split()
    whole = {"HEAD", *tips, *(release.commit for release in kept), *([tree.held.commit] if tree.held else [])}
    locks = [_lock(commit) for commit in sorted(whole)]
    below = [release for lock in [tree.lock, *locks] if lock for release in releases.chain(lock, tree.releases)]
    ancestors = list({release.tag: release for release in below}.values())
    return {
        *_named(f"{commit}:dvc.lock" for commit in sorted(whole)),
        *_named(f"{release.commit}:{release.lock.increment}/raw.dvc" for release in [*kept, *ancestors]),
        *joined.from_iterable(_state(lock) for lock in [tree.lock, *locks, *(r.lock for r in ancestors)] if lock),
    }


def _lock(commit: str) -> lockfile.Lock | None:
    text = git.show(commit, str(lockfile.PATH))
    return lockfile.parse(text.decode(), f"{commit}:{lockfile.PATH}") if text else None


def _state(lock: lockfile.Lock) -> list[str]:
    return [output["md5"] for output in lock.parent.state.values()] if lock.parent else []


def _named(names: Iterable[str]) -> set[str]:
    """Every MD5 that these files of git name; hashes of inputs that DVC never stored do no harm."""
    return {md5.decode() for content in git.contents(names) if content for md5 in _MD5.findall(content)}


def _garbage(store: Store, roots: set[str], place: Place) -> Garbage:
    """What `place` holds beyond the roots and the files of the folders among them."""
    everything = store.everything(place)
    unreadable = [md5 for md5 in roots & everything.keys() if md5.endswith(".dir") and not _opens(store, md5, place)]
    if unreadable:
        raise GraftError(
            f"{place}: folders whose listing is corrupt: what they hold cannot be told from garbage",
            sorted(unreadable),
            help="graft verify --remote names the release; mend or delete these objects first",
        )
    kept = store.closure(roots & everything.keys(), place)
    # A listing that is only in the other place still names files that lie here.
    kept |= store.closure((root for root in roots - everything.keys() if root.endswith(".dir")), "cache")
    return Garbage(
        place=place,
        objects={md5: size for md5, size in everything.items() if md5 not in kept},
        kept=len(everything.keys() & kept),
    )


def _opens(store: Store, md5: str, place: Place) -> bool:
    try:
        store.listing(md5, place)
    except GraftError:
        return False
    return True
