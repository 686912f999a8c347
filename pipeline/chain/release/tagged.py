"""What a release's tag says of its commit, and whether that and origin's tag agree with it.

`graft release` writes the facts into the tag's message; a tag that a person set by hand has none.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from pipeline.chain.commits import git
from pipeline.chain.history import releases
from pipeline.chain.history.releases import Release
from pipeline.chain.lock.lockfile import Lock
from pipeline.chain.verify.manifest_check import Finding
from pipeline.common.errors import GraftError

RELEASE = "an annotated tag on a commit whose decision is pass"


def facts(commit: str, lock: Lock, manifest: bytes) -> dict[str, str]:
    """The facts of a release that its tag's message names, by their key.

    Args:
        commit: 40 hex digits.
        lock: that commit's.
        manifest: bytes of that commit's reports/manifest.json.
    """
    return {
        "increment": PurePosixPath(lock.increment).name,
        "parent": lock.parent.release if lock.parent else "none",
        "commit": commit,
        "manifest": f"sha256 {hashlib.sha256(manifest).hexdigest()}",
    }


def message(tag: str, named: dict[str, str]) -> str:
    """The message of a release's tag."""
    return f"{tag}\n\n" + "".join(f"{key}: {value}\n" for key, value in named.items())


def check(release: Release) -> tuple[list[Finding], list[str]]:
    """What the tag says and its commit does not; remarks that are no fault."""
    header, text = git.tag(release.tag)
    findings = []
    if header["tag"] != release.tag:  # the object of another tag under this one's name
        findings.append(_wrong(release.tag, f"the tag object of {release.tag}", f"that of {header['tag']}"))
    said = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    if "manifest" not in said:
        return findings, [f"{release.tag}: its message names no manifest: the tag was set by hand"]
    held = facts(release.commit, release.lock, git.show(release.commit, str(releases.MANIFEST)) or b"")
    findings += [
        _wrong(release.tag, f"{key}: {value}, as its commit has it", f"{key}: {said[key]} in its message")
        for key, value in held.items()
        if key in said and said[key] != value  # a tag of an older Graft names no commit
    ]
    return findings, []


def check_origin(tags: Iterable[str]) -> tuple[list[Finding], list[str]]:
    """Tags that are another object on origin; what could not be compared as a remark."""
    tags = list(tags)
    if not git.has_origin():
        return [], [f"{tag}: not compared with origin's tag: there is no origin" for tag in tags]
    try:
        theirs = git.remote_tag_ids("v*")
    except GraftError as error:
        return [], [f"tags not compared with origin's: {error.message}"]
    findings, notes = [], []
    for tag in tags:
        ours = git.run("rev-parse", f"refs/tags/{tag}")
        if tag not in theirs:
            notes.append(f"{tag}: not on origin")
        elif theirs[tag] != ours:
            findings.append(_wrong(tag, f"origin's tag, object {theirs[tag]}", f"object {ours}"))
    return findings, notes


def no_release(revision: str, known: releases.ReadTags) -> Iterator[Finding]:
    """The finding where REV is a v* tag and no release."""
    if releases.parse(revision) is None or any(release.tag == revision for release in known.releases):
        return
    if git.succeeds("rev-parse", "-q", "--verify", f"refs/tags/{revision}"):
        unreadable = next((tag.why for tag in known.unreadable if tag.tag == revision), None)
        kind = git.run("cat-file", "-t", f"refs/tags/{revision}")
        refused = "a tag on a commit that the gate refused"
        yield _wrong(revision, RELEASE, unreadable or (refused if kind == "tag" else "a lightweight tag"))


def _wrong(tag: str, expected: str, found: str) -> Finding:
    return Finding(path=f"tag {tag}", place="git", problem="wrong-tag", expected=expected, found=found)
