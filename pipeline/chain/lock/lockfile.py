"""models.lock: what params.yaml resolved to. Read by stages, written only by `graft`."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.common import documents, files, schema
from pipeline.common.errors import GraftError

PATH = Path("models.lock")
VERSION = 1
_RESTORE = (
    "never merge it as text; in a merge or rebase `graft lock --parent latest` settles it; "
    "git checkout -- models.lock brings the committed one back"
)
# Values that the schema takes wherever it takes another one of their kind.
_VALUES = re.compile(
    r'(?<=: ")(?:(?P<release>v[0-9]+\.[0-9]+\.[0-9]+)|(?P<md5>[0-9a-f]{32})|(?P<commit>[0-9a-f]{40})'
    r'|(?P<increment>data/increments/[A-Za-z0-9][A-Za-z0-9._-]*))(?=(?:\.dir)?")'
)
_valid_shapes: set[str] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Requested:
    """What params.yaml asked for when the base was resolved."""

    source: str  # builtin | hf:ORG/NAME | path:DIR
    revision: str | None  # hf: branch, tag or commit


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """The base that it resolved to."""

    revision: str | None  # hf: commit, 40 hex digits
    sha256: dict[str, str]  # file -> 64 hex digits


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedBase:
    """The pretrained model, pinned."""

    requested: Requested
    resolved: Resolved


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedParent:
    """The release before this candidate."""

    release: str  # v1.0.0
    commit: str  # 40 hex digits; provenance only, never needed to fetch
    state: dict[str, dict[str, str]]  # output path -> {"md5": DVC's hash}


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """A release pinned by people, against which slow decline is measured."""

    release: str
    state: dict[str, dict[str, str]]  # what scores with it, and what it said: pipeline.chain.commits.outputs.ANCHOR


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """The whole of models.lock."""

    base: LockedBase
    parent: LockedParent | None
    anchor: Anchor | None
    increment: str  # data/increments/NAME
    toolchain: dict[str, str]  # what changes bytes -> version


def load(path: Path = PATH) -> Lock:
    """Read models.lock.

    Raises:
        GraftError: missing, not JSON (a merge conflict, say), of a newer format, or against its schema.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GraftError(f"{path}: {error.strerror}", help="git checkout -- models.lock") from None
    return parse(content, str(path))


def parse(content: bytes, where: str = "models.lock") -> Lock:
    """A lock from its bytes; `where` names it in errors. Raises like `load`."""
    value = documents.parse(content, where, help=_RESTORE)
    text = content.decode()
    if isinstance(value, dict) and isinstance(value.get("version"), int) and value["version"] > VERSION:
        raise GraftError(
            f"{where}: $.version: {value['version']} is newer than this Graft reads ({VERSION})",
            help="use the Graft that the commit's own pipeline/ holds",
        )
    shape = _VALUES.sub(lambda match: f"\0{match.lastgroup}", text)  # \0: no JSON string holds it
    if shape not in _valid_shapes:  # a chain has a thousand locks that differ in such values alone
        found = schema.problems(value, "models.lock")
        if found:
            raise GraftError(f"{where}: {found[0]}", found[1:], help="see schemas/models.lock.schema.json")
        _valid_shapes.add(shape)
    return _from_json(value)


def dumps(lock: Lock) -> str:
    """The exact text of models.lock: `parse(dumps(lock)) == lock`."""
    return files.dumps({"version": VERSION, **asdict(lock)})


def save(lock: Lock, path: Path = PATH) -> None:
    """Replace models.lock in one step."""
    files.write_text(path, dumps(lock))


def _from_json(value: dict[str, Any]) -> Lock:
    parent, anchor = value["parent"], value["anchor"]
    return Lock(
        base=LockedBase(
            requested=Requested(**value["base"]["requested"]), resolved=Resolved(**value["base"]["resolved"])
        ),
        parent=None if parent is None else LockedParent(**parent),
        anchor=None if anchor is None else Anchor(**anchor),
        increment=value["increment"],
        toolchain=value["toolchain"],
    )
