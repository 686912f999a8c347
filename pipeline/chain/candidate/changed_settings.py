"""Settings that are not what a stage read, or what a release records: by effective values, each with its cause."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, get_type_hints

from pipeline.chain.candidate import former_defaults
from pipeline.chain.commits import git, outputs
from pipeline.chain.history.releases import Release
from pipeline.common import documents, files, params, yaml
from pipeline.common.documents import at_dotted
from pipeline.common.errors import GraftError
from pipeline.settings import by_task, effective, sections

_ABSENT = object()
_NOBODY = "settings"  # the stage of a value that no other stage reads
# params: params.yaml says so | default: this Graft has another one | renamed | gone: no setting of this Graft
Cause = Literal["params", "default", "renamed", "gone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedSetting:
    """A value that a stage would read, and that is not the one that it read."""

    stage: str
    key: str  # with dots
    before: Any
    now: Any
    cause: Cause
    name: str = ""  # renamed: the key's name now

    @property
    def is_free(self) -> bool:
        """Whether people changed it, and no stage reads it."""
        return self.cause == "params" and self.stage == _NOBODY

    def __str__(self) -> str:
        change = f"{_short(self.before)}, now {_short(self.now)}"
        if self.cause == "renamed":
            return f"setting {self.key} is called {self.name} in this Graft; its value stays {_short(self.now)}"
        if self.cause == "gone":
            return f"setting {self.key} is none of this Graft; it was {_short(self.before)}"
        if self.cause == "default":
            return f"default of {self.key} changed: {change}; params.yaml can keep the old value"
        free = "; no bytes depend on it" if self.is_free else ""
        return f"{effective.PATH}:{self.key} modified: {change}{free}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Record:
    """What was recorded when the stages ran, and what people had written then."""

    values: Mapping[str, Any]  # effective ones, by the names of the Graft that recorded them
    wrote: Any  # of params.yaml
    commit: str  # whose code has the defaults of that time


def find(values: Mapping[str, Any], held: Release | None) -> list[ChangedSetting]:
    """Changed settings of every stage that ran, in the order of dvc.yaml, then those that no stage reads.

    Args:
        values: effective values of the working tree.
        held: the release that the tree holds.
    """
    declared = outputs.stages(Path("dvc.yaml").read_bytes(), "dvc.yaml")
    lock = Path("dvc.lock")
    locked = outputs.stages(lock.read_bytes(), "dvc.lock") if lock.is_file() else {}
    record, writes = _record(held, locked), _written(files.content(effective.PATH))
    renamed = _renamed(record.values, values)
    found = []
    for stage, spec in declared.items():
        if stage in locked:
            read = sections.complete(_under_new_names(sections.merged(record.values, _read(locked[stage])), renamed))
            found += list(_changed(stage, list(_keys(spec)), read, values, record, writes))
    known = [key for spec in declared.values() for key in _keys(spec)]
    return [*found, *_of_no_stage(record, values, renamed, known, writes)]


def since(held: Release, revision: str | None) -> list[ChangedSetting]:
    """What a params.yaml says otherwise than a release: of a commit, or of the working tree for None.

    Raises:
        GraftError: one of the files cannot be read.
    """
    declared = outputs.stages(_text(revision, "dvc.yaml") or b"", "dvc.yaml")
    given = yaml.parse(_text(revision, effective.PATH.as_posix()) or b"", str(effective.PATH)) or {}
    task = by_task.task(partial(_text, revision))
    values = effective.load() if revision is None else sections.fill(given, task)
    record = _record(held, None)
    renamed, known = _renamed(record.values, values), [key for spec in declared.values() for key in _keys(spec)]
    read = sections.complete(_under_new_names(record.values, renamed))
    stages = {key: stage for stage, spec in declared.items() for key in _keys(spec)}
    found = [one for key in dict.fromkeys(known) for one in _changed(stages[key], [key], read, values, record, given)]
    return [*found, *_of_no_stage(record, values, renamed, known, given)]


def would_write(values: Mapping[str, Any]) -> bool:
    """Whether the stage `settings` would write other bytes than those that are there."""
    return files.content(params.PATH) != files.dumps(values).encode()


def _of_no_stage(
    record: _Record, values: Mapping[str, Any], renamed: Mapping[str, str], known: list[str], writes: Any
) -> Iterator[ChangedSetting]:
    """Values that no stage reads, and keys that have another name here, or none."""
    if record.values:
        read = sections.complete(_under_new_names(record.values, renamed))
        yield from (
            change
            for change in _changed(_NOBODY, list(sections.SECTIONS), read, values, record, writes)
            if not any(change.key == key or change.key.startswith(f"{key}.") for key in known)
        )
    for key in sorted(_leaf_keys(record.values) - _known_keys()):
        if key in renamed.values():
            name = next(new for new, old in renamed.items() if old == key)
            value = at_dotted(values, name)
            yield ChangedSetting(stage=_NOBODY, key=key, before=value, now=value, cause="renamed", name=name)
        else:
            yield ChangedSetting(stage=_NOBODY, key=key, before=at_dotted(record.values, key), now=None, cause="gone")


def _changed(
    stage: str, keys: list[str], read: Any, values: Any, record: _Record, writes: Any
) -> Iterator[ChangedSetting]:
    for key in keys:
        then, now = at_dotted(read, key), at_dotted(values, key)
        if then != now:
            change = ChangedSetting(stage=stage, key=key, before=then, now=now, cause="params")
            yield from _leaves(change, record, writes)


def _leaves(change: ChangedSetting, record: _Record, writes: Any) -> Iterator[ChangedSetting]:
    """The single keys that differ in a changed section."""
    before, now = change.before, change.now
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted(before.keys() | now.keys()):
            key = f"{change.key}.{name}"
            if before.get(name) != now.get(name) and (name in now or key not in _gone(record)):
                inner = replace(change, key=key, before=before.get(name), now=now.get(name))
                yield from _leaves(inner, record, writes)
        return
    yield replace(change, cause=_cause(change, record, writes))


def _gone(record: _Record) -> set[str]:
    return _leaf_keys(record.values) - _known_keys()


def _cause(change: ChangedSetting, record: _Record, writes: Any) -> Cause:
    if at_dotted(writes, change.key, _ABSENT) is not _ABSENT:
        return "params"
    if at_dotted(record.wrote, change.key, _ABSENT) is _ABSENT:
        return "default"
    # The line was deleted: while it stated the default of that time, or in order to change the value.
    former = at_dotted(former_defaults.read(record.commit), change.key, former_defaults.UNKNOWN)
    return "default" if former == change.before else "params"


def _record(held: Release | None, locked: Mapping[str, Any] | None) -> _Record:
    """What the tree's release recorded; without one, the last run here.

    Args:
        held: the release that the tree holds.
        locked: dvc.lock's stages: they name the params.yaml that was read last; None: the release's own counts.
    """
    if held is None:
        content = files.content(params.PATH) or git.show("HEAD", params.PATH.as_posix())
        values: Any = documents.parse_object(content, str(params.PATH)) if content else {}
    else:
        values = effective.recorded(partial(git.show, held.commit), held.tag)
    commit: str | None = held.commit if held else "HEAD"
    if locked is not None:
        commit = _commit_read(locked, held.commit if held else "HEAD")
    wrote = files.content(effective.PATH) if commit is None else git.show(commit, effective.PATH.as_posix())
    return _Record(
        values=values,
        wrote=_written(wrote),
        commit=commit or "HEAD",
    )


def _commit_read(locked: Mapping[str, Any], otherwise: str) -> str | None:
    """The commit whose params.yaml the stage `settings` read last; None: the working tree's own."""
    deps = (locked.get("settings") or {}).get("deps") or []
    md5 = next((dep.get("md5") for dep in deps if dep.get("path") == effective.PATH.as_posix()), None)
    if md5 is None:
        return otherwise
    if effective.PATH.is_file() and files.md5(effective.PATH) == md5:
        return None
    last = git.run("log", "-1", "--format=%H", "--", "dvc.lock").strip()
    for commit in dict.fromkeys(filter(None, ("HEAD", last, otherwise))):
        content = git.show(commit, effective.PATH.as_posix()) or b""
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5:
            return commit
    return otherwise


def _renamed(recorded: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Keys that a record lacks -> the one of its section that this Graft lacks, and that had the value of today."""
    if not recorded:
        return {}
    had, has = _leaf_keys(recorded), _known_keys()
    found = {}
    for new in sorted(has - had):
        section = new.rpartition(".")[0]
        old = [
            key
            for key in had - has
            if key.rpartition(".")[0] == section and at_dotted(recorded, key) == at_dotted(values, new)
        ]
        if len(old) == 1:
            found[new] = old[0]
    return {new: old for new, old in found.items() if list(found.values()).count(old) == 1}


def _under_new_names(recorded: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    moved: Any = json.loads(json.dumps(recorded))
    for new, old in renamed.items():
        *path, name = old.split(".")
        place = moved
        for section in path:
            place = place.get(section, {})
        if name in place:
            place[new.rpartition(".")[2]] = place.pop(name)
    return dict(moved)


@cache
def _known_keys() -> set[str]:
    """Every setting of this Graft, with dots; what is in a value that is a mapping is none of its own."""
    return {key for name, section in sections.SECTIONS.items() for key in _fields(section, name)}


def _fields(section: type, path: str) -> Iterator[str]:
    kinds = get_type_hints(section)
    for field in dataclasses.fields(section):
        if dataclasses.is_dataclass(kinds[field.name]):
            yield from _fields(kinds[field.name], f"{path}.{field.name}")
        else:
            yield f"{path}.{field.name}"


def _leaf_keys(recorded: Mapping[str, Any]) -> set[str]:
    """The settings of a record, with dots: as deep as this Graft has sections."""
    known = _known_keys()
    inner = {key.rpartition(".")[0] for key in known}

    def walk(values: Any, path: str) -> Iterator[str]:
        for name, value in values.items():
            key = f"{path}.{name}" if path else str(name)
            if key in inner and isinstance(value, Mapping):
                yield from walk(value, key)
            elif path:
                yield key

    return set(walk(recorded, ""))


def _keys(spec: Mapping[str, Any]) -> Iterator[str]:
    """The keys of reports/params.json that a stage of dvc.yaml names."""
    for entry in spec.get("params") or []:
        if isinstance(entry, Mapping):
            yield from entry.get(params.PATH.as_posix()) or []


def _read(locked: Mapping[str, Any]) -> dict[str, Any]:
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
    try:
        return yaml.parse(content or b"", str(effective.PATH))
    except GraftError:
        return {}


def _text(revision: str | None, path: str) -> bytes | None:
    return git.show(revision, path) if revision else files.content(Path(path))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:60]}…"
