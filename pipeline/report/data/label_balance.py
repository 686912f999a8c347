"""Labels on the page about data: the balance against the parent, and labels that came, went or were renamed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.common.words import counted
from pipeline.report.parts.html_parts import bar, text

SHOWN = 30  # labels; the rest is one line
Counts = Mapping[str, int]  # {"before": n, "new": n}


def balance(assembled: Mapping[str, Any]) -> str:
    """Each label's records before and new, with its share of either as two bars; most frequent first."""
    found: Mapping[str, Counts] = assembled.get("balance") or {}
    if not found:
        return ""
    ordered = sorted(found.items(), key=lambda item: (-item[1]["before"] - item[1]["new"], item[0]))
    totals = {side: sum(counts[side] for counts in found.values()) for side in ("before", "new")}
    shown, rest = ordered[:SHOWN], ordered[SHOWN:]
    rows = [(text(label), counts) for label, counts in shown]
    if rest:
        summed = {side: sum(counts[side] for _, counts in rest) for side in totals}
        rows.append((f"<i>{counted(len(rest), 'further label')}</i>", summed))
    most = max((_share(counts, totals, side) for _, counts in rows for side in totals), default=0) or 1
    head = '<tr><th>label</th><td class="n">before</td><td class="n">new</td><td>share</td></tr>'
    body = "\n".join(_row(name, counts, totals, most) for name, counts in rows)
    note = '<p class="small">Shares: upper bar: what the chain knows from before; lower bar: what is new.</p>'
    note = note if totals["before"] else ""
    return f'{note}\n<table class="bars two">\n{head}\n{body}\n</table>'


def changes(assembled: Mapping[str, Any]) -> Iterator[str]:
    """New, vanished and renamed labels, a paragraph each; before the first release every label is new."""
    found = assembled.get("label_changes") or {}
    before = sum(counts["before"] for counts in (assembled.get("balance") or {}).values())
    if found.get("new") and before:
        yield f"<p>New: {_listed(map(text, found['new']))}</p>"
    if found.get("vanished"):
        yield f"<p>Known to the chain and absent here: {_listed(map(text, found['vanished']))}</p>"
    if found.get("renamed"):
        pairs = (f"{text(old)} → {text(new)}" for old, new in found["renamed"])
        yield f"<p>The same but for case or spaces, so probably one label: {_listed(pairs)}</p>"


def _share(counts: Counts, totals: Counts, side: str) -> float:
    return counts[side] / totals[side] if totals[side] else 0


def _row(name: str, counts: Counts, totals: Counts, most: float) -> str:
    before, new = (_share(counts, totals, side) / most for side in ("before", "new"))
    cells = f'<td class="n">{counts["before"]:,}</td><td class="n">{counts["new"]:,}</td>'
    return f"<tr><th>{name}</th>{cells}<td>{bar(before, 'before')}{bar(new)}</td></tr>"


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN:,} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
