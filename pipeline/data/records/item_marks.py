"""What people say of golden items beside text and answer: which must pass, and which are variants of one source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.common import files

NAME = "golden.json"  # beside the slices
PREFIX = "golden-"  # of their slices' names


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """Marks of items, by id."""

    must_pass: frozenset[str] = frozenset()
    clusters: Mapping[str, str] = field(default_factory=dict)  # id -> what its variants have in common


def write(folder: Path, marks: Marks) -> None:
    """Write the marks beside the slices of a folder."""
    files.write_json(folder / NAME, {"must_pass": sorted(marks.must_pass), "clusters": dict(marks.clusters)})


def read(folder: Path) -> Marks:
    """The marks of a folder of slices; none where an older Graft wrote it."""
    if not (folder / NAME).exists():
        return Marks()
    found = files.read_json(folder / NAME)
    return Marks(must_pass=frozenset(found["must_pass"]), clusters=found["clusters"])
