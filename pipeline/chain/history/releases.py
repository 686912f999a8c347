"""Releases as git knows them: annotated tags vMAJOR.MINOR.PATCH on commits that hold a manifest.

A tag that a person set by hand counts like one that `graft release` set.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline import terminal
from pipeline.chain.commits import git, manifest_file
from pipeline.chain.lock import lockfile
from pipeline.common import documents, files
from pipeline.common.errors import GraftError

MANIFEST = manifest_file.PATH
DECISION = Path("reports/decision.json")
DECISIONS = ("pass", "refused")
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A v* tag of which nobody can say here whether it is a release: a file of its commit is missing or broken."""

    tag: str
    commit: str  # 40 hex digits
    date: str  # YYYY-MM-DD, of the tag
    why: str  # one line with the file's place
    help: str  # the way out

    @property
    def version(self) -> Version:
        """Its three numbers."""
        version = parse(self.tag)
        assert version is not None  # noqa: S101 - as of a Release
        return version


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadTags:
    """What the v* tags of this clone are, each lowest version first."""

    releases: list[Release]
    unreadable: list[Unreadable]
    others: list[str]  # tags of a release's form that are none, by name: their versions are taken


def parse(tag: str) -> Version | None:
    """The version that a tag names; None when it is no release's tag."""
    match = TAG.fullmatch(tag)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def format_tag(version: Version) -> str:
    """The tag of a version: (1, 2, 0) -> v1.2.0."""
    return "v{}.{}.{}".format(*version)


def read() -> ReadTags:
    """Every v* tag, as a release or as unreadable. Two git processes in all, however long the chain.

    A v* tag on a commit that the gate refused is no release, nor is a lightweight one, or one on a commit where no
    pipeline of Graft ran: it holds neither manifest nor decision. One whose models.lock or decision.json alone is
    missing or broken is unreadable: a newer Graft may read it.
    """
    tagged, every = _tags()
    names = (lockfile.PATH.as_posix(), DECISION.as_posix())
    contents = git.contents(f"{tag}:{name}" for tag, _, _ in tagged for name in names) if tagged else iter(())
    manifests = git.object_ids(f"{tag}:{MANIFEST.as_posix()}" for tag, _, _ in tagged) if tagged else []
    found, unreadable = list[Release](), list[Unreadable]()
    for (tag, commit, date), lock, decision, listed in zip(tagged, contents, contents, manifests, strict=True):
        if decision is None and listed is None:
            continue
        try:
            release = _release(tag, commit, date, lock, decision, listed)
        except GraftError as error:
            unreadable.append(Unreadable(tag=tag, commit=commit, date=date, why=error.message, help=_way_out(tag)))
            continue
        found += [release] if release else []
    known = {release.tag for release in found} | {entry.tag for entry in unreadable}
    return ReadTags(
        releases=sorted(found, key=_version),
        unreadable=sorted(unreadable, key=_version),
        others=sorted(every - known, key=lambda tag: parse(tag) or FIRST),
    )


def all_releases() -> list[Release]:
    """Every release, lowest version first; what is unreadable is named on standard error."""
    known = read()
    warn(known.unreadable)
    return known.releases


def only_at_origin() -> list[str]:
    """Tags of a release's form that origin has and this clone has not, by name.

    Raises:
        GraftError: origin cannot be reached.
    """
    here = set(git.run("tag", "--list", "v*").split())
    return [tag for tag in git.remote_tags("v*") if parse(tag) and tag not in here]


def named(others: Sequence[str]) -> str:
    """What is said of tags that have a release's form and are none."""
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"{', '.join(others[:5])}{more}: no Graft {'releases' if len(others) > 1 else 'release'}; versions skip them"


def warn(unreadable: Iterable[Unreadable]) -> None:
    """Name tags that are left out on standard error, each once."""
    for tag in unreadable:
        _warn(tag)


@cache
def _warn(tag: Unreadable) -> None:
    terminal.echo(f"warning: tag {tag.tag} is left out: {tag.why}", f"  help: {tag.help}", err=True)


def _release(
    tag: str, commit: str, date: str, lock: bytes | None, decision: bytes | None, listed: str | None
) -> Release | None:
    """The release of that tag; None where the gate refused its commit.

    Raises:
        GraftError: one of its files is missing or broken.
    """
    for name, content in ((lockfile.PATH, lock), (DECISION, decision), (MANIFEST, listed)):
        if content is None:
            raise GraftError(f"{tag}:{name}: no such file")
    word = documents.parse(decision or b"", f"{tag}:{DECISION}")
    if word not in DECISIONS:
        raise GraftError(f"{tag}:{DECISION}: neither of {', '.join(DECISIONS)}")
    parsed = lockfile.parse(lock or b"", f"{tag}:{lockfile.PATH}")
    release = Release(tag=tag, commit=commit, date=date, manifest=listed or "", lock=parsed)
    return release if word == "pass" else None


def _way_out(tag: str) -> str:
    return (
        f"use a newer Graft where one made it; where it is no release, git tag --delete {tag} "
        f"and git push --delete origin {tag}"
    )


def _version(entry: Release | Unreadable) -> Version:
    return entry.version


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


def next_version(asked: str, releases: Iterable[Release | Unreadable], taken: Collection[str] = ()) -> Version:
    """The version to release: `major`, `minor`, `patch` counted from the highest release, or a version as asked.

    Args:
        asked: one of these words, or a version.
        releases: those that there are.
        taken: further tags, whose versions are skipped.

    Raises:
        GraftError: neither of them, or a version that is not above the highest one.
    """
    highest = max((release.version for release in releases), default=None)
    steps = {"major": 0, "minor": 1, "patch": 2}
    if asked in steps:
        place = steps[asked]
        following = FIRST if highest is None else _raised(highest, place)
        while format_tag(following) in taken:
            following = _raised(following, place)
        return following
    version = parse(asked if asked.startswith("v") else f"v{asked}")
    if version is None:
        raise GraftError(f"{asked}: not a version", help="v1.2.0, or major, minor, patch")
    if highest is not None and version < highest:
        raise GraftError(f"{asked}: not above the highest release, {format_tag(highest)}", help="graft release minor")
    return version


def _raised(version: Version, place: int) -> Version:
    """The next version: one more at that place, and zeros behind it."""
    major, minor, patch = (*version[:place], version[place] + 1, 0, 0, 0)[:3]
    return major, minor, patch


def decision_here() -> str | None:
    """The gate's decision in the working tree: pass or refused; None before it ran.

    Raises:
        GraftError: decision.json is broken.
    """
    if not DECISION.is_file():
        return None
    decision = files.read_json(DECISION)
    if decision not in DECISIONS:
        raise GraftError(f"{DECISION}: neither of {', '.join(DECISIONS)}", help="dvc repro --force gate")
    return str(decision)


def _tags() -> tuple[list[tuple[str, str, str]], set[str]]:
    """Tag, commit and date of each annotated tag of a release's form, and every tag of that form, annotated or not."""
    lines = git.run(
        "for-each-ref",
        "refs/tags/v*",
        "--format=%(refname:strip=2) %(objecttype) %(*objecttype) %(*objectname) %(creatordate:format:%Y-%m-%d)",
    ).splitlines()
    tags, every = [], set[str]()
    for line in lines:
        tag, kind, target, commit, date = line.split(" ")
        every |= {tag} if parse(tag) else set()
        if kind == "tag" and target == "commit" and parse(tag):
            tags.append((tag, commit, date))
    return tags, every
