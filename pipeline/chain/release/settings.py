"""Settings of `graft release`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Limit = Mapping[str, float | None]  # at_most: in the metric's unit; may_rise: share of the parent's


def _limits() -> dict[str, Limit]:
    return {name: {"at_most": None, "may_rise": None} for name in ("p50_ms", "p95_ms", "memory_gb")}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseSettings:
    """Section `release` of params.yaml."""

    require: str = "recomputed"  # recomputed | rescored | rebuilt
    limits: Mapping[str, Limit] = field(default_factory=_limits)
