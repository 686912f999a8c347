"""reports/report.md: the verdict first and in words, then why, then what it rests on. Fits a pull request's comment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.common.words import counted
from pipeline.report import changed_examples, comparison, headline, rule_words, story, tables, training_words
from pipeline.report.changed_examples import ChangedExample
from pipeline.report.comparison import Check, ComparisonRow
from pipeline.report.data import funnel
from pipeline.report.facts import Facts
from pipeline.report.parts.markdown_parts import bullets, code, fitted, plain, table
from pipeline.report.parts.measures import number, signed, title
from pipeline.report.tables import Table

__all__ = ["Facts", "render"]

LIMIT = 59_000  # characters; GitHub takes 65,536, of which what stands around the report needs some
REASONS = 20
ROWS = 60  # of the table of slices
BENCHMARKS = 20  # figures
PAIRS = 10  # of labels taken for one another
SETTINGS = 30
RELEASES = 6  # the last ones, in the table of accuracy over releases
SLICES = 20  # of that table and of forgetting
FEW_LABELS = 10
LONGEST = 160  # characters shown of an item's text or answer
MORE = "all of them are in `reports/report.html`"


def render(facts: Facts) -> str:
    """The whole report, shorter than `LIMIT` whatever the data; the same facts give the same text."""
    blocks = [
        *_verdict(facts),
        *_slices(facts),
        *_examples(facts),
        *_section("Measures", [_table(tables.pooled(facts)), *map(plain, tables.judged(facts)), *_truncated(facts)]),
        *_section("Robustness", [_table(tables.robustness(facts))]),
        *_section("Standard benchmarks", [_table(tables.benchmarks(facts).first(BENCHMARKS))]),
        *_section("Over the releases", _chain(facts)),
        *_section("Taken for one another", [_table(tables.confused(facts.details).first(PAIRS))]),
        *_section("Changed params", [_table(tables.changed(facts).first(SETTINGS))]),
        *_section("Data", _data(facts)),
        *_section("Training", _training(facts)),
    ]
    return fitted(blocks, LIMIT, "*Some of it is left out, to fit a comment: `reports/report.html` holds it all.*")


def _verdict(facts: Facts) -> Iterator[str]:
    decided = facts.verdict
    reasons, warnings = decided["reasons"], decided.get("warnings") or []
    yield f"# {headline.title(facts)}"
    if named := rule_words.title(facts.changes, decided):
        yield f"**{plain(named)}**"
        yield bullets(map(plain, rule_words.lines(facts.changes)))
    yield f"Increment {code(facts.increment)}, on top of {headline.parent(facts)}."
    if said := headline.override(decided):
        yield plain(said)
    yield "## Why"
    if told := story.sentence(facts):
        yield plain(told)
    yield _list(reasons or [headline.holds(facts)], "reports/reasons.json")
    if warnings:
        yield "## Warnings"
        yield _list(warnings, "reports/verdict.json")


def _list(lines: Sequence[str], where: str) -> str:
    more = [f"and {len(lines) - REASONS:,} more, in `{where}`"] if len(lines) > REASONS else []
    return bullets([*map(plain, lines[:REASONS]), *more])


def _section(heading: str, content: Iterable[str]) -> list[str]:
    """A heading and what stands below it, as one block; nothing without content."""
    body = "\n\n".join(filter(None, content))
    return [f"## {heading}\n\n{body}"] if body else []


def _slices(facts: Facts) -> Iterator[str]:
    judged = tables.judged_slices(facts)
    rows, against = judged.rows, judged.against
    if not rows:
        return
    columns = [column for side in against for column in (judged.names[side], "difference")]
    yield "\n\n".join(
        filter(
            None,
            [
                "## Slices",
                table(
                    ["slice", "status", "measure", "candidate", "asked", *columns, "items"],
                    [_cells(row, against) for row in rows[:ROWS]],
                    numbers=[*range(3, 6 + len(columns))],
                ),
                _rest(rows[ROWS:]),
                _legend(facts) if against else "",
            ],
        )
    )


def _cells(row: ComparisonRow, against: Sequence[str]) -> list[str]:
    items = "–" if row.items is None else f"{row.items:,}"
    compared = [cell for side in against for cell in _compared(row.checks.get(side))]
    name = "**all**" if row.slice == "all" else code(row.slice)
    return [
        name,
        _status(row),
        plain(title(row.metric)),
        number(row.candidate),
        comparison.floor(row),
        *compared,
        items,
    ]


def _compared(check: Check | None) -> list[str]:
    """The reference, then the difference with its bound and arrow."""
    if check is None:
        return ["–", "–"]
    sign = comparison.arrow(check)
    arrow = "" if sign is None else sign[0] if sign in (comparison.OPEN, comparison.SAME) else " ".join(sign)
    parts = [signed(check.get("difference")), comparison.bound(check), arrow]
    return [number(check.get("reference")), ", ".join(filter(None, parts))]


def _status(row: ComparisonRow) -> str:
    sign = comparison.SIGNS.get(row.status, "")
    word = f"**{row.status}**" if row.status == "fail" else row.status
    more = comparison.power(row)
    return f"{sign} {word}".strip() + (f": {more}" if more else "")


def _rest(rows: Sequence[ComparisonRow]) -> str:
    if not rows:
        return ""
    counts = {state: sum(row.status == state for row in rows) for state in comparison.STATES}
    words = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    return f"And {counted(len(rows), 'further row')} ({words}): {MORE}."


def _legend(facts: Facts) -> str:
    confidence = f"{facts.gate.get('confidence', 0.95):.0%}"
    return (
        f"Differences with the {confidence} one-sided bound that the gate looks at. ▲ better and ▼ worse: the bounds "
        "exclude chance; ≈: it may be chance. *undecided*: too few items to tell, and not proven worse."
    )


def _examples(facts: Facts) -> Iterator[str]:
    found = changed_examples.changes(facts.predictions, facts.verdict)
    broken, fixed = ("Broken", "Fixed") if facts.release else ("Wrong", "")
    for name, some, number_of in (
        (broken, found.broken, found.broken_items),
        (fixed, found.fixed, found.fixed_items),
    ):
        if some:
            kept = some[: facts.gate.get("examples", 0)]
            more = f", {len(kept)} of them" if 0 < len(kept) < number_of else ""
            yield f"## {name}: {counted(number_of, 'item')}{more}"
            yield _items(kept, facts) if kept else "Texts are shown in report.html; `gate.examples` has none here."


def _items(some: Sequence[ChangedExample], facts: Facts) -> str:
    before = [facts.release] if facts.release else []
    return table(
        ["text", "right answer", *before, "candidate", "slice"],
        [
            [
                code(facts.texts.get(example.id, example.id[:12]), LONGEST),
                code(example.answer, LONGEST),
                *([code(example.before or "", LONGEST)] if before else []),
                code(example.after, LONGEST),
                ", ".join(map(code, example.slices[:2])) + (" **must pass**" if example.must_pass else ""),
            ]
            for example in some
        ],
    )


def _truncated(facts: Facts) -> Iterator[str]:
    if number_of := facts.metrics.get("truncated"):
        yield f"{counted(number_of, 'item')} longer than `train.max_length`; cut to it, and counted here."


def _chain(facts: Facts) -> Iterator[str]:
    yield bullets(tables.chain(facts))
    yield _releases(facts.matrix.get("releases", []))
    yield _table(tables.forgetting(facts).first(SLICES))


def _releases(releases: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy of the last releases on each slice."""
    if len(releases) < 2:
        return ""
    last = releases[-RELEASES:]
    names = list(dict.fromkeys(name for release in last for name in release["accuracy"]))
    rows = [[code(name), *(number(release["accuracy"].get(name)) for release in last)] for name in names[:SLICES]]
    titles = ["accuracy on", *(plain(release["release"] or "candidate") for release in last)]
    more = f"\n\nAnd {counted(len(names) - SLICES, 'further slice')}: {MORE}." if len(names) > SLICES else ""
    return table(titles, rows, numbers=range(1, 1 + len(last))) + more


def _data(facts: Facts) -> Iterator[str]:
    prepared, assembled = facts.prepared, facts.assembled
    lines = [[name, f"{count:,}"] for name, count in funnel.lines(prepared, assembled)]
    yield table(["", "count"], lines, numbers=(1,))
    yield bullets([*_remarks(prepared, assembled), *(_label_changes(assembled) if facts.release else [])])


def _remarks(prepared: Mapping[str, Any], assembled: Mapping[str, Any]) -> Iterator[str]:
    """What deserves a look, a line each; reports/data.html shows it with examples."""
    yield from map(plain, funnel.alarms(prepared))
    yield from map(plain, funnel.replay(assembled))
    if masked := {kind: count for kind, count in prepared.get("masked", {}).items() if count}:
        yield "masked: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(masked.items()))
    if keys := assembled.get("keys"):
        yield "keys: " + ", ".join(f"{name} {count:,}" for name, count in keys.items())


def _label_changes(assembled: Mapping[str, Any]) -> Iterator[str]:
    changes = assembled.get("label_changes", {})
    for name in ("new", "vanished"):
        if names := changes.get(name):
            yield f"{name} labels: {_names(names)}"
    if renamed := changes.get("renamed"):
        yield f"labels that differ in case or spaces: {_names(f'{old} → {new}' for old, new in renamed)}"


def _names(names: Iterable[str]) -> str:
    """A list of labels; of a long one its beginning."""
    every = list(names)
    more = f" and {len(every) - FEW_LABELS:,} more" if len(every) > FEW_LABELS else ""
    return ", ".join(map(code, every[:FEW_LABELS])) + more


def _training(facts: Facts) -> Iterator[str]:
    yield (
        bullets(map(plain, training_words.lines(facts.training)))
        or "Nothing new: the parent's adapter is handed on, byte for byte."
    )


def _table(found: Table) -> str:
    rows = [[code(cell) if place in found.names else cell for place, cell in enumerate(row)] for row in found.rows]
    more = f"\n\nAnd {counted(found.left_out, 'further row')}: {MORE}." if found.left_out else ""
    return table(list(map(plain, found.titles)), rows, numbers=found.numbers) + more
