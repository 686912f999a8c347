"""Why `dvc status` calls a pipeline stale, in the words that decide what happens next."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Status = dict[str, list[Any]]  # stage -> what dvc status lists under it


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One thing that changed for one stage."""

    stage: str
    kind: str  # code | toolchain | params | lock | data | output (of a stage, or data that is not here)
    name: str  # the file or key

    def __str__(self) -> str:
        return f"{self.stage}: {self.name}"


def reasons(status: Status) -> list[Reason]:
    """Every change that dvc status lists."""
    return [reason for stage, entries in status.items() for entry in entries for reason in _of(stage, entry)]


def upgraded(found: list[Reason]) -> bool:
    """Whether code or toolchain moved on and nothing that people asked for did.

    Such a change alone never retrains a released increment: the next candidate picks it up.
    """
    kinds = {reason.kind for reason in found}
    return bool(kinds & {"code", "toolchain"}) and kinds <= {"code", "toolchain", "output"}


def only_outputs(found: list[Reason]) -> bool:
    """Whether nothing was changed and only outputs are missing here, as in a fresh clone."""
    return bool(found) and all(reason.kind == "output" for reason in found)


def words(found: list[Reason]) -> list[str]:
    """The reasons for a person: one line a cause, with the stages that it touches; outputs in one line."""
    causes: dict[str, list[str]] = {}
    for reason in found:
        if reason.kind != "output":
            causes.setdefault(reason.name, []).append(reason.stage)
    lines = [f"{name} ({', '.join(stages)})" for name, stages in causes.items()]
    absent = {reason.stage for reason in found if reason.kind == "output" and not reason.stage.endswith(".dvc")}
    return lines + ([f"outputs of {len(absent)} stages are not here, or are other ones"] if absent else [])


def would_run(stages: dict[str, Any], status: Status) -> list[str]:
    """Stages that `dvc repro` would run at most: the stale ones and what depends on their outputs.

    Computed and not asked of `dvc repro --dry`, which gives up at the first file that is not here.

    Args:
        stages: dvc.yaml's stages, each below those that it depends on, `${increment}` filled in.
        status: what dvc status says.
    """
    running: list[str] = []
    paths = {Path(stage).with_suffix("").as_posix() for stage in status if stage.endswith(".dvc")}
    for name, stage in stages.items():
        if name in status or any(_touches(dep, path) for dep in stage.get("deps") or [] for path in paths):
            running.append(name)
            paths |= {out if isinstance(out, str) else next(iter(out)) for out in stage["outs"]}
    return running


def _touches(dep: str, path: str) -> bool:
    return dep == path or dep.startswith(f"{path}/") or path.startswith(f"{dep}/")


def _of(stage: str, entry: Any) -> Iterator[Reason]:
    if not isinstance(entry, dict):
        yield Reason(stage=stage, kind="code", name=str(entry))  # "changed command"
        return
    for items in entry.values():
        for path, change in items.items():
            if isinstance(change, dict):
                yield from (_key(stage, path, key, state) for key, state in change.items())
            else:
                yield Reason(stage=stage, kind=_kind(path, change), name=f"{path} {change}")


def _key(stage: str, path: str, key: str, state: str) -> Reason:
    if path == "models.lock":
        kind = "toolchain" if key.split(".", maxsplit=1)[0] == "toolchain" else "lock"
    else:
        kind = "params"
    return Reason(stage=stage, kind=kind, name=f"{path}:{key} {state}")


def _kind(path: str, change: str) -> str:
    if path.startswith(("pipeline/", "schemas/")):
        return "code"
    given = path.startswith(("data/increments/", "data/golden", "examples/"))
    return "data" if given and change not in {"deleted", "not in cache"} else "output"
