"""Whether what a release's commit holds in git is what its stages read: dvc.lock names each hash and each value.

`dvc status` says so of the working tree, and of no other commit.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from pipeline.chain.commits import git, outputs
from pipeline.chain.lock import lockfile
from pipeline.chain.store import visible_files
from pipeline.chain.verify.manifest_check import Commit, Finding
from pipeline.common import documents, params, yaml
from pipeline.common.errors import GraftError

PARAMS = ("params.yaml", params.PATH.as_posix(), lockfile.PATH.as_posix())
_ABSENT = object()
HELP = (
    "graft plan names files that stages read and git does not keep; after a change of one, dvc repro; "
    "then commit, and graft release"
)


def findings(commit: Commit, revision: str) -> list[Finding]:
    """Files and values that are not those that dvc.lock says the stages read, or of which it says nothing.

    Args:
        commit: what the revision says of its outputs.
        revision: a tag or a commit.
    """
    declared = outputs.stages(git.show(revision, "dvc.yaml") or b"", f"{revision}:dvc.yaml")
    locked = outputs.stages(git.show(revision, "dvc.lock") or b"", f"{revision}:dvc.lock")
    found = [
        *_unrecorded(declared, locked, commit.lock.increment),
        *_dependencies(commit, revision, locked),
        *_params(revision, locked),
        *_stated(revision),
    ]
    return list(dict.fromkeys(found))  # a dependency of several stages once


def _unrecorded(declared: dict[str, Any], locked: dict[str, Any], increment: str) -> Iterator[Finding]:
    """What dvc.yaml makes a stage read and dvc.lock does not know."""
    for name, stage in declared.items():
        record = locked.get(name) or {}
        known = {str(dep.get("path")) for dep in record.get("deps") or [] if isinstance(dep, dict)}
        deps = {str(dep).replace("${increment}", increment) for dep in stage.get("deps") or []}
        yield from (_wrong(dep, f"its md5 in dvc.lock for stage {name}", "none") for dep in sorted(deps - known))
        for path, key in _declared_params(stage):
            if key not in _recorded(record, path):
                yield _wrong(path, f"{key} in dvc.lock for stage {name}", "none")


def _declared_params(stage: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(file, key) of each value that a stage of dvc.yaml reads."""
    for entry in stage.get("params") or []:
        if isinstance(entry, dict):
            yield from ((str(path), str(key)) for path, keys in entry.items() for key in keys or [])
        else:
            yield PARAMS[0], str(entry)


def _recorded(record: dict[str, Any], path: str) -> dict[str, Any]:
    """Values of a file that dvc.lock has for a stage."""
    files = record.get("params")
    values = files.get(path) if isinstance(files, dict) else None
    return {str(key): value for key, value in values.items()} if isinstance(values, dict) else {}


def _dependencies(commit: Commit, revision: str, stages: dict[str, Any]) -> Iterator[Finding]:
    made = {output.path: output.md5 for output in commit.outputs}
    raw = f"{commit.lock.increment}/raw"
    locked = [dep for stage in stages.values() for dep in stage.get("deps") or [] if isinstance(dep, dict)]
    named = {(str(dep.get("path")), str(dep.get("md5"))) for dep in locked}
    of_git = sorted(path for path, _ in named if path not in {*made, raw})
    held = made | {raw: commit.raw or "nothing"} | dict(zip(of_git, _md5s(revision, of_git), strict=True))
    for path, md5 in sorted(named):
        if path in held and held[path] != md5:
            yield _wrong(path, f"md5 {md5} of dvc.lock", "nothing" if held[path] == "nothing" else f"md5 {held[path]}")


def _md5s(revision: str, paths: list[str]) -> Iterator[str]:
    """DVC's hash of each path as git holds it; "nothing" where it is absent."""
    members: dict[str, list[str]] = {path: [] for path in paths}
    blobs = git.blobs(revision)
    is_hidden = visible_files.hidden_by(git.show(revision, visible_files.NAME) or b"")
    below = {
        name: {name, *(folder.as_posix() for folder in PurePosixPath(name).parents)} & members.keys() for name in blobs
    }
    for name, known in below.items():
        if not known or is_hidden(name):
            continue
        for path in known:
            members[path].append(name)
    names = [name for some in members.values() for name in some]
    contents = git.contents(blobs[name] for name in names)
    md5s = {name: _md5(content or b"") for name, content in zip(names, contents, strict=True)}
    for path, some in members.items():
        yield md5s[path] if some == [path] else _folder(path, {name: md5s[name] for name in some})


def _folder(path: str, md5s: dict[str, str]) -> str:
    """The MD5 of a folder's listing, as DVC writes it: its files by their parts, as JSON."""
    if not md5s:
        return "nothing"
    files = {PurePosixPath(name).relative_to(path).parts: md5 for name, md5 in md5s.items()}
    listing = [{"md5": md5, "relpath": "/".join(parts)} for parts, md5 in sorted(files.items())]
    return f"{_md5(json.dumps(listing, sort_keys=True).encode())}.dir"


def _params(revision: str, stages: dict[str, Any]) -> Iterator[Finding]:
    """Values that a stage read, and that are others in the file."""
    for path in PARAMS:
        read = [item for record in stages.values() for item in _recorded(record, path).items()]
        if not read:
            continue
        try:
            document = yaml.parse(git.show(revision, path) or b"", f"{revision}:{path}")
        except GraftError as error:
            yield _wrong(path, "the values of dvc.lock", error.message)
            continue
        for key, value in read:
            held = documents.at_dotted(document, key, _ABSENT)
            if held is _ABSENT or held != value:
                found = "no such key" if held is _ABSENT else _short(held)
                yield _wrong(path, f"{key}: {_short(value)} of dvc.lock", found)


def _stated(revision: str) -> Iterator[Finding]:
    """Values that params.yaml states, and that the record of all values has otherwise."""
    recorded = git.show(revision, params.PATH.as_posix())
    if recorded is None:  # an older Graft's commit
        return
    try:
        given = yaml.parse(git.show(revision, PARAMS[0]) or b"", f"{revision}:{PARAMS[0]}")
        held = yaml.parse(recorded, f"{revision}:{params.PATH}")
    except GraftError as error:
        yield _wrong(PARAMS[0], f"the values of {params.PATH}", error.message)
        return
    for key, value in _leaves(given, ""):
        if (found := documents.at_dotted(held, key, _ABSENT)) not in (value, _ABSENT if value is None else value):
            if value is None and isinstance(found, dict):  # a section whose keys are commented out
                continue
            yield _wrong(PARAMS[0], f"{key}: {_short(found)} of {params.PATH}", _short(value))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif path and value != {}:
        yield path, value


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _wrong(path: str, expected: str, found: str) -> Finding:
    return Finding(path=path, place="git", problem="wrong", expected=expected, found=found)
