"""What columns hold, told once for all files that have them: whatever the case of their names, and file by file."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.data.detect.detect_rows import Wishes
from pipeline.data.detect.file_shape import FileShape
from pipeline.data.reading.filespec import FileSpec

Roles = dict[str, Any]  # fields of FileSpec
Told = tuple[frozenset[str], Roles]  # columns without case, empty where unknown, and what they hold
_NUMBERED = re.compile(r"c\d+")
_FEW = 0.1  # of the rows of other files


def columns(one: FileShape) -> frozenset[str]:
    """The keys that more than half of a file's rows have; of a CSV all."""
    counts = Counter(key for row in one.rows for key, value in row.items() if value is not None)
    return frozenset(one.spec.columns or (key for key, count in counts.items() if count > 0.5 * len(one.rows)))


def caseless(names: frozenset[str]) -> frozenset[str]:
    """Names of columns without case, unless they differ in nothing else."""
    folded = frozenset(name.casefold() for name in names)
    return folded if len(folded) == len(names) else names


def rows(group: Sequence[FileShape]) -> list[Mapping[str, Any]]:
    """The rows of files with the same columns, spelled as in the first one."""
    names = {name.casefold(): name for name in columns(group[0])}
    found: list[Mapping[str, Any]] = []
    for one in group:
        if columns(one) == columns(group[0]):
            found += one.rows
        else:
            found += [{names.get(key.casefold(), key): value for key, value in row.items()} for row in one.rows]
    return found


def of_specs(specs: Iterable[FileSpec]) -> list[Told]:
    """What is known of files that were read before."""
    return [
        (caseless(frozenset(spec.columns)), {"content": spec.content, "text": spec.text, "label": spec.label})
        for spec in specs
    ]


def known(one: FileShape, wishes: Wishes, told: Iterable[Told]) -> Roles | None:
    """What was told of other files that have the same text and label, where the user does not say otherwise.

    Numbers of columns, where there is no header, mean the same only in tables with as many of them.
    """
    there = caseless(columns(one))
    for theirs, said in told:
        if not said.get("text") or not said.get("label") or not _agrees(said, wishes):
            continue
        named = {said["text"].casefold(), said["label"].casefold()}
        if named <= there and (theirs == there or not any(map(_NUMBERED.fullmatch, named))):
            return said
    return None


def is_odd(group: Sequence[FileShape], others: Sequence[FileShape]) -> bool:
    """Whether files hold nothing of their own to learn: one and the same row, or few beside those of several others."""
    if any(one.spec.columns for one in group):
        return False
    found = [row for one in group for row in one.rows]
    more = sum(len(one.rows) for one in others)
    return bool(others) and (
        all(row == found[0] for row in found) or (len(others) > len(group) and len(found) <= _FEW * more)
    )


def applied(spec: FileSpec, one: FileShape, said: Roles) -> FileSpec:
    """How a file is read, with what its columns hold, spelled as the file does."""
    there = columns(one)
    names = {name.casefold(): name for name in there}

    def spelled(name: str) -> str:
        return name if name in there else names.get(name.casefold(), name)

    own = {role: said[role] and spelled(said[role]) for role in ("text", "label") if role in said}
    keys = {role: spelled(name) for role, name in said.get("keys", {}).items()}
    return replace(spec, **(said | own | ({"keys": keys} if keys else {})))


def _agrees(said: Roles, wishes: Wishes) -> bool:
    asked = [(getattr(wishes, name), said.get(name)) for name in ("text", "label", "content")]
    return wishes.template is None and all(wish in (None, value) for wish, value in asked)
