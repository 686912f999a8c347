"""The verdict in a few lines, for a terminal: what was decided, why, what is worse, where to look."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report import comparison, headline, story
from pipeline.report.facts import Facts
from pipeline.report.parts.measures import number, signed, title

MOST = 3  # lines of each sort


def lines(facts: Facts) -> Iterator[str]:
    """At most a dozen lines; report.md holds the rest."""
    decided = facts.verdict
    yield headline.title(facts)
    if told := story.sentence(facts):
        yield told
    yield from _first(decided["reasons"] or [headline.holds(facts)], "reports/report.md")
    yield from (f"warning: {line}" for line in _first(decided.get("warnings") or [], "reports/report.md"))
    rows = comparison.rows(decided["checks"], facts.gate)
    said = [line for row in rows if (line := _worse(row, headline.others(facts)))]
    yield from _first([line for line in said if not decided["reasons"]], "reports/report.md")


def _worse(row: comparison.ComparisonRow, names: Mapping[str, str]) -> str:
    """A decline that its bounds show, though it is allowed; empty for none."""
    for side, check in row.checks.items():
        if comparison.arrow(check) == comparison.WORSE:
            return (
                f"worse: {row.slice} {title(row.metric)} {number(row.candidate)}, {signed(check['difference'])} "
                f"from {names.get(side, side)}, which is allowed"
            )
    return ""


def _first(some: list[Any], where: str) -> list[str]:
    more = [f"and {len(some) - MOST:,} more, in {where}"] if len(some) > MOST else []
    return [*some[:MOST], *more]
