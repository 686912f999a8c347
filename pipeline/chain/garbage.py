"""Which objects of cache and remote nothing kept names: what `graft gc` deletes.

dvc.lock is read by pattern and never parsed: DVC writes it, and a chain has a thousand of them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain as joined
from pathlib import Path

from pipeline.chain import git, inventory, keep, lineage, lockfile, outputs
from pipeline.chain.candidate import Tree
from pipeline.chain.places import Place
from pipeline.chain.releases import Release
from pipeline.chain.store import Store
from pipeline.errors import GraftError

_MD5 = re.compile(rb"\bmd5: '?([0-9a-f]{32}(?:\.dir)?)\b")
_FILE = rb"- path: (?:%s)\n\s+hash: md5\n\s+md5: '?([0-9a-f]{32}(?:\.dir)?)\b"


@dataclass(frozen=True, kw_only=True, slots=True)
class Garbage:
    """Objects of one place that nothing kept names."""

    place: Place
    objects: dict[str, int]  # md5 -> bytes
    kept: int  # objects
    absent: dict[str, list[str]]  # root -> itself, or those of its folder's files, that are not there


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What stays."""

    roots: set[str]  # MD5s; the files of the folders among them stay with them
    thin: list[Release]  # releases that stay without what is derived


def plan(tree: Tree, newest: int | None, *, thin: bool, heads: Iterable[str] = ()) -> Plan:
    """What the newest releases, every branch, the working tree and the chains below them need.

    Args:
        tree: where the working tree stands.
        newest: so many releases stay whole; None for all.
        thin: the other releases stay, too, without what is derived.
        heads: commits of branches that stay as well, those of origin for example.
    """
    kept = {release.commit for release in (tree.releases if newest is None else tree.releases[-newest:])}
    tips = git.run("for-each-ref", "refs/heads", "refs/remotes", "--format=%(objectname)").split()
    whole = kept.union(tips, heads, ["HEAD"], [tree.held.commit] if tree.held else [])
    known = {release.commit: release.lock for release in tree.releases}
    locks = {commit: lock for commit in whole if (lock := known.get(commit) or _lock(commit))}
    ancestors = _ancestors([tree.lock, *locks.values()], tree.releases)
    thinned = [release for release in tree.releases if release.commit not in whole] if thin else []
    raws = [f"{commit}:{lock.increment}/raw.dvc" for commit, lock in locks.items()]
    raws += [f"{release.commit}:{release.lock.increment}/raw.dvc" for release in [*ancestors, *thinned]]
    texts = [*git.contents([*(f"{commit}:dvc.lock" for commit in whole), *raws]), *_working_tree(tree)]
    states = [_state(lock) for lock in [tree.lock, *locks.values(), *(r.lock for r in [*ancestors, *thinned])]]
    told = filter(None, lineage.tables(ancestors).values())  # graft diff --record asks every release of the chain
    return Plan(roots={*_named(texts), *joined.from_iterable(states), *_without_derived(thinned), *told}, thin=thinned)


def of(store: Store, roots: set[str], place: Place) -> Garbage:
    """What `place` holds beyond the roots and the files of the folders among them.

    Raises:
        GraftError: a root's folder listing is corrupt there.
    """
    everything = {md5: held.size for md5, held in inventory.everything(store, place).items()}
    kept, unreadable, incomplete = set(roots), [], {}
    for folder in (root for root in roots if root.endswith(".dir")):
        try:  # a listing that is only in the cache still names files that lie in the remote
            children = set(store.listing(folder, place if folder in everything else "cache").values())
        except FileNotFoundError:
            continue
        except GraftError:
            unreadable.append(folder)
            continue
        kept |= children
        if not children <= everything.keys():
            incomplete[folder] = sorted(children - everything.keys())
    if unreadable:
        raise GraftError(
            f"{place}: folders whose listing is corrupt: what they hold cannot be told from garbage",
            sorted(unreadable),
            help="graft verify --remote names the release; mend or delete these objects first",
        )
    return Garbage(
        place=place,
        objects={md5: size for md5, size in everything.items() if md5 not in kept},
        kept=len(everything.keys() & kept),
        absent=incomplete | {root: [root] for root in roots - everything.keys()},
    )


def require_state(thin: list[Release], remote: Garbage) -> None:
    """Refuse to thin what could not be made again.

    Raises:
        GraftError: the remote lacks state or data of a release, each object named.
    """
    names = [f"{r.commit}:{name}" for r in thin for name in ("dvc.lock", f"{r.lock.increment}/raw.dvc")]
    texts = git.contents(names) if names else iter(())
    state, problems = _entries(outputs.STATE), []
    for release in thin:
        needed = state.findall(next(texts) or b"") + [md5 for md5, _ in outputs.RAW.findall(next(texts) or b"")]
        problems += [f"{release.tag}: {lost}" for md5 in needed for lost in remote.absent.get(md5.decode(), [])]
    if problems:
        raise GraftError(
            "not thinned: the remote lacks objects that these releases would be made again from",
            problems,
            help="graft verify RELEASE --remote; dvc push from a clone that has them",
        )


def unthinned(releases: Iterable[Release]) -> list[Release]:
    """Those of the releases that are whole in the remote until now."""
    kept = keep.of(releases)
    return [release for release in releases if kept[release.tag] == "full"]


def _ancestors(locks: Iterable[lockfile.Lock], releases: Iterable[Release]) -> list[Release]:
    """Every release that one of the locks was trained on, at whatever distance."""
    left, found = {release.tag: release for release in releases}, []
    for lock in locks:
        while lock.parent is not None and lock.parent.release in left:
            found.append(left.pop(lock.parent.release))
            lock = found[-1].lock  # noqa: PLW2901 - down the chain
    return found


def _lock(commit: str) -> lockfile.Lock | None:
    text = git.show(commit, str(lockfile.PATH))
    return lockfile.parse(text.decode(), f"{commit}:{lockfile.PATH}") if text else None


def _state(lock: lockfile.Lock) -> list[str]:
    """What a training of this lock begins with and is compared with: the states of parent and anchor."""
    return [output["md5"] for release in (lock.parent, lock.anchor) if release for output in release.state.values()]


def _working_tree(tree: Tree) -> list[bytes]:
    """What an open candidate names that no commit holds yet."""
    paths = [Path("dvc.lock"), Path(tree.lock.increment, "raw.dvc")]
    return [path.read_bytes() for path in paths if path.is_file()]


def _named(texts: Iterable[bytes | None]) -> set[str]:
    """Every MD5 that these files name; hashes of inputs that DVC never stored do no harm."""
    return {md5.decode() for text in texts if text for md5 in _MD5.findall(text)}


def _without_derived(thinned: list[Release]) -> set[str]:
    """Every MD5 that these releases name but those of nothing else than what the stages make again."""
    texts = git.contents(f"{release.commit}:dvc.lock" for release in thinned)
    return _named(_entries(outputs.DERIVED).sub(b"", text) for text in texts if text)


def _entries(paths: Iterable[str]) -> re.Pattern[bytes]:
    """Matches what a dvc.lock says of these files and folders, with the MD5 as its group."""
    return re.compile(_FILE % b"|".join(re.escape(path.encode()) for path in paths))
