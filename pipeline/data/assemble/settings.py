"""Settings of the stage `assemble`."""

from dataclasses import dataclass, field

from pipeline.data.augment.settings import AugmentSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class AssembleSettings:
    """Section `assemble` of params.yaml."""

    eval_share: float = 0.15  # of an increment's records
    slice_items: int = 1500  # per slice, at most
    max_slices: int = 20  # golden ones not counted
    reservoir: int = 3000  # records; docs/decisions/replay.md compares sizes
    suspects: str | None = None  # a file of predictions, see pipeline.data.assemble.suspects
    augment: AugmentSettings = field(default_factory=AugmentSettings)
