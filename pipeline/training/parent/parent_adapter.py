"""The parent's adapter, opened once: its folder, and what it says of itself. Loads no torch."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.model.adapter import saved_adapter
from pipeline.model.adapter.saved_adapter import SavedAdapter
from pipeline.model.base.pinned import Base


@dataclass(frozen=True, kw_only=True, slots=True)
class ParentAdapter:
    """An adapter that a training continues, or stands on."""

    folder: Path
    has: SavedAdapter  # method, settings, modules


def open_parent(folder: Path, base: Base) -> ParentAdapter:
    """The adapter in a folder.

    Raises:
        GraftError: it was trained on another base than the pinned one.
    """
    return ParentAdapter(folder=folder, has=saved_adapter.check_base(folder, base))
