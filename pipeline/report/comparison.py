"""The gate's checks as rows of a table: one for each slice and metric, what needs a look first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.parts.measures import lower_is_better, number, signed

Check = Mapping[str, Any]  # of verdict.json; here with `lower`: whether lower is better

STATES = ("fail", "inconclusive", "unchecked", "undecided", "pass")  # the first that holds is a row's
SIGNS = {"fail": "✗", "inconclusive": "?", "unchecked": "?", "undecided": "–", "pass": "✓"}
BETTER, WORSE, SAME, OPEN = ("▲", "better"), ("▼", "worse"), ("=", "the same"), ("≈", "may be chance")


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonRow:
    """One metric of one slice, against all that it was held against."""

    slice: str  # all: every slice pooled
    metric: str
    checks: Mapping[str, Check]  # by what the candidate is compared with: floor, parent, anchor, base

    @property
    def status(self) -> str:
        """The worst of its checks'."""
        found = [check["status"] for check in self.checks.values()]
        return next((state for state in STATES if state in found), found[0])

    @property
    def items(self) -> int | None:
        """Evaluation items of the slice; None where no check says how many."""
        return next((check["items"] for check in self.checks.values() if check.get("items") is not None), None)

    @property
    def candidate(self) -> float | None:
        """The candidate's value."""
        return next((check["candidate"] for check in self.checks.values() if check["candidate"] is not None), None)

    def reference(self, against: str) -> float | None:
        """Value of floor, parent or anchor."""
        return self.checks[against].get("reference") if against in self.checks else None


def rows(checks: Iterable[Mapping[str, Any]], gate: Mapping[str, Any]) -> list[ComparisonRow]:
    """Checks of one slice and metric together: pooled ones first, then by status, then by how much worse.

    Args:
        checks: of verdict.json.
        gate: section `gate` of params.yaml, whose rules say which metrics are better the lower they are.
    """
    lower = lower_is_better(gate.get("rules", {}))
    together: dict[tuple[str, str], dict[str, Check]] = {}
    for check in checks:
        together.setdefault((check["slice"], check["metric"]), {})[check["against"]] = {
            **check,
            "lower": check["metric"] in lower,
        }
    every = [ComparisonRow(slice=name, metric=metric, checks=found) for (name, metric), found in together.items()]
    return sorted(every, key=_order)


def compared(rows: Sequence[ComparisonRow]) -> list[str]:
    """With what of parent, anchor and untuned base any row compares, in this order."""
    return [against for against in ("parent", "anchor", "base") if any(against in row.checks for row in rows)]


def arrow(check: Check) -> tuple[str, str] | None:
    """A sign and its word: better or worse only where bounds and status say so; None without a difference.

    What is undecided may be chance: of several slices one is below its bound by chance alone.
    """
    if check.get("difference") is None:
        return None
    if check["difference"] == 0 and not check.get("discordant"):
        return SAME
    low, high = check.get("low"), check.get("high")
    if check["lower"]:
        low, high = (None if high is None else -high), (None if low is None else -low)
    if low is not None and low > 0:
        return BETTER
    is_worse = high is not None and high < 0 and check["status"] not in ("inconclusive", "undecided")
    return WORSE if is_worse else OPEN


def bound(check: Check) -> str:
    """The one-sided bound that the gate looks at: how bad it may be."""
    side, words = ("high", "at most") if check["lower"] else ("low", "at least")
    return "" if check.get(side) is None else f"{words} {signed(check[side])}"


def power(row: ComparisonRow) -> str:
    """What so many items can tell and how many would be needed, where the status is open; a decline that is allowed."""
    if row.status == "pass" and any(arrow(check) == WORSE for check in row.checks.values()):
        return "worse, within what is allowed"
    if row.status not in ("inconclusive", "undecided"):
        return ""
    open_ones = [check for check in row.checks.values() if check["status"] == row.status]
    detectable = max((check["detectable"] for check in open_ones if check.get("detectable") is not None), default=None)
    short = [
        check["needed"] for check in open_ones if (check.get("needed") or 0) > check.get("sources", check["items"])
    ]
    needed = max(short, default=None)  # of checks whose items would do, another reason stands in their words
    said = [
        None if detectable is None else f"detects {number(detectable)}",
        None if needed is None else f"needs {needed:,} items",
    ]
    return ", ".join(filter(None, said))


def floor(row: ComparisonRow) -> str:
    """What the value itself must reach, or stay below; empty where nothing is asked of it."""
    check = row.checks.get("floor")
    if check is None or check.get("reference") is None:
        return ""
    return f"{'≤' if check['lower'] else '≥'} {number(check['reference'])}"


def _order(row: ComparisonRow) -> tuple[bool, int, float, str]:
    worse = [
        (check.get("difference") or 0) * (-1 if check["lower"] else 1)
        for against, check in row.checks.items()
        if against != "floor"
    ]
    state = STATES.index(row.status) if row.status in STATES else len(STATES)
    if row.slice == "all":
        return False, 0, 0, ""  # in the gate's order
    return True, state, min(worse, default=0.0), row.slice
