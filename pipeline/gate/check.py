"""One finding of the gate: a line of `checks` in verdict.json."""

from dataclasses import asdict, dataclass, replace
from typing import Any

PASS, FAIL, INCONCLUSIVE, UNDECIDED, UNCHECKED = "pass", "fail", "inconclusive", "undecided", "unchecked"
LOSSES = "losses"  # a verdict alone: too much was cut
DIGITS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One metric of one slice against one thing. Numbers are in the metric's unit; None: it does not apply."""

    slice: str  # all: every slice pooled
    metric: str
    against: str  # floor | parent | anchor | base
    candidate: float | None = None
    reference: float | None = None  # the parent's, anchor's or base's value, or the floor
    difference: float | None = None  # candidate - reference
    low: float | None = None  # one-sided bounds of the difference
    high: float | None = None
    margin: float | None = None  # how much worse it may be
    p_value: float | None = None  # that it is worse; of slices after Holm's correction
    items: int = 0
    sources: int = 0  # independent ones among them: variants of one text count together; 0: nothing is compared
    discordant: int | None = None  # items on which the two say otherwise
    detectable: float | None = None  # the difference that so many sources tell
    needed: int | None = None  # sources that would tell a difference of `margin`
    method: str | None = None  # identical | tango | bootstrap
    status: str = PASS
    reason: str | None = None  # why it is not pass

    def but(self, status: str, reason: str | None = None) -> "Check":
        """The same check with another outcome."""
        return replace(self, status=status, reason=reason)

    def plain(self) -> dict[str, Any]:
        """As it stands in verdict.json; floats rounded to 6 digits."""
        found = asdict(self)
        return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in found.items()}
