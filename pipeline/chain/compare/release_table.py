"""Two releases side by side: a table for a terminal, Markdown for a pull request."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from pipeline.chain.compare.pairs import PairedItem
from pipeline.chain.compare.release_comparison import Changed, Diff
from pipeline.report.parts.markdown_parts import code, plain

SLICES = 60  # in the table
GROUPS, SHOWN = 20, 3  # slices whose examples are shown, and examples of each
LINES = 12  # of params, data and the like
LONGEST = 120  # characters of a text


def table(found: Diff) -> Iterator[str]:
    """What the releases say of the same items, in columns, then examples, then what else differs."""
    yield f"{found.before} -> {found.after}"
    rows = found.slices[:SLICES]
    names = max((len(row.name) for row in rows), default=0)
    metrics = max((len(row.metric) for row in rows), default=0)
    if rows:
        yield ""
        yield f"{'slices':{names + metrics + 3}}  before    after   change  fixed broken       p  items in common"
    for row in rows:
        yield (
            f"  {row.name:{names}} {row.metric:{metrics}} {_number(row.before)} {_number(row.after)}"
            f" {_signed(row.change)} {_count(row.fixed):>6} {_count(row.broken):>6} {_chance(row.p_value)}  {row.items}"
        )
    if len(found.slices) > SLICES:
        yield f"  and {len(found.slices) - SLICES:,} more: --json lists all"
    for title, examples in (("fixed", found.fixed), ("broken", found.broken)):
        yield from ("", f"{title}: {len(examples)}")
        for name, some in _chosen(examples):
            yield f"  {name}"
            for e in some:
                yield f"    {_line(e.text)!r}: {_line(e.before)} -> {_line(e.after)} (is {_line(e.answer)})"
        if left := len(examples) - sum(len(some) for _, some in _chosen(examples)):
            yield f"  and {left:,} more: --json lists all"
    for title, changes in _sections(found):
        yield from ("", title)
        yield from (f"  {change.name}: {_short(change.before)} -> {_short(change.after)}" for change in changes[:LINES])
        if len(changes) > LINES:
            yield f"  and {len(changes) - LINES:,} more: --json lists all"
    yield from (line for note in found.notes for line in ("", note))


def markdown(found: Diff) -> Iterator[str]:
    """The same for a pull request."""
    yield from (f"## {plain(found.before)} → {plain(found.after)}", "")
    yield "| slice | metric | before | after | change | fixed | broken | p | items in common |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for row in found.slices[:SLICES]:
        cells = [row.name, row.metric, _number(row.before), _number(row.after), _signed(row.change)]
        cells += [_count(row.fixed), _count(row.broken), _chance(row.p_value), str(row.items)]
        yield f"| {' | '.join(plain(cell.strip()) for cell in cells)} |"
    if len(found.slices) > SLICES:
        yield ""
        yield f"… and {len(found.slices) - SLICES:,} more"
    for title, changes in _sections(found):
        yield from ("", f"**{title}**", "")
        yield from (
            f"- {code(change.name)}: {plain(_short(change.before))} → {plain(_short(change.after))}"
            for change in changes
        )
    for title, examples in (("fixed", found.fixed), ("broken", found.broken)):
        yield from ("", f"**{title}: {len(examples)}**", "")
        for name, some in _chosen(examples):
            for e in some:
                text, before, after, answer = (plain(_line(value)) for value in (e.text, e.before, e.after, e.answer))
                yield f"- {code(name)} {text}: {before} → {after} (is {answer})"
        if left := len(examples) - sum(len(some) for _, some in _chosen(examples)):
            yield f"- and {left:,} more"
    yield from (line for note in found.notes for line in ("", plain(note)))


def _sections(found: Diff) -> list[tuple[str, list[Changed]]]:
    names = ("params", "lock", "data", "training", "bytes")
    return [(name, changes) for name in names if (changes := getattr(found, name))]


def _chosen(examples: list[PairedItem]) -> list[tuple[str, list[PairedItem]]]:
    """The first examples of the first slices; each stands in the first of its slices."""
    groups = groupby(examples, key=lambda example: example.slices[0] if example.slices else "")
    return [(name, list(group)[:SHOWN]) for name, group in groups][:GROUPS]


def _line(text: str) -> str:
    """A text in one line, its beginning where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _signed(value: float | None) -> str:
    return "       -" if value is None else f"{value:+8.4f}"


def _number(value: float | None) -> str:
    return "      -" if value is None else f"{value:7.4f}"


def _chance(value: float | None) -> str:
    """A p-value; one that four digits cannot show is said to be below them."""
    return "<0.0001" if value is not None and value < 0.0001 else _number(value)
