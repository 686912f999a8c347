"""Labels on the page about data: the balance against the parent, and labels that came, went or were renamed."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from markupsafe import Markup

from pipeline.common.words import counted
from pipeline.report.parts import markup
from pipeline.report.parts.html_parts import absent, bar, text

SHOWN = 30  # labels; the rest is one line
Counts = Mapping[str, int]  # {"before": n, "new": n, "held_out": n}
_part = partial(markup.render, "data/templates/data_page.html")


def balance(assembled: Mapping[str, Any]) -> Markup:
    """Each label's records before, new and held out, with its share of the first two as bars; most frequent first."""
    found: Mapping[str, Counts] = assembled.get("balance") or {}
    if not found:
        return Markup()
    ordered = sorted(found.items(), key=lambda item: (-item[1]["before"] - item[1]["new"], item[0]))
    totals = {side: sum(counts[side] for counts in found.values()) for side in ("before", "new")}
    shown, rest = ordered[:SHOWN], ordered[SHOWN:]
    rows = [(text(label), counts) for label, counts in shown]
    if rest:
        summed = {side: sum(counts.get(side, 0) for _, counts in rest) for side in (*totals, "held_out")}
        rows.append((absent(counted(len(rest), "further label")), summed))
    most = max((_share(counts, totals, side) for _, counts in rows for side in totals), default=0) or 1
    body = [
        (label, counts["before"], counts["new"], counts.get("held_out", 0), _bars(counts, totals, most))
        for label, counts in rows
    ]
    return _part("balance", bool(totals["before"]), body)


def changes(assembled: Mapping[str, Any]) -> Iterator[Markup]:
    """New, vanished and renamed labels, a paragraph each; before the first release every label is new."""
    found = assembled.get("label_changes") or {}
    before = sum(counts["before"] for counts in (assembled.get("balance") or {}).values())
    if found.get("new") and before:
        yield _listed("New", map(text, found["new"]))
    if found.get("vanished"):
        yield _listed("Known to the chain and absent here", map(text, found["vanished"]))
    if found.get("renamed"):
        pairs = (_part("renamed", text(old), text(new)) for old, new in found["renamed"])
        yield _listed("The same but for case or spaces, so probably one label", pairs)


def _share(counts: Counts, totals: Counts, side: str) -> float:
    return counts[side] / totals[side] if totals[side] else 0


def _bars(counts: Counts, totals: Counts, most: float) -> Markup:
    before, new = (_share(counts, totals, side) / most for side in ("before", "new"))
    return bar(before, "before") + bar(new)


def _listed(what: str, names: Iterable[Markup]) -> Markup:
    every = list(names)
    return _part("listed", what, every[:SHOWN], max(len(every) - SHOWN, 0))
