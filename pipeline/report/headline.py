"""The verdict in words: the headline, the sentence below it, what holds or does not."""

from collections.abc import Mapping
from typing import Any

from pipeline.common.words import counted
from pipeline.report import comparison
from pipeline.report.facts import Facts

_UNSURE = "Inconclusive: too little to tell whether"


def title(facts: Facts) -> str:
    """The headline: what was decided, of whom, and against whom."""
    decided = facts.verdict
    what = f"replace {facts.release}" if facts.release else "become the first release"
    if decided["verdict"] == "pass":
        return f"Pass: the candidate may {what}"
    if decided["verdict"] == "fail":
        return f"Fail: the candidate may not {what}"
    if decided["verdict"] == "losses":
        return f"Refused for losses: too much was cut for the candidate to {what}"
    if decided["decision"] == "refused":
        nothing = "Unchecked: nothing shows that" if decided["verdict"] == "unchecked" else _UNSURE
        return f"{nothing} the candidate may {what}"
    if decided["verdict"] == "unchecked":
        return f"Unchecked, let pass: the candidate may {what}"
    how = "by an override" if _used(decided) else "with a warning"
    return f"Inconclusive, let pass {how}: the candidate may {what}"


def mood(facts: Facts) -> str:
    """One of pass, fail, inconclusive: what colours the headline."""
    word = str(facts.verdict["verdict"])
    return {"losses": "fail", "unchecked": "inconclusive"}.get(word, word)


def parent(facts: Facts) -> str:
    """On top of what it was trained, and with what else it is compared."""
    below = f"the parent, {facts.release}" if facts.release else "the base: there is no release before it"
    return below + (f", held against the anchor {facts.anchor}, too" if facts.anchor else "")


def others(facts: Facts) -> dict[str, str]:
    """What the columns of those that it is compared with are called: of releases by their names."""
    anchor = f"anchor {facts.anchor}" if facts.anchor else "anchor"
    return {"parent": facts.release or "parent", "anchor": anchor, "base": "untuned base"}


def override(decided: Mapping[str, Any]) -> str:
    """Who let an inconclusive candidate pass, why, and until when; empty where nobody did."""
    found = _used(decided)
    if not found:
        return ""
    return f"Let pass by {found['who']}, compared with {found['release']} and until the parent moves on: {found['why']}"


def _used(decided: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The override, where it counts: one that lapsed or was not needed says nothing here."""
    found: Mapping[str, Any] | None = decided.get("override")
    return found if found and found.get("state", "used") == "used" else None


def holds(facts: Facts) -> str:
    """What stands where there is no reason to refuse."""
    rows, undecided = comparison.rows(facts.verdict["checks"], facts.gate), facts.verdict.get("undecided") or []
    passed = sum(row.status == "pass" for row in rows)
    said = f"{passed} of {counted(len(rows), 'row')} below hold" if passed < len(rows) else _all(len(rows))
    if not undecided:
        return said
    return f"{said}; {counted(len(undecided), 'slice')} too small to tell, none of them shown to be worse"


def _all(number: int) -> str:
    if not number:
        return "nothing was asked for"
    return f"all {number:,} rows below hold" if number > 1 else "the row below holds"
