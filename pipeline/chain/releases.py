"""Releases as git knows them: annotated tags vMAJOR.MINOR.PATCH on commits that hold a manifest.

A tag that a person set by hand counts like one that `graft release` set.
"""

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline import files
from pipeline.chain import git, lockfile
from pipeline.errors import GraftError

MANIFEST = Path("reports/manifest.json")
TAG = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
FIRST = (1, 0, 0)
ADOPTED = "adopted"  # a parent that is no release: an adapter that another tool made
NO_COMMIT = "0" * 40  # and that no commit of this repository holds
Version = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One release of the chain."""

    tag: str  # v1.2.0
    commit: str  # 40 hex digits
    date: str  # YYYY-MM-DD, of the tag
    manifest: str  # git's id of its reports/manifest.json
    lock: lockfile.Lock

    @property
    def version(self) -> Version:
        """Its three numbers, which order releases."""
        version = parse(self.tag)
        assert version is not None  # noqa: S101 - every Release comes from a tag that matched
        return version


def parse(tag: str) -> Version | None:
    """The version that a tag names; None when it is no release's tag."""
    match = TAG.fullmatch(tag)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def format_tag(version: Version) -> str:
    """The tag of a version: (1, 2, 0) -> v1.2.0."""
    return "v{}.{}.{}".format(*version)


def all_releases() -> list[Release]:
    """Every release, lowest version first. Two git processes in all, however long the chain.

    A v* tag on a commit that the gate refused, or whose models.lock cannot be read here, is no
    release; the latter is said on standard error, for a newer Graft may read it.
    """
    tagged = _tags()
    names = (lockfile.PATH.as_posix(), "reports/decision.json")
    contents = git.contents(f"{tag}:{name}" for tag, _, _ in tagged for name in names) if tagged else iter(())
    manifests = git.object_ids(f"{tag}:{MANIFEST.as_posix()}" for tag, _, _ in tagged) if tagged else []
    found = []
    for (tag, commit, date), lock, decision, manifest in zip(tagged, contents, contents, manifests, strict=True):
        if lock is None or manifest is None or json.loads(decision or b"null") != "pass":
            continue
        try:
            parsed = lockfile.parse(lock.decode(), f"{tag}:{lockfile.PATH}")
        except GraftError as error:
            print(f"warning: tag {tag} is left out: {error.message}", file=sys.stderr)
            continue
        found.append(Release(tag=tag, commit=commit, date=date, manifest=manifest, lock=parsed))
    return sorted(found, key=lambda release: release.version)


def find(tag: str, releases: Iterable[Release]) -> Release:
    """The release of that name.

    Raises:
        GraftError: there is none; the message lists those that exist.
    """
    by_tag = {release.tag: release for release in releases}
    if tag not in by_tag:
        raise GraftError(
            f"{tag}: no such release", [f"known: {', '.join(by_tag) or 'none'}"], help="graft log; git fetch --tags"
        )
    return by_tag[tag]


def held_by(lock: lockfile.Lock, manifest: str | None, releases: Iterable[Release]) -> Release | None:
    """The release that a tree holds, by its lock and the git id of its manifest; the newest of several.

    None for a candidate. Both count: `graft add` has moved the lock on while the manifest is
    still the parent's, and a sibling's manifest differs while its parent and increment are the same.
    """
    return next((r for r in reversed(list(releases)) if r.manifest == manifest and same_line(r.lock, lock)), None)


def same_line(one: lockfile.Lock, other: lockfile.Lock) -> bool:
    """Whether two locks train the same increment on the same parent."""
    states = [lock.parent and lock.parent.state for lock in (one, other)]
    return one.increment == other.increment and states[0] == states[1]


def chain(lock: lockfile.Lock, releases: Iterable[Release]) -> list[Release]:
    """The ancestors that a lock was trained on: its parent, the parent's parent and so on."""
    left = {release.tag: release for release in releases}
    ancestors: list[Release] = []
    while lock.parent is not None and lock.parent.release in left:  # each once: a hand-made lock may name its own child
        ancestors.append(left.pop(lock.parent.release))
        lock = ancestors[-1].lock
    return ancestors


def sibling(lock: lockfile.Lock, releases: Iterable[Release]) -> Release | None:
    """The newest release with this lock's parent and increment: what a new training stands beside."""
    return next((release for release in reversed(list(releases)) if same_line(release.lock, lock)), None)


def next_version(asked: str, releases: Iterable[Release]) -> Version:
    """The version to release: `major`, `minor`, `patch` counted from the highest tag, or a version as asked.

    Raises:
        GraftError: neither of them, or a version that is not above the highest one.
    """
    highest = max((release.version for release in releases), default=None)
    steps = {"major": 0, "minor": 1, "patch": 2}
    if asked in steps:
        if highest is None:
            return FIRST
        place = steps[asked]
        major, minor, patch = (*highest[:place], highest[place] + 1, 0, 0, 0)[:3]
        return major, minor, patch
    version = parse(asked if asked.startswith("v") else f"v{asked}")
    if version is None:
        raise GraftError(f"{asked}: not a version", help="v1.2.0, or major, minor, patch")
    if highest is not None and version < highest:
        raise GraftError(f"{asked}: not above the highest release, {format_tag(highest)}", help="graft release minor")
    return version


def manifest_outputs(manifest: bytes) -> dict[str, dict[str, str | int]]:
    """Path -> {"size", "sha256"} of a manifest's text."""
    outputs: dict[str, dict[str, str | int]] = json.loads(manifest)["outputs"]
    return outputs


def decision_here() -> str | None:
    """The gate's word in the working tree: pass or refused; None before it spoke."""
    path = Path("reports/decision.json")
    return files.read_json(path) if path.is_file() else None


def _tags() -> list[tuple[str, str, str]]:
    lines = git.run(
        "for-each-ref",
        "refs/tags/v*",
        "--format=%(refname:strip=2) %(objecttype) %(*objecttype) %(*objectname) %(creatordate:format:%Y-%m-%d)",
    ).splitlines()
    tags = []
    for line in lines:
        tag, kind, target, commit, date = line.split(" ")
        if kind == "tag" and target == "commit" and parse(tag):
            tags.append((tag, commit, date))
    return tags
