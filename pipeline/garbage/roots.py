"""Where needed objects are named: every ref, stash and worktree of this repository."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.chain.commits import git
from pipeline.chain.history import releases, thinning
from pipeline.chain.history.releases import Release
from pipeline.chain.lock import lockfile
from pipeline.common import documents
from pipeline.common.errors import GraftError

PATTERNS = (":(glob)**/dvc.lock", ":(glob)**/*.dvc", lockfile.PATH.as_posix())
_MD5 = re.compile(rb"""\bmd5["']?: ["']?([0-9a-f]{32}(?:\.dir)?)\b""")
_TAGS = "refs/tags/"


def commits(kept: Iterable[Release], known: Iterable[Release], heads: Mapping[str, str]) -> dict[str, str]:
    """Commits that stay whole -> a name for each: kept releases, all other refs, stashes, HEADs, origin's heads.

    A release's own tag and the mark of `graft gc --thin` keep nothing beyond what --keep and --thin say.
    """
    managed = {f"{_TAGS}{prefix}{release.tag}": release.commit for release in known for prefix in ("", thinning.MARK)}
    named = {f"origin/{name}": commit for name, commit in heads.items()}
    named |= {_short(name): commit for name, commit in git.refs().items() if managed.get(name) != commit}
    named |= git.stashes() | {release.tag: release.commit for release in kept}
    for folder, places in git.worktrees().items():
        named |= {f"{name} of {folder}": commit for name, commit in places.items()}
    named |= {f"HEAD of {folder}": commit for folder, (commit, _) in git.absent_worktrees().items()}
    found: dict[str, str] = {}
    for name, commit in named.items():  # of several names, one of a branch of this repository tells most
        if commit not in found or is_remote(found[commit]):
            found[commit] = name
    return found


def is_remote(name: str) -> bool:
    """Whether this is the name of another repository's branch."""
    return name.startswith(("remotes/", "origin/"))


def require_readable_tags(known: Iterable[Release]) -> None:
    """Refuse to clean beside a v* tag that may be a release which this Graft cannot read.

    Raises:
        GraftError: a file that makes a release cannot be read in such a tag, each named.
    """
    unreadable = releases.read().unreadable  # the annotated ones; a lightweight tag is a release of nobody's yet
    looked_at = {release.tag for release in known} | {tag.tag for tag in unreadable}
    tags = set(git.run("tag", "--list", "v*").splitlines()) - looked_at
    paths = (lockfile.PATH.as_posix(), "reports/decision.json", releases.MANIFEST.as_posix())
    named = [(tag, path) for tag in sorted(tags) for path in paths]
    texts = git.contents(f"refs/tags/{tag}:{path}" for tag, path in named) if named else iter(())
    faults = [(tag, _fault(path, text)) for (tag, path), text in zip(named, texts, strict=True) if text is not None]
    problems = [tag.why if tag.why.startswith(tag.tag) else f"{tag.tag}: {tag.why}" for tag in unreadable]
    problems += [f"{tag}: {fault}" for tag, fault in faults if fault]
    if problems:
        raise GraftError(
            "tags that cannot be read: what they need cannot be told from garbage",
            problems,
            help="use the Graft that made them; git tag -d TAG where one is no release",
        )


def require_worktrees() -> None:
    """Refuse to clean while a locked working tree is not here, on another disk say: it may hold an open candidate.

    Raises:
        GraftError: each such working tree is named.
    """
    locked = [folder for folder, (_, is_locked) in git.absent_worktrees().items() if is_locked]
    if locked:
        raise GraftError(
            "locked worktrees that are not here: what they need cannot be told from garbage",
            locked,
            help="mount them; where one is gone for good: git worktree unlock PATH && git worktree prune",
        )


def named_in(texts: Iterable[bytes]) -> set[str]:
    """Every MD5 that these files name; hashes of inputs that DVC never stored do no harm."""
    return {md5.decode() for text in texts for md5 in _MD5.findall(text)}


def texts(commits: Iterable[str], folders: Iterable[Path], known: Iterable[Release]) -> list[bytes]:
    """Every dvc.lock, models.lock and .dvc file of these commits, and of index and working tree of these folders.

    A release's raw.dvc is left out: later commits still hold it, and only what was trained on it needs it.
    """
    known, blobs, open_ = list(known), _in_trees(commits), []
    for folder in folders:
        blobs |= git.staged(folder, *PATTERNS)
        paths = {*git.unstaged(folder, *PATTERNS), folder / "dvc.lock", folder / lockfile.PATH}
        open_ += [path.read_bytes() for path in paths if path.is_file()]
    released = git.object_ids(f"{r.commit}:{r.lock.increment}/raw.dvc" for r in known) if known else []
    return [*open_, *git.existing(sorted(blobs - set(released)))]


def _in_trees(commits: Iterable[str]) -> set[str]:
    """Ids of those files in the trees of commits; one git process for each level of folders."""
    level = set(git.object_ids(f"{commit}^{{tree}}" for commit in commits))
    seen: set[str | None] = {None}
    blobs: set[str] = set()
    while level := level - seen:
        seen |= level
        below: set[str | None] = set()
        for name, is_folder, oid in git.tree_entries(sorted(filter(None, level))):
            if is_folder:
                below.add(oid)
            elif name.endswith(".dvc") or name in ("dvc.lock", lockfile.PATH.name):
                blobs.add(oid)
        level = below
    return blobs


def _fault(path: str, text: bytes) -> str | None:
    """Why a release's file cannot be read; None where it can."""
    try:
        if path == lockfile.PATH.as_posix():
            lockfile.parse(text, path)
        else:
            documents.parse(text, path)
    except GraftError as error:
        return error.message
    return None


def _short(ref: str) -> str:
    return ref.removeprefix(_TAGS).removeprefix("refs/heads/").removeprefix("refs/")
