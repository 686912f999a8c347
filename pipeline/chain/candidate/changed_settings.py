"""Settings that are not what dvc.lock, or the release that the tree holds, says a stage read: by effective values."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.chain.commits import git, outputs
from pipeline.chain.history.releases import Release
from pipeline.common import files, params
from pipeline.settings import effective, sections

_ABSENT = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedSetting:
    """A value that a stage would read, and that is not the one that it read."""

    stage: str
    key: str  # with dots
    before: Any
    now: Any
    is_default: bool  # params.yaml says nothing of it and never did: this Graft has another default

    def __str__(self) -> str:
        change = f"{_short(self.before)}, now {_short(self.now)}"
        if self.is_default:
            return f"default of {self.key} changed: {change}; params.yaml can keep the old value"
        return f"{effective.PATH}:{self.key} modified: {change}"


def find(values: Mapping[str, Any], held: Release | None) -> list[ChangedSetting]:
    """Changed settings of every stage that ran, in the order of dvc.yaml.

    Args:
        values: effective values of the working tree.
        held: the release that the tree holds.
    """
    declared = outputs.stages(Path("dvc.yaml").read_bytes(), "dvc.yaml")
    lock = Path("dvc.lock")
    locked = outputs.stages(lock.read_bytes(), "dvc.lock") if lock.is_file() else {}
    released = effective.of_commit(partial(git.show, held.commit), held.tag) if held else None
    wrote = _written(git.show(held.commit if held else "HEAD", effective.PATH.as_posix()))
    writes = _written(effective.PATH.read_bytes())
    return [
        change
        for stage, spec in declared.items()
        if stage in locked
        for change in _of_stage(stage, spec, locked[stage], values, released)
        for change in _leaves(change, wrote, writes)
    ]


def _of_stage(
    stage: str, spec: Mapping[str, Any], locked: Mapping[str, Any], values: Mapping[str, Any], released: Any
) -> Iterator[ChangedSetting]:
    read = _recorded(locked)
    before = sections.fill(read) if released is None else sections.fill(sections.merged(released, read))
    for key in _keys(spec):
        then, now = _dig(before, key), _dig(values, key)
        if then != now:
            yield ChangedSetting(stage=stage, key=key, before=then, now=now, is_default=False)


def _leaves(change: ChangedSetting, wrote: Any, writes: Any) -> Iterator[ChangedSetting]:
    """The single keys that differ in a changed section."""
    if isinstance(change.before, Mapping) and isinstance(change.now, Mapping):
        for name in sorted(change.before.keys() | change.now.keys()):
            then, now = change.before.get(name), change.now.get(name)
            if then != now:
                inner = ChangedSetting(
                    stage=change.stage, key=f"{change.key}.{name}", before=then, now=now, is_default=False
                )
                yield from _leaves(inner, wrote, writes)
        return
    silent = _dig(wrote, change.key, _ABSENT) is _ABSENT and _dig(writes, change.key, _ABSENT) is _ABSENT
    yield ChangedSetting(stage=change.stage, key=change.key, before=change.before, now=change.now, is_default=silent)


def would_write(values: Mapping[str, Any]) -> bool:
    """Whether the stage `settings` would write other bytes than those that are there."""
    return files.content(params.PATH) != files.dumps(values).encode()


def _keys(spec: Mapping[str, Any]) -> Iterator[str]:
    """The keys of reports/params.json that a stage of dvc.yaml names."""
    for entry in spec.get("params") or []:
        if isinstance(entry, Mapping):
            yield from entry.get(params.PATH.as_posix()) or []


def _recorded(locked: Mapping[str, Any]) -> dict[str, Any]:
    """What dvc.lock says that a stage read, as sections; an older Graft's stages read params.yaml itself."""
    found: dict[str, Any] = {}
    recorded = locked.get("params")
    for path in (effective.PATH, params.PATH):
        values = recorded.get(path.as_posix()) if isinstance(recorded, Mapping) else None
        for key, value in (values or {}).items():
            place = found
            *sections_, name = str(key).split(".")
            for section in sections_:
                place = place.setdefault(section, {})
            place[name] = value
    return found


def _written(content: bytes | None) -> Any:
    """What a params.yaml says itself; nothing where it cannot be read."""
    from pipeline.common import yaml
    from pipeline.common.errors import GraftError

    try:
        return yaml.parse(content or b"", str(effective.PATH))
    except GraftError:
        return {}


def _dig(values: Any, key: str, absent: Any = None) -> Any:
    for name in key.split("."):
        if not isinstance(values, Mapping) or name not in values:
            return absent
        values = values[name]
    return values


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:60]}…"
