"""The state that a parent release hands on: its index, reservoir, slices and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pipeline.common import files
from pipeline.data.assemble import slices
from pipeline.data.index import index
from pipeline.data.index.index import Index
from pipeline.data.records import arrow
from pipeline.data.records.arrow import SCHEMA

PARENT = Path("models/parent")


@dataclass(frozen=True, kw_only=True, slots=True)
class ParentState:
    """The state of a parent; empty before the first release."""

    index: Index = field(default_factory=Index)
    reservoir: pa.Table = field(default_factory=SCHEMA.empty_table)
    slices: Mapping[str, pa.Table] = field(default_factory=dict)  # oldest first, no golden ones
    labels: Sequence[str] = ()


def load(folder: Path = PARENT) -> ParentState:
    """The parent's state, as the stage `parent` laid it out.

    Raises:
        GraftError: its index is damaged or of another kind.
    """
    if (folder / "NONE").exists():
        return ParentState()
    return ParentState(
        index=index.load(folder / "index"),
        reservoir=arrow.read_table(folder / "reservoir.arrow"),
        slices=slices.read(folder / "slices"),
        labels=files.read_json(folder / "labels.json"),
    )
