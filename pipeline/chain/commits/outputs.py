"""What a commit's pipeline put out: dvc.yaml says which paths, dvc.lock says which bytes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.common import yaml
from pipeline.common.errors import GraftError

# Of a raw.dvc as DVC writes it: hash and size of the increment's files. A chain has a thousand of them.
RAW = re.compile(rb"^outs:\n- md5: '?([0-9a-f]{32}\.dir)'?\n  size: (\d+)$", re.MULTILINE)
INDEX = "data/assembled/index"
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_RESTORE = (
    "never merge it as text; in a merge or rebase `graft lock --parent latest` settles it; "
    "git log -p and git restore bring an earlier one back"
)
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


def read(dvc_yaml: bytes, dvc_lock: bytes, at: str = "") -> list[Output]:
    """Every output that dvc.yaml declares and dvc.lock knows, in dvc.yaml's order.

    Args:
        dvc_yaml: its bytes.
        dvc_lock: its bytes.
        at: what stands before their names in errors, such as "v1.0.0:".

    Raises:
        GraftError: either is not YAML (a merge conflict, say), or not of DVC's form.
    """
    declared, locked = stages(dvc_yaml, f"{at}dvc.yaml"), stages(dvc_lock, f"{at}dvc.lock")
    found = []
    for name, stage in declared.items():
        md5s = dict(_locked(locked.get(name, {}), f"{at}dvc.lock: $.stages.{name}"))
        found += [Output(path=path, md5=md5s[path], cached=cached) for path, cached in _declared(stage) if path in md5s]
    return found


def require_readable() -> None:
    """Name what is wrong with dvc.yaml and dvc.lock in the working tree, before DVC does in fewer words.

    Raises:
        GraftError: either cannot be read.
    """
    read(_working("dvc.yaml"), _working("dvc.lock"))


def _working(name: str) -> bytes:
    """A file of the working tree; empty where there is none."""
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise GraftError(f"{name}: {error.strerror}", help=f"git restore {name}") from None


def missing(dvc_yaml: bytes, dvc_lock: bytes, at: str = "") -> list[str]:
    """Outputs that dvc.yaml declares and dvc.lock does not know: never run, or failed. Arguments as of `read`."""
    known = {output.path for output in read(dvc_yaml, dvc_lock, at)}
    declared = stages(dvc_yaml, f"{at}dvc.yaml")
    return [path for stage in declared.values() for path, _ in _declared(stage) if path not in known]


def makers(dvc_yaml: bytes) -> list[str]:
    """Stages that put out what is derived, in dvc.yaml's order."""
    declared = stages(dvc_yaml, "dvc.yaml")
    return [name for name, stage in declared.items() if any(path in DERIVED for path, _ in _declared(stage))]


@lru_cache
def cached_paths(dvc_yaml: bytes) -> tuple[str, ...]:
    """Outputs that dvc.yaml gives to DVC and not to git."""
    declared = stages(dvc_yaml, "dvc.yaml")
    return tuple(path for stage in declared.values() for path, cached in _declared(stage) if cached)


def below(path: str, outputs: Iterable[str]) -> bool:
    """Whether a file is one of these outputs or lies in one of them."""
    return any(path == output or path.startswith(f"{output}/") for output in outputs)


def state(outputs: list[Output], paths: Iterable[str] = STATE) -> dict[str, dict[str, str]]:
    """What these outputs hand to the next candidate, as models.lock records it; without what they have not."""
    md5s = {output.path: output.md5 for output in outputs}
    return {path: {"md5": md5s[path]} for path in paths if path in md5s}


def raw_md5(raw_dvc: bytes, where: str = "raw.dvc") -> str:
    """DVC's hash of an increment's raw files, from its raw.dvc.

    Raises:
        GraftError: it is not YAML, or names no folder.
    """
    outs = _load(raw_dvc, where).get("outs")
    md5 = outs[0].get("md5") if isinstance(outs, list) and outs and isinstance(outs[0], dict) else None
    if not isinstance(md5, str) or not _MD5.fullmatch(md5):
        raise GraftError(f"{where}: $.outs[0].md5: no MD5 of a folder", help=f"{_RESTORE}; dvc add writes it again")
    return md5


def is_import(raw_dvc: bytes, where: str = "raw.dvc") -> bool:
    """Whether a raw.dvc says where its files come from (`dvc import-url`). Raises as `raw_md5`."""
    return "deps" in _load(raw_dvc, where)


def stages(text: bytes, where: str) -> dict[str, dict[str, Any]]:
    """The stages of a dvc.yaml or a dvc.lock, by name.

    Raises:
        GraftError: it is not YAML, or not of DVC's form.
    """
    found = _load(text, where).get("stages") or {}
    broken = [name for name, stage in found.items() if not isinstance(stage, dict)] if isinstance(found, dict) else [""]
    broken += [name for name, stage in found.items() if not _is_list(stage)] if not broken else []
    if broken:
        raise GraftError(f"{where}: $.stages.{broken[0]}".rstrip(".") + ": not a stage of DVC", help=_RESTORE)
    return dict(found)


def _is_list(stage: dict[str, Any]) -> bool:
    lists = [stage.get(name) or [] for name in ("outs", "deps")]
    return all(isinstance(some, list) and all(isinstance(entry, str | dict) for entry in some) for some in lists)


def _locked(stage: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    """Path and MD5 of each output of a stage of dvc.lock."""
    for out in stage.get("outs") or []:
        path, md5 = (out.get("path"), out.get("md5")) if isinstance(out, dict) else (None, None)
        if not isinstance(path, str) or not isinstance(md5, str) or not _MD5.fullmatch(md5):
            raise GraftError(f"{where}: an output without a path or an MD5", help=_RESTORE)
        yield path, md5


def _declared(stage: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for out in stage.get("outs") or []:
        if isinstance(out, dict):
            for path, options in out.items():
                yield str(path), bool(options.get("cache", True)) if isinstance(options, dict) else True
        else:
            yield out, True


def _load(text: bytes, where: str) -> dict[str, Any]:
    """The mapping of a YAML text; nobody changes it, since equal texts share one."""
    try:
        found = _parsed(text)
    except GraftError as error:
        raise GraftError(f"{where}{error.message}", error.problems, help=error.help) from None
    if not isinstance(found, dict | None):
        raise GraftError(f"{where}: not a mapping", help=_RESTORE)
    return found or {}


@lru_cache(maxsize=8)  # a dvc.lock takes a quarter of a second, and a command reads it at several places
def _parsed(text: bytes) -> Any:
    return yaml.parse(text, "", help=_RESTORE)
