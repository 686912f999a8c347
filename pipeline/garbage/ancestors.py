"""Every release that a candidate stands on, by its tag and by the commit that its child names."""

from collections.abc import Iterable, Mapping

from pipeline.chain.commits import git
from pipeline.chain.history import releases
from pipeline.chain.history.releases import Release
from pipeline.chain.lock import lockfile
from pipeline.chain.lock.lockfile import Lock
from pipeline.common.errors import GraftError


def below(locks: Iterable[tuple[str, Lock]], known: Iterable[Release]) -> list[Release]:
    """Every release that one of the locks was trained on, at whatever distance; each once.

    A parent whose tag is gone, moved or lightweight is an ancestor by its commit.

    Args:
        locks: name of a candidate, for messages, and its lock.
        known: the releases.

    Raises:
        GraftError: a parent or anchor is no known release and its commit is not here, each named.
    """
    by_tag = {release.tag: release for release in known}
    found: dict[str, Release] = {}  # by commit
    problems: list[str] = []
    todo, looked = list(locks), set[tuple[str, str]]()
    while todo:
        strangers: dict[tuple[str, str], str] = {}  # commit and tag of a parent -> child
        for name, lock in todo:
            problems += _unknown_anchor(name, lock, by_tag)
            problems += _walk(name, lock, by_tag, found, strangers)
        new = {parent: child for parent, child in strangers.items() if parent not in looked and parent[0] not in found}
        looked |= new.keys()
        todo = []
        texts = git.contents(f"{commit}:{lockfile.PATH}" for commit, _ in new) if new else iter(())
        for ((commit, tag), child), text in zip(new.items(), texts, strict=True):
            if text is not None:
                lock = lockfile.parse(text, f"{tag} ({commit[:10]}): {lockfile.PATH}")
                found[commit] = Release(tag=tag, commit=commit, date="", manifest="", lock=lock)
                todo.append((tag, lock))
            elif tag not in by_tag:
                problems.append(f"{child}: its parent {tag} is no release here, and commit {commit[:10]} is not here")
    if problems:
        raise GraftError(
            "releases that are not known here: what they need cannot be told from garbage",
            sorted(set(problems)),
            help="git fetch --tags origin (a shallow clone: git fetch --unshallow --tags), then again",
        )
    return list(found.values())


def _walk(
    name: str,
    lock: Lock,
    by_tag: Mapping[str, Release],
    found: dict[str, Release],
    strangers: dict[tuple[str, str], str],
) -> list[str]:
    """Follow parents by their tags; commits that a tag does not lead to are collected. Returns problems."""
    problems: list[str] = []
    while (parent := lock.parent) is not None and parent.release != releases.ADOPTED:
        release = by_tag.get(parent.release)
        if release is None or release.commit != parent.commit:
            strangers.setdefault((parent.commit, parent.release), name)
        if release is None or release.commit in found:
            break
        found[release.commit] = release
        name, lock = release.tag, release.lock
        problems += _unknown_anchor(name, lock, by_tag)
    return problems


def _unknown_anchor(name: str, lock: Lock, by_tag: Mapping[str, Release]) -> list[str]:
    if lock.anchor is None or lock.anchor.release in by_tag:
        return []
    return [f"{name}: its anchor {lock.anchor.release} is no release here"]
