"""Which objects of cache and remote nothing kept names: what `graft gc` deletes.

dvc.lock is read by pattern and never parsed: DVC writes it, and a chain has a thousand of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.commits import git, outputs
from pipeline.chain.compare import record_history
from pipeline.chain.history import thinning
from pipeline.chain.history.releases import Release
from pipeline.chain.store.objects import Store
from pipeline.chain.store.places import Place
from pipeline.common.errors import GraftError
from pipeline.garbage import ancestors, candidates, copies, history, inventory, roots
from pipeline.garbage.candidates import Candidate
from pipeline.garbage.inventory import HeldObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletions:
    """What stays."""

    roots: set[str]  # MD5s; the files of the folders among them stay with them
    needed: dict[str, str]  # folder among them -> a candidate that needs its listing
    thin: list[Release]  # releases that stay without what is derived
    folders: list[Path]  # working trees
    released: bool  # whether the remote must hold something


@dataclass(frozen=True, kw_only=True, slots=True)
class Garbage:
    """Objects of one place that nothing kept names."""

    place: Place
    objects: dict[str, int]  # md5 -> bytes; these go
    kept: int  # objects
    foreign: dict[str, int]  # these stay, for no commit here ever named them, or for their age
    absent: dict[str, list[str]]  # root -> itself, or those of its folder's files, that are not there


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownObjects:
    """What becomes of objects that no commit here ever named, in a place that others may use."""

    foreign: bool = False  # delete them
    written_before: float = 0.0  # but only those written before this time, seconds since 1970


def plan(tree: Tree, newest: int | None, *, thin: bool, heads: Mapping[str, str], foreign: bool) -> Deletions:
    """What the newest releases, every other ref, stash and worktree, and the chains below them need.

    Args:
        tree: where the working tree stands.
        newest: so many releases stay whole; None for all.
        thin: the other releases stay, too, without what is derived.
        heads: branches of origin -> their commits.
        foreign: objects that no commit here names go, so that another clone's listing must be at hand, too.

    Raises:
        GraftError: a tag, a lock file, an ancestor or a worktree is not known here: what it needs cannot be told.
    """
    roots.require_readable_tags(tree.releases)
    roots.require_worktrees()
    kept = tree.releases if newest is None else tree.releases[-newest:]
    whole = roots.commits(kept, tree.releases, heads)
    folders = list(git.worktrees())
    every = [*candidates.of_commits(whole), *candidates.of_folders(folders)]
    below = ancestors.below([(candidate.name, candidate.lock) for candidate in every], tree.releases)
    thinned = [release for release in tree.releases if release.commit not in whole] if thin else []
    handed = _handed_on([*below, *thinned])
    named = roots.named_in(roots.texts(whole, folders, tree.releases)) | handed.keys() | _without_derived(thinned)
    named |= _untagged(below, tree.releases)
    named |= set(
        filter(None, record_history.tables(below).values())
    )  # graft diff --record asks every release of the chain
    needed = {md5: name for md5, name in handed.items() if md5.endswith(".dir")} | _needed(every, foreign)
    needed |= _derived(unthinned(kept))
    return Deletions(roots=named, needed=needed, thin=thinned, folders=folders, released=bool(tree.releases))


def unneeded(
    store: Store, plan: Deletions, places: Iterable[Place], rule: UnknownObjects
) -> tuple[list[Garbage], list[str]]:
    """What each place holds beyond what stays, and remarks.

    Raises:
        GraftError: a listing that is needed is corrupt or nowhere; a place cannot be reached, or holds nothing.
    """
    held = {place: inventory.everything(store, place) for place in places}
    if plan.released and "remote" in held and not held["remote"]:
        raise GraftError(
            f"remote {store.remote_name()!r} holds no object of this repository: is it mounted?",
            help="dvc remote list shows where it points",
        )
    folders = {root for root in plan.roots if root.endswith(".dir")}
    found = copies.find(folders, store, held, plan.needed.keys(), plan.folders)
    copies.require(plan.needed, found)
    kept = plan.roots.union(*found.files.values())
    return [_of(store, place, held, kept, plan.roots, found, rule) for place in held], copies.notes(found)


def _of(
    store: Store,
    place: Place,
    held: Mapping[Place, Mapping[str, HeldObject]],
    kept: set[str],
    needed: set[str],
    found: copies.Copies,
    rule: UnknownObjects,
) -> Garbage:
    there = held[place]
    spare = {md5: one for md5, one in there.items() if md5 not in kept and not (place == "cache" and one.linked)}
    ours = history.closure(held, store, place) if spare and is_shared(store, place) else spare.keys()
    foreign = {md5 for md5, one in spare.items() if md5 not in ours and not _may_go(one, rule)}
    children = {root: [md5 for md5 in found.files.get(root, ()) if md5 not in there] for root in needed}
    absent = {root: lost for root, lost in children.items() if lost}
    return Garbage(
        place=place,
        objects={md5: one.size for md5, one in spare.items() if md5 not in foreign},
        kept=len(there) - len(spare),
        foreign={md5: spare[md5].size for md5 in foreign},
        absent=absent | {root: [root] for root in needed - there.keys()},
    )


def is_shared(store: Store, place: Place) -> bool:
    """Whether other repositories or clones may keep objects there: a remote, or a cache outside the repository."""
    return place == "remote" or not store.cache_dir().resolve().is_relative_to(store.root.resolve())


def require_state(thin: list[Release], remote: Garbage) -> None:
    """Refuse to thin what could not be made again.

    Raises:
        GraftError: the remote lacks state or data of a release, each object named.
    """
    names = [f"{r.commit}:{name}" for r in thin for name in ("dvc.lock", f"{r.lock.increment}/raw.dvc")]
    texts = git.contents(names) if names else iter(())
    state, problems = candidates.entries(outputs.STATE), []
    for release in thin:
        needed = [md5.decode() for md5 in state.findall(next(texts) or b"")] + candidates.data(next(texts))
        problems += [f"{release.tag}: {lost}" for md5 in needed for lost in remote.absent.get(md5, [])]
    if problems:
        raise GraftError(
            "not thinned: the remote lacks objects that these releases would be made again from",
            problems,
            help="graft verify RELEASE --remote; dvc push from a clone that has them",
        )


def unthinned(releases: Iterable[Release]) -> list[Release]:
    """Those of the releases that are whole in the remote until now."""
    kept = thinning.kept_as(releases)
    return [release for release in releases if kept[release.tag] == "full"]


def _handed_on(releases: Iterable[Release]) -> dict[str, str]:
    """Data of each release and the states that it was trained with -> its tag."""
    releases = list(releases)
    raws = git.contents(f"{r.commit}:{r.lock.increment}/raw.dvc" for r in releases) if releases else iter(())
    return {
        md5: release.tag
        for release, raw in zip(releases, raws, strict=True)
        for md5 in [*candidates.state(release.lock), *candidates.data(raw)]
    }


def _untagged(below: Iterable[Release], known: Iterable[Release]) -> set[str]:
    """Every MD5 of an ancestor that no tag here leads to: a release of which only another clone knows stays whole."""
    tagged = {release.commit for release in known}
    commits = [release.commit for release in below if release.commit not in tagged]
    texts = git.contents(f"{commit}:dvc.lock" for commit in commits) if commits else iter(())
    return roots.named_in(text for text in texts if text is not None)


def _needed(every: Iterable[Candidate], foreign: bool) -> dict[str, str]:
    """Folder -> the candidate that needs it. What a colleague has not pushed yet is in neither place, and no fault."""
    chosen = [one for one in every if foreign or not roots.is_remote(one.name)]
    return {md5: one.name for one in chosen for md5 in one.folders()}


def _derived(whole: list[Release]) -> dict[str, str]:
    """Folders that releases keep whole, though the stages could make them again -> a release."""
    texts = git.contents(f"{release.commit}:dvc.lock" for release in whole) if whole else iter(())
    pattern = candidates.entries(outputs.DERIVED)
    found = [
        (md5.decode(), r.tag) for r, text in zip(whole, texts, strict=True) for md5 in pattern.findall(text or b"")
    ]
    return {md5: tag for md5, tag in found if md5.endswith(".dir")}


def _without_derived(thinned: list[Release]) -> set[str]:
    """Every MD5 that these releases name but those of nothing else than what the stages make again."""
    texts = git.existing(f"{release.commit}:dvc.lock" for release in thinned)
    return roots.named_in(candidates.entries(outputs.DERIVED).sub(b"", text) for text in texts)


def _may_go(one: HeldObject, rule: UnknownObjects) -> bool:
    return rule.foreign and one.written is not None and one.written < rule.written_before
