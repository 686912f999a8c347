"""Why a pipeline is stale, in the words that decide what happens next: what `dvc status` says, and changed settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.chain.candidate import changed_settings
from pipeline.chain.commits import git, outputs
from pipeline.chain.history.releases import Release
from pipeline.chain.store import tracking
from pipeline.chain.store.objects import Store
from pipeline.common import files, params
from pipeline.common.words import counted
from pipeline.settings import effective

Status = dict[str, list[Any]]  # stage -> what dvc status lists under it
SETTINGS = "settings"  # the stage
CODE = ("pipeline/", "schemas/")
MOST = 20  # causes that are named
SHOWN = 12  # changed files by name; of more, how many each folder has


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One thing that changed for one stage."""

    stage: str
    # code | toolchain | default (or name of a setting, that this Graft has otherwise) | params | free (of params.yaml,
    # read by no stage) | restated (params.yaml, to the same values) | lock | data | output (of a stage, or data that is
    # not here)
    kind: str
    name: str  # the file or key

    def __str__(self) -> str:
        return f"{self.stage}: {self.name}"


def find(store: Store, held: Release | None) -> list[Reason]:
    """Every reason why a stage of the working tree would run.

    Settings are compared by their effective values, whatever `dvc status` says of the files: what a release states
    and what a later Graft has as a default may be the same.

    Args:
        store: the repository's objects.
        held: the release that the tree holds.
    """
    declared, locked = (_stages(name) for name in ("dvc.yaml", "dvc.lock"))
    told = [reason for reason in reasons(tracking.stale(store), declared) if not _is_settings_value(reason)]
    listed = list(dict.fromkeys(_listed_anew(reason, declared, locked) for reason in told))
    changed = [
        Reason(stage=one.stage, kind=_kind_of_setting(one), name=str(one))
        for one in changed_settings.find(effective.load(), held)
    ]
    stages = list(declared)
    found = [*listed, *changed]
    return sorted(found, key=lambda reason: stages.index(reason.stage) if reason.stage in stages else -1)


def _stages(name: str) -> dict[str, dict[str, Any]]:
    content = files.content(Path(name))
    return outputs.stages(content, name) if content else {}


def _listed_anew(reason: Reason, declared: Mapping[str, Any], locked: Mapping[str, Any]) -> Reason:
    """A stage, a dependency or an output that dvc.lock does not know is a change of dvc.yaml, whatever it is."""
    if reason.stage not in declared:
        return reason
    if reason.stage not in locked:
        return replace(reason, kind="code", name="a new stage")
    path = reason.name.partition(" ")[0]
    entries = [entry for part in ("deps", "outs") for entry in locked[reason.stage].get(part) or []]
    known = {str(entry.get("path")) for entry in entries if isinstance(entry, dict)}
    if reason.kind not in ("code", "data", "restated", "output") or path in known or " " not in reason.name:
        return reason
    return replace(reason, kind="code", name=f"{path} is new in dvc.yaml")


def _is_settings_value(reason: Reason) -> bool:
    """What is said of reports/params.json, whose values are compared one by one."""
    return reason.name.startswith(f"{params.PATH}:") or (
        reason.stage != SETTINGS and reason.name.startswith((f"{params.PATH} ", f"{effective.PATH}:"))
    )


def _kind_of_setting(change: changed_settings.ChangedSetting) -> str:
    if change.cause != "params":
        return "default"
    return "free" if change.is_free else "params"


def reasons(status: Status, declared: Mapping[str, Any]) -> list[Reason]:
    """Every change that dvc status lists.

    Args:
        status: what it says.
        declared: dvc.yaml's stages.
    """
    written = {path for stage in declared.values() for path in _outputs(stage)}
    return [reason for stage, entries in status.items() for entry in entries for reason in _of(stage, entry, written)]


def _outputs(stage: Mapping[str, Any]) -> set[str]:
    return {out if isinstance(out, str) else next(iter(out)) for out in stage.get("outs") or []}


def upgraded(found: Sequence[Reason]) -> bool:
    """Whether code, its defaults or the toolchain moved on and nothing that people asked for did.

    Such a change alone never retrains a released increment: the next candidate picks it up.
    """
    kinds = {reason.kind for reason in found}
    return bool(kinds & {"code", "default", "toolchain"}) and kinds <= {
        "code", "default", "toolchain", "output", "restated", "free",
    }  # fmt: skip


def restated(found: Sequence[Reason]) -> bool:
    """Whether params.yaml says the same values in other words, but for those that no stage reads; nothing else."""
    kinds = {reason.kind for reason in found}
    return "restated" in kinds and kinds <= {"restated", "free", "output"}


def has_free(found: Sequence[Reason]) -> bool:
    """Whether people changed settings that no stage reads."""
    return any(reason.kind == "free" for reason in found)


def only_outputs(found: Sequence[Reason]) -> bool:
    """Whether nothing was changed and only outputs are missing here, as in a fresh clone."""
    return bool(found) and all(reason.kind == "output" for reason in found)


def as_released(found: Sequence[Reason]) -> bool:
    """Whether nothing of these makes another candidate of a release that the tree holds."""
    return upgraded(found) or restated(found) or only_outputs(found) or not found


def words(found: Sequence[Reason]) -> list[str]:
    """The reasons for a person: one line a cause, with the stages that it touches; outputs in one line."""
    causes: dict[str, list[str]] = {}
    for reason in sorted(found, key=lambda reason: reason.kind == "code"):  # what people asked for comes first
        if reason.kind != "output":
            causes.setdefault(reason.name, []).append(reason.stage)
    lines = [f"{name} ({', '.join(dict.fromkeys(stages))})" for name, stages in causes.items()]
    more = len(lines) - MOST
    lines = [*lines[:MOST], *([f"and {more} more causes"] if more > 0 else [])]
    absent = {reason.stage for reason in found if reason.kind == "output" and not reason.stage.endswith(".dvc")}
    return lines + ([f"outputs of {len(absent)} stages are not here, or are other ones"] if absent else [])


def by_file(found: Sequence[Reason]) -> list[Reason]:
    """The reasons, with the changed files in place of a folder of code: by name where they are few, else counted."""
    folders = {reason.name.partition(" ")[0] for reason in found if reason.kind == "code"}
    changed = {folder: _changed_since_locked(folder) for folder in folders if Path(folder).is_dir()}
    are_few = len({path for paths in changed.values() for path in paths}) <= SHOWN
    return [one for reason in found for one in _by_file(reason, changed, are_few=are_few)]


def _by_file(reason: Reason, changed: Mapping[str, list[str]], *, are_few: bool) -> list[Reason]:
    folder = reason.name.partition(" ")[0]
    paths = changed.get(folder) if reason.kind == "code" else None
    if not paths:
        return [reason]
    names = [f"{path} modified" for path in paths] if are_few else [f"{folder}: {counted(len(paths), 'file')} changed"]
    return [replace(reason, name=name) for name in names]


def _changed_since_locked(folder: str) -> list[str]:
    """Files below a folder that are not as in the commit that last wrote dvc.lock."""
    locked = git.run("log", "-1", "--format=%H", "--", "dvc.lock").strip()
    if not locked:
        return []
    tracked = git.run("diff", "--name-only", "-z", locked, "--", folder).split("\0")
    new = git.run("ls-files", "--others", "--exclude-standard", "-z", "--", folder).split("\0")
    return sorted({*tracked, *new} - {""})


def would_run(stages: dict[str, Any], stale: set[str]) -> list[str]:
    """Stages that `dvc repro` would run at most: the stale ones and what depends on their outputs.

    Computed and not asked of `dvc repro --dry`, which gives up at the first file that is not here.

    Args:
        stages: dvc.yaml's stages, each below those that it depends on, `${increment}` filled in.
        stale: names of stages and .dvc files with a reason to run.
    """
    running: list[str] = []
    paths = {Path(stage).with_suffix("").as_posix() for stage in stale if stage.endswith(".dvc")}
    for name, stage in stages.items():
        if name in stale or any(_touches(dep, path) for dep in stage.get("deps") or [] for path in paths):
            running.append(name)
            if name != SETTINGS or changed_settings.would_write(effective.load()):
                paths |= _outputs(stage)
    return running


def _touches(dep: str, path: str) -> bool:
    return dep == path or dep.startswith(f"{path}/") or path.startswith(f"{dep}/")


def _of(stage: str, entry: Any, written: set[str]) -> Iterator[Reason]:
    if not isinstance(entry, dict):
        yield Reason(stage=stage, kind="code", name=str(entry))  # "changed command"
        return
    for items in entry.values():
        for path, change in items.items():
            if isinstance(change, dict):
                yield from (_key(stage, path, key, state) for key, state in change.items())
            else:
                yield Reason(stage=stage, kind=_kind(path, change, written), name=f"{path} {change}")


def _key(stage: str, path: str, key: str, state: str) -> Reason:
    if path == "models.lock":
        kind = "toolchain" if key.split(".", maxsplit=1)[0] == "toolchain" else "lock"
    else:
        kind = "params"
    return Reason(stage=stage, kind=kind, name=f"{path}:{key} {state}")


def _kind(path: str, change: str, written: set[str]) -> str:
    if path.startswith(CODE):
        return "code"
    if path == str(effective.PATH):
        return "restated"
    absent = path.startswith("data/increments/") and change in {"deleted", "not in cache"}  # dvc pull brings it
    return "output" if path in written or absent else "data"
