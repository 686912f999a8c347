"""Settings of the stage `gate`: which metric of which slice is held to what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SliceRules = Mapping[str, Mapping[str, float | None]]  # metric -> at_least and may_drop, or at_most and may_rise


def _rules() -> dict[str, Any]:
    """For all items together, for each slice, and by name in place of each_slice.

    accuracy, macro_f1 and preference_accuracy lie in 0..1; loss is in nats per learned token.
    """
    return {
        "all": {
            "accuracy": {"at_least": 0.6, "may_drop": 0.02},
            "macro_f1": {"at_least": 0.5, "may_drop": 0.03},
            "loss": {"at_most": None, "may_rise": 0.05},
            "preference_accuracy": {"at_least": 0.0, "may_drop": 0.03},
        },
        "each_slice": {
            "accuracy": {"at_least": 0.5, "may_drop": 0.05},
            "macro_f1": {"at_least": 0.3, "may_drop": 0.08},
            "loss": {"at_most": None, "may_rise": 0.1},
            "preference_accuracy": {"at_least": 0.0, "may_drop": 0.08},
        },
        "slices": {},
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSettings:
    """Section `gate` of params.yaml."""

    confidence: float = 0.95  # of one-sided bounds
    rules: Mapping[str, Any] = field(default_factory=_rules)  # for `all`, `each_slice`, and by name in `slices`
    critical: Sequence[str] = ()  # slices that must be shown not to be worse, however small
    inconclusive: str = "block"  # block | warn | override
    unchecked: str = "block"  # block | accept: what has neither a floor nor anything that it is compared with
    unchecked_reason: str | None = None  # why it is accepted; every report shows it
    override: Mapping[str, str] | None = None  # who, why, release
    anchor: str | None = None  # a release; models.lock says what it resolved to
    fail_alpha: float = 0.025  # how often a candidate that is no worse may be called worse, over all slices
    examples: int = 10  # shown in report.md with their texts, of each sort

    @property
    def accepts(self) -> bool:
        """Whether somebody answers for what nothing checks: with a reason, or not at all."""
        return self.unchecked == "accept" and bool((self.unchecked_reason or "").strip())
