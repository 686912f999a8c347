"""Which releases have their derived outputs made on demand: params.yaml asked for it, or `graft gc --thin` did it.

A thinned release is marked by a plain tag, `thin/v1.2.0` on the release's commit: git brings it to every clone
with the tags, no release's tag moves, nothing matches v* that is not a release, and no network is asked.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from pipeline.chain.commits import git
from pipeline.chain.history.releases import MANIFEST, Release
from pipeline.common import documents, yaml
from pipeline.common.errors import GraftError

Keep = Literal["full", "on-demand", "thinned"]
MARK = "thin/"
PARAMS = "params.yaml"


def kept_as(releases: Iterable[Release]) -> dict[str, Keep]:
    """How each release is kept, by tag. Two git processes in all."""
    releases, thin = list(releases), thinned()
    params = git.contents(f"{release.commit}:{PARAMS}" for release in releases) if releases else iter(())
    return {
        release.tag: "on-demand" if asked(text) else "thinned" if release.tag in thin else "full"
        for release, text in zip(releases, params, strict=True)
    }


@lru_cache
def asked(params: bytes | None) -> bool:
    """Whether a params.yaml says `merge.keep: on-demand`; older ones do not know the key."""
    try:
        return bool(documents.at(yaml.parse(params or b"", PARAMS), "merge", "keep") == "on-demand")
    except GraftError:  # a broken file is another check's business
        return False


def thinned() -> set[str]:
    """Tags of the releases that `graft gc --thin` thinned."""
    return {name.removeprefix(MARK) for name in _marks()}


def is_thinned(manifest: bytes) -> bool:
    """Whether this manifest is a thinned release's: at its tag, or where a rollback brought it back."""
    marks = _marks()
    if not marks:
        return False
    blob = git.run("hash-object", "--stdin", stdin=manifest)
    return blob in git.object_ids(f"refs/tags/{name}:{MANIFEST}" for name in marks)


def mark(releases: Iterable[Release]) -> list[str]:
    """Mark releases as thinned, here and on origin; returns the tags that had no mark yet.

    Raises:
        GraftError: origin did not take the marks. They stay here; run again to go on.
    """
    thin = thinned()
    new = [release for release in releases if release.tag not in thin]
    lines = "".join(f"create refs/tags/{MARK}{release.tag} {release.commit}\n" for release in new)
    git.run("update-ref", "--stdin", stdin=lines.encode())
    if git.has_origin() and _marks():
        git.run("push", "--quiet", "origin", f"refs/tags/{MARK}*:refs/tags/{MARK}*")
    return [release.tag for release in new]


def _marks() -> list[str]:
    return git.run("for-each-ref", f"refs/tags/{MARK}v*", "--format=%(refname:strip=2)").split()
