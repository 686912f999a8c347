"""What each release takes in the remote, from what git holds alone: the remote is not asked.

Folder listings (below 1 kB each) are not counted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.chain.commits import git, outputs
from pipeline.chain.commits import manifest_file as manifests
from pipeline.chain.history.releases import MANIFEST, Release
from pipeline.chain.history.thinning import PARAMS, Keep
from pipeline.common.errors import GraftError

ADAPTER = ("models/adapter/adapter_model.safetensors", "models/adapter/adapter_config.json")  # without the tokenizer
_REFRESH = re.compile(rb"^ +chain: fresh\b", re.MULTILINE)  # `graft add --full`: its data are all stored already


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Bytes of one release."""

    adapter: int
    added: int  # to the remote: what no release of a lower version holds there; without what is on demand
    full: int  # of a full copy: models/merged


def release_sizes(releases: Iterable[Release], kept: Mapping[str, Keep]) -> tuple[dict[str, Sizes], dict[str, str]]:
    """Sizes by tag, and by tag why there are none. One git process in all.

    Args:
        releases: with the lowest version first.
        kept: how each is kept, by tag.
    """
    releases = list(releases)
    names = [(MANIFEST, "dvc.yaml", PARAMS, f"{release.lock.increment}/raw.dvc") for release in releases]
    texts = git.contents(f"{r.commit}:{name}" for r, four in zip(releases, names, strict=True) for name in four)
    seen: set[str] = set()
    found, broken = dict[str, Sizes](), dict[str, str]()
    for release in releases:
        manifest, dvc_yaml, params, raw = (next(texts) or b"" for _ in range(4))
        try:
            listed = orjson.loads(manifest)["outputs"]
            stored = _stored(listed, dvc_yaml, release, full=kept[release.tag] == "full")
            adapter, full = sum(_size(listed, path) for path in ADAPTER), _below(listed, "models/merged")
        except (GraftError, ValueError, AttributeError, KeyError, TypeError):
            broken[release.tag] = _why(release.tag, manifest, dvc_yaml)
            continue
        if not (release.lock.parent and _REFRESH.search(params)):
            stored |= {md5.decode(): int(size) for md5, size in outputs.RAW.findall(raw)}
        new = stored.keys() - seen
        seen |= new
        found[release.tag] = Sizes(
            adapter=adapter,
            added=sum(map(stored.__getitem__, new)),
            full=full,
        )
    return found, broken


def _why(tag: str, manifest: bytes, dvc_yaml: bytes) -> str:
    """What is wrong with these files, from the readers that are slow and strict."""
    try:
        manifests.parse(manifest, f"{tag}:{MANIFEST}")
        outputs.stages(dvc_yaml, f"{tag}:dvc.yaml")
    except GraftError as error:
        return error.message
    return f"{tag}:{MANIFEST}: not a manifest of this Graft"


def _stored(listed: Mapping[str, Any], dvc_yaml: bytes, release: Release, *, full: bool) -> dict[str, int]:
    """SHA-256 -> bytes of the files that the remote holds for this manifest."""
    cached = {path for path in outputs.cached_paths(dvc_yaml) if full or path not in outputs.DERIVED}
    if release.lock.parent:
        cached.discard("models/parent")  # its state, which it pushed itself
    if release.lock.anchor:
        cached.discard("models/anchor")
    return {digest["sha256"]: digest["size"] for digest in _inside(listed, cached)}


def _size(listed: Mapping[str, Any], path: str) -> int:
    return int(listed[path]["size"]) if path in listed else 0


def _below(listed: Mapping[str, Any], folder: str) -> int:
    return sum(digest["size"] for digest in _inside(listed, {folder}))


def _inside(listed: Mapping[str, Any], paths: set[str]) -> list[Any]:
    """What the manifest says of these outputs. One C call for each file: a chain's manifests list millions."""
    folders = tuple(f"{path}/" for path in paths)
    return [digest for path, digest in listed.items() if path.startswith(folders) or path in paths]
