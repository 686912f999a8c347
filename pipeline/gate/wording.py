"""Why a check is no pass, in a line of words that needs no other."""

from pipeline.common.words import counted
from pipeline.gate.check import Check
from pipeline.gate.rules import Rule

UNTOLD = "no number of items shows a margin of 0"


def worse(check: Check, rule: Rule, named: str) -> str:
    """A decline that is proven."""
    return (
        f"{check.slice} {check.metric}: {check.candidate:.4f}, proven worse than {named}'s {check.reference:.4f} "
        f"(p {_p(check.p_value)}), {_worst(check, rule)}{_may(rule)}"
    )


def unsure(check: Check, rule: Rule, named: str) -> str:
    """Neither shown to be as good nor proven worse: what so many items can tell, and how many would be needed."""
    return (
        f"{check.slice} {check.metric}: {check.candidate:.4f} beside {named}'s {check.reference:.4f}, "
        f"{_worst(check, rule)}{_may(rule)}: {_tells(check)}"
    )


def broke(check: Check, named: str) -> str:
    """More answers that turned wrong than the budget allows, or too few answers to tell."""
    return (
        f"{check.slice} {check.metric.removesuffix('_broken')}: of {counted(check.sources, 'answer')} that {named} had "
        f"right {check.discordant:,} are wrong now ({check.candidate:.4f}), at worst {check.high:.4f}, "
        f"may break {check.margin:.4f}"
    )


def no_better(check: Check, gain: float, sure: float | None) -> str:
    """A first release that is not shown to be better than the model that it was made of."""
    text = f"{check.slice} {check.metric}: {check.candidate:.4f}, not shown to be better than the untuned base's "
    text += f"{check.reference:.4f}"
    if check.needed is None or sure is None:
        return f"{text}: {'it is worse' if gain < 0 else 'training changed next to nothing'}"
    return f"{text}: {_sources(check)} leave it open (gain at least {sure:+.4f}); about {check.needed:,} would tell"


def small(check: Check, rule: Rule) -> str:
    """A slice that says too little to block."""
    text = f"{check.slice} {check.metric}: "
    if check.needed is None:
        return text + (UNTOLD if not rule.margin else f"nothing to tell from {_sources(check)}")
    if check.sources >= check.needed:
        return text + "its bound lies beyond the margin, as one of several unchanged slices' may by chance"
    few = f"{_sources(check)}, too few to tell {rule.margin:.4f}"
    return text + f"{few}; needed are about {check.needed:,}"


def _tells(check: Check) -> str:
    items = _sources(check)
    if check.needed is None or check.detectable is None:
        return UNTOLD if check.margin == 0 else f"nothing to tell from {items}"
    if check.sources >= check.needed:
        return f"{items} would do, were the two alike; a decline is likely, and not proven"
    return f"{items} can tell a difference of {check.detectable:.4f}; needed are about {check.needed:,}"


def _worst(check: Check, rule: Rule) -> str:
    bound = check.high if rule.lower else check.low
    return "" if bound is None else f"at worst {bound:+.4f}, "


def _sources(check: Check) -> str:
    """What counts: items, or the texts that several of them are variants of."""
    items = counted(check.items, "item")
    return items if check.sources == check.items else f"{counted(check.sources, 'source')} of {items}"


def _may(rule: Rule) -> str:
    return f"may {'rise' if rule.lower else 'drop'} {rule.margin:.4f}"


def _p(value: float | None) -> str:
    return "?" if value is None else f"= {value:.4f}" if value >= 0.0001 else "< 0.0001"
