"""Settings of the stage `merge`."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeSettings:
    """Section `merge` of params.yaml."""

    dtype: str = "float32"  # of the published weights
    keep: str = "full"  # full | on-demand: what a release pushes; changes no byte, so no stage depends on it
    max_logit_error: float = 1e-3  # merged against base + adapter, before rounding
