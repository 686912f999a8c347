"""Why `dvc status` calls a pipeline stale, in the words that decide what happens next."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Status = dict[str, list[Any]]  # stage -> what dvc status lists under it


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One thing that changed for one stage."""

    stage: str
    kind: str  # code | toolchain | params | lock | data | output
    name: str  # the file or key

    def __str__(self) -> str:
        return f"{self.stage}: {self.name}"


def reasons(status: Status) -> list[Reason]:
    """Every change that dvc status lists."""
    return [reason for stage, entries in status.items() for entry in entries for reason in _of(stage, entry)]


def upgraded_only(found: list[Reason]) -> bool:
    """Whether code or toolchain moved on and nothing that people asked for did.

    Such a change alone never retrains a released increment: the next candidate picks it up.
    """
    return bool(found) and all(reason.kind in {"code", "toolchain"} for reason in found)


def outputs_absent(found: list[Reason]) -> bool:
    """Whether nothing changed and only files are missing here, as in a fresh clone."""
    return bool(found) and all(reason.kind == "output" for reason in found)


def _of(stage: str, entry: Any) -> Iterator[Reason]:
    if not isinstance(entry, dict):
        yield Reason(stage=stage, kind="code", name=str(entry))  # "changed command"
        return
    for what, items in entry.items():
        for path, change in items.items():
            if what == "changed outs":
                kind = "data" if stage.endswith(".dvc") and change == "modified" else "output"
                yield Reason(stage=stage, kind=kind, name=f"{path} {change}")
            elif isinstance(change, dict):
                yield from (_key(stage, path, key, state) for key, state in change.items())
            else:
                yield Reason(stage=stage, kind=_kind(path), name=f"{path} {change}")


def _key(stage: str, path: str, key: str, state: str) -> Reason:
    if path == "models.lock":
        kind = "toolchain" if key.split(".", maxsplit=1)[0] == "toolchain" else "lock"
    else:
        kind = "params"
    return Reason(stage=stage, kind=kind, name=f"{path}:{key} {state}")


def _kind(path: str) -> str:
    return "code" if path.startswith(("pipeline/", "schemas/")) else "data"
