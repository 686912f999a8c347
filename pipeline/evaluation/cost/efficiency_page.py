"""reports/timings/efficiency.md and .html: what an answer costs, candidate beside parent.

It comes from one machine and never repeats: no output of a stage, and hashed into no release.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.report.parts import frame, html_parts, markdown_parts
from pipeline.report.parts.measures import NONE

TITLES = {
    "p50_ms": "latency p50, ms",
    "p95_ms": "latency p95, ms",
    "cpu_ms": "CPU time, ms",
    "memory_gb": "peak memory, GB",
    "prefill_tokens_per_s": "prefill, tokens/s",
    "decode_tokens_per_s": "decode, tokens/s",
    "rounds": "rounds",
}
RUN = {
    "seconds": "wall time, s",
    "cpu_seconds": "CPU time, s",
    "peak_memory_bytes": "peak memory, bytes",
}
HEADLINE = "What an answer costs"
NOTE = (
    "Measured on one machine, candidate and parent in turn. It never repeats, so no release holds it; `graft release` "
    "judges the limits of params.yaml on the machine that releases."
)
TERMS = (
    "Latency p50: half of the answers took less; p95: 95 of 100 did. Prefill: reading a prompt, before the answer "
    "begins. Rounds: how many answers were timed. The longest prompts are the most that the model takes: "
    "train.max_length, less the longest label where it chooses among labels. Of few rounds a change of a few tens of "
    "percent is noise."
)
Timings = Mapping[str, Any]


def markdown(timings: Timings, release: str | None) -> str:
    """The page as Markdown.

    Args:
        timings: reports/timings/evaluate.json: candidate and parent (or null), each with p50_ms, p95_ms, cpu_ms,
            memory_gb and, at several lengths of the prompt, `lengths`; seconds and memory of the stage.
        release: the parent.
    """
    blocks = [f"# {HEADLINE}", NOTE, TERMS]
    for title, names, rows in _tables(timings, release):
        blocks += [
            f"## {title}",
            markdown_parts.table(list(map(markdown_parts.plain, names)), rows, numbers=range(1, len(names))),
        ]
    return "\n\n".join(blocks) + "\n"


def html(timings: Timings, release: str | None) -> str:
    """The same as a page that loads nothing."""
    body = [html_parts.heading(1, HEADLINE), html_parts.sentence(NOTE.replace("`", "")), html_parts.sentence(TERMS)]
    for title, names, rows in _tables(timings, release):
        body.append(html_parts.section(title, html_parts.table(names, rows, numbers=range(1, len(names)))))
    return frame.page(HEADLINE, body)


def _tables(timings: Timings, release: str | None) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """(title, names of columns, rows): of single answers, at each length, of the stage."""
    ours, theirs = timings.get("candidate") or {}, timings.get("parent") or {}
    names = ["", "candidate", *([release or "parent", "change"] if theirs else [])]
    if rows := _rows(ours, theirs):
        yield "Single answers to real prompts", names, rows
    before: Sequence[Timings] = theirs.get("lengths") or []
    known = {length["tokens"]: length for length in before}
    for length in ours.get("lengths") or []:
        rows = _rows(length, known.get(length["tokens"], {}) if theirs else {})
        columns = names if length["tokens"] in known else names[:2]
        yield f"Prompts of {length['tokens']:,} tokens", columns, [row[: len(columns)] for row in rows]
    whole = [[title, _number(timings[key])] for key, title in RUN.items() if timings.get(key) is not None]
    if whole:
        yield "The stage", ["", "figure"], whole


def _rows(ours: Timings, theirs: Timings) -> list[list[str]]:
    """Figures of one model beside the other's, and by how many percent they differ."""
    rows = []
    for key, title in TITLES.items():
        value, before = ours.get(key), theirs.get(key)
        if value is None:
            continue
        change = f"{value / before - 1:+.1%}".replace("-", "−") if before and value != before else NONE
        rows.append([title, _number(value), *([_number(before), change] if theirs else [])])
    return rows


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 1000 else f"{value:.3f}"
