"""What the working tree changes of its parent's rules: from the gate's record, else from the parent's tag in git."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.chain.commits import git
from pipeline.common import files, params, sources
from pipeline.common.errors import GraftError
from pipeline.evaluation import predictions
from pipeline.gate import basis
from pipeline.gate.basis import Basis
from pipeline.gate.settings import GateSettings
from pipeline.settings import effective

CHANGES = Path("reports/changes.json")
PREDICTIONS = Path("reports/predictions.json")
PARENT = Path("models/parent")
GOLDEN = "data/golden"
EMPTY: dict[str, Any] = {"items": []}


def judged() -> dict[str, Any]:
    """The content of changes.json; a parent that recorded no rules is compared by its tag."""
    recorded: dict[str, Any] = files.read_json(CHANGES)
    theirs = None if recorded["recorded"] else _of_tag(recorded["parent"])
    if theirs is None:
        return recorded
    former = basis.parent(PARENT)
    if PREDICTIONS.is_file() and former is not None:
        return _compare(replace(theirs, golden=former.golden), recorded["parent"], predictions.read(PREDICTIONS))
    return _compare(theirs, recorded["parent"], None) | {key: recorded[key] for key in ("golden", "must_pass")}


def unjudged(release: str | None) -> dict[str, Any]:
    """What a tree whose gate has not run changes of a release: rules, code and files, golden ones too; no verdict.

    Empty for None, and where this clone has no tag of that release.
    """
    theirs = _of_tag(release, GOLDEN) if release else None
    return _compare(theirs, release, None, GOLDEN) if theirs else {}


def evaluated(revision: str | None) -> dict[str, str]:
    """Path -> SHA-256 of the files in git that the stage `evaluate` reads at a revision; None: in the working tree."""
    if revision is None:
        return sources.stage_hashes("evaluate")
    return _hashes(revision, sources.dependencies(git.show(revision, "dvc.yaml") or b"", "evaluate"))


def _compare(theirs: Basis, release: str | None, content: Any, *more: str) -> dict[str, Any]:
    from pipeline.gate import changes  # numpy: only where something is compared

    everything = effective.load()
    ours = basis.candidate(everything["gate"], sources.stage_hashes("gate"), content or EMPTY)
    evaluated = sources.stage_hashes("evaluate") | sources.hashes(more)
    ours = replace(ours, evaluated=evaluated, settings=basis.settings(everything))
    return changes.compare(ours, theirs, release, content)


def _of_tag(tag: str, *more: str) -> Basis | None:
    """Rules, code and files of a tag's tree, without golden items; None without the tag, or where it is unreadable."""
    dvc_yaml = git.show(tag, "dvc.yaml")
    try:
        everything = effective.of_commit(partial(git.show, tag), tag)
        params.build(GateSettings, everything["gate"])
    except GraftError:
        return None
    if dvc_yaml is None:
        return None
    code, evaluated = (sources.dependencies(dvc_yaml, stage) for stage in ("gate", "evaluate"))
    return Basis(
        gate=everything["gate"],
        gate_code=_hashes(tag, code),
        evaluated=_hashes(tag, [*evaluated, *more]),
        settings=basis.settings(everything),
        golden={},
    )


def _hashes(tag: str, deps: Sequence[str]) -> dict[str, str]:
    """Path -> SHA-256 of every file at or below these paths in a tag's tree; no path names no file."""
    paths = git.run("ls-tree", "-r", "--name-only", "-z", tag, "--", *deps).split("\0") if deps else []
    named = [path for path in paths if path]
    contents = git.contents(f"{tag}:{path}" for path in named)
    return {path: hashlib.sha256(text or b"").hexdigest() for path, text in zip(named, contents, strict=True)}
