"""What a commit's pipeline put out: dvc.yaml says which paths, dvc.lock says which bytes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML

from pipeline.errors import GraftError

# Of a raw.dvc as DVC writes it: hash and size of the increment's files. A chain has a thousand of them.
RAW = re.compile(rb"^outs:\n- md5: '?([0-9a-f]{32}\.dir)'?\n  size: (\d+)$", re.MULTILINE)
INDEX = "data/assembled/index"
# What a release hands its child, by output path; under models/parent and models/anchor it keeps its last name.
STATE = (
    "models/adapter",
    INDEX,
    "data/assembled/reservoir.arrow",
    "data/assembled/slices",
    "data/assembled/labels.json",
    "reports/predictions.json",
    "reports/matrix.json",
    "reports/rules.json",
)
OPTIONAL = ("reports/rules.json",)  # of the state: releases of older Grafts have none
# What of a release's state stays behind as an anchor: what scores new items, and what it said of old ones.
ANCHOR = ("models/adapter", "data/assembled/labels.json", "reports/predictions.json")

# What the stages make again, the same bytes and without training, from what every release pushes:
# with `merge.keep: on-demand` a release does not push them.
DERIVED = ("data/prepared/records.jsonl", "data/assembled/train.arrow", "models/merged")


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One output of one stage at one commit."""

    path: str
    md5: str  # DVC's hash; ends in .dir for a folder
    cached: bool  # in DVC's cache and remote; otherwise in git


def read(dvc_yaml: bytes, dvc_lock: bytes) -> list[Output]:
    """Every output that dvc.yaml declares and dvc.lock knows, in dvc.yaml's order.

    Raises:
        GraftError: either is not YAML (a merge conflict, say).
    """
    declared = _load(dvc_yaml, "dvc.yaml").get("stages") or {}
    locked = _load(dvc_lock, "dvc.lock").get("stages") or {}
    found = []
    for name, stage in declared.items():
        md5s = {out["path"]: out["md5"] for out in locked.get(name, {}).get("outs", [])}
        found += [Output(path=path, md5=md5s[path], cached=cached) for path, cached in _declared(stage) if path in md5s]
    return found


def missing(dvc_yaml: bytes, dvc_lock: bytes) -> list[str]:
    """Outputs that dvc.yaml declares and dvc.lock does not know: never run, or failed."""
    known = {output.path for output in read(dvc_yaml, dvc_lock)}
    declared = _load(dvc_yaml, "dvc.yaml").get("stages") or {}
    return [path for stage in declared.values() for path, _ in _declared(stage) if path not in known]


def makers(dvc_yaml: bytes) -> list[str]:
    """Stages that put out what is derived, in dvc.yaml's order."""
    declared = _load(dvc_yaml, "dvc.yaml").get("stages") or {}
    return [name for name, stage in declared.items() if any(path in DERIVED for path, _ in _declared(stage))]


@lru_cache
def cached_paths(dvc_yaml: bytes) -> tuple[str, ...]:
    """Outputs that dvc.yaml gives to DVC and not to git."""
    declared = _load(dvc_yaml, "dvc.yaml").get("stages") or {}
    return tuple(path for stage in declared.values() for path, cached in _declared(stage) if cached)


def below(path: str, outputs: Iterable[str]) -> bool:
    """Whether a file is one of these outputs or lies in one of them."""
    return any(path == output or path.startswith(f"{output}/") for output in outputs)


def state(outputs: list[Output], paths: Iterable[str] = STATE) -> dict[str, dict[str, str]]:
    """What these outputs hand to the next candidate, as models.lock records it; without what they have not."""
    md5s = {output.path: output.md5 for output in outputs}
    return {path: {"md5": md5s[path]} for path in paths if path in md5s}


def raw_md5(raw_dvc: bytes) -> str:
    """DVC's hash of an increment's raw files, from its raw.dvc."""
    return str(_load(raw_dvc, "raw.dvc")["outs"][0]["md5"])


def is_import(raw_dvc: bytes) -> bool:
    """Whether a raw.dvc says where its files come from (`dvc import-url`)."""
    return "deps" in _load(raw_dvc, "raw.dvc")


def _declared(stage: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for out in stage.get("outs", []):
        if isinstance(out, dict):
            for path, options in out.items():
                yield path, (options or {}).get("cache", True)
        else:
            yield out, True


def _load(text: bytes, name: str) -> dict[str, Any]:
    try:
        return YAML(typ="safe", pure=True).load(text) or {}
    except Exception as error:
        raise GraftError(
            f"{name}: not YAML: {str(error).splitlines()[0]}",
            help="never merge it as text; in a merge or rebase `graft lock --parent latest` settles it",
        ) from None
