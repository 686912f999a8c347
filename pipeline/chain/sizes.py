"""What each release takes in the remote, from what git holds alone: the remote is not asked.

Folder listings (below 1 kB each) are not counted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.chain import git, outputs
from pipeline.chain.keep import PARAMS, Keep
from pipeline.chain.releases import MANIFEST, Release

_REFRESH = re.compile(rb"^ +chain: fresh\b", re.MULTILINE)  # `graft add --full`: its data are all stored already


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Bytes of one release."""

    adapter: int
    added: int  # to the remote: what no release of a lower version holds there; without what is on demand
    full: int  # of a full copy: models/merged


def of(releases: Iterable[Release], kept: Mapping[str, Keep]) -> dict[str, Sizes]:
    """Sizes by tag; `releases` with the lowest version first. One git process in all."""
    releases = list(releases)
    names = [(MANIFEST, "dvc.yaml", PARAMS, f"{release.lock.increment}/raw.dvc") for release in releases]
    texts = git.contents(f"{r.commit}:{name}" for r, four in zip(releases, names, strict=True) for name in four)
    seen: set[str] = set()
    found = {}
    for release in releases:
        manifest, dvc_yaml, params, raw = (next(texts) or b"" for _ in range(4))
        listed = orjson.loads(manifest or b"{}").get("outputs", {})
        stored = _stored(listed, dvc_yaml, release, full=kept[release.tag] == "full")
        if not (release.lock.parent and _REFRESH.search(params)):
            stored |= {md5.decode(): int(size) for md5, size in outputs.RAW.findall(raw)}
        new = stored.keys() - seen
        seen |= new
        found[release.tag] = Sizes(
            adapter=_below(listed, "models/adapter"),
            added=sum(map(stored.__getitem__, new)),
            full=_below(listed, "models/merged"),
        )
    return found


def _stored(listed: Mapping[str, Any], dvc_yaml: bytes, release: Release, *, full: bool) -> dict[str, int]:
    """SHA-256 -> bytes of the files that the remote holds for this manifest."""
    cached = {path for path in outputs.cached_paths(dvc_yaml) if full or path not in outputs.DERIVED}
    if release.lock.parent:
        cached.discard("models/parent")  # its state, which it pushed itself
    if release.lock.anchor:
        cached.discard("models/anchor")
    return {digest["sha256"]: digest["size"] for digest in _inside(listed, cached)}


def _below(listed: Mapping[str, Any], folder: str) -> int:
    return sum(digest["size"] for digest in _inside(listed, {folder}))


def _inside(listed: Mapping[str, Any], paths: set[str]) -> list[Any]:
    """What the manifest says of these outputs. One C call for each file: a chain's manifests list millions."""
    folders = tuple(f"{path}/" for path in paths)
    return [digest for path, digest in listed.items() if path.startswith(folders) or path in paths]
