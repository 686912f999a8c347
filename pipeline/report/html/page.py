"""reports/report.html: the report as one page; it loads nothing, needs no script, and obeys nothing from data."""

import csv
import io
from collections.abc import Iterator, Sequence

from pipeline.common.words import counted
from pipeline.report import changed_examples, comparison, headline, rule_words, tables, training_words
from pipeline.report.changed_examples import ChangedExample
from pipeline.report.comparison import Check, ComparisonRow
from pipeline.report.data import data_page
from pipeline.report.facts import Facts
from pipeline.report.html import charts, heat
from pipeline.report.parts import frame, html_parts
from pipeline.report.parts.html_parts import escaped, folded, name, section, sentence, text, words
from pipeline.report.parts.measures import number, signed, title
from pipeline.report.tables import Table

REASONS = 200
ROWS = 300  # of the table of slices
PAIRS = 50  # of labels taken for one another
LABELS = 100  # those with the lowest F1
OPEN = 10  # examples of a sort that are not folded away
CELLS = 200  # rows of a table that is folded away
STYLE = """\
.verdict { border-left: 6px solid var(--mood); padding-left: .8rem; }
.pass { --mood: var(--good); }
.fail { --mood: var(--bad); }
.inconclusive { --mood: var(--unsure); }
.undecided { --mood: var(--line); }
.status { white-space: nowrap; font-weight: 600; color: var(--mood); }
.undecided .status { color: inherit; }
.note { display: block; font-weight: normal; font-size: .85rem; color: CanvasText; white-space: normal; }
.difference { white-space: nowrap; }
.up { color: var(--good); }
.down { color: var(--bad); }
"""


def html(facts: Facts) -> str:
    """The page; the same facts give the same bytes, bounded whatever the data."""
    body = [
        *_verdict(facts),
        section("Slices", *_slices(facts)),
        *_examples(facts),
        section("Measures", *_measures(facts)),
        section("Robustness", *_robustness(facts)),
        section("Standard benchmarks", shown(tables.benchmarks(facts).first(CELLS))),
        section("Over the releases", *_chain(facts)),
        section("Labels", *_labels(facts)),
        section("Calibration", *_calibration(facts)),
        section("Changed params", shown(tables.changed(facts).first(CELLS))),
        section("Data", *_data(facts)),
        section("Training", *_training(facts)),
    ]
    style = html_parts.STYLE + charts.STYLE + heat.STYLE + STYLE
    return frame.page(headline.title(facts), "\n".join(filter(None, body)), style)


def shown(found: Table) -> str:
    """A table of plain cells; those from data are made harmless."""
    rows = (
        [name(cell) if place in found.names else escaped(cell) for place, cell in enumerate(row)] for row in found.rows
    )
    more = sentence(f"And {counted(found.left_out, 'further row')}.") if found.left_out else ""
    return html_parts.table(found.titles, rows, numbers=found.numbers) + more


def _verdict(facts: Facts) -> Iterator[str]:
    decided = facts.verdict
    above, named = headline.override(decided), rule_words.title(facts.changes, decided)
    yield (
        f'<div class="verdict {headline.mood(facts)}"><h1>{words(headline.title(facts))}</h1>\n'
        + (f"<p><b>{words(named)}</b></p>\n{_list(rule_words.lines(facts.changes))}" if named else "")
        + f"<p>Increment {name(facts.increment)}, on top of {words(headline.parent(facts))}.</p>"
        + (f"<p>{words(above)}</p>" if above else "")
        + "</div>"
    )
    yield section("Why", _list(decided["reasons"] or [headline.holds(facts)]))
    yield section("Warnings", _list(decided.get("warnings") or []))


def _list(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{words(line)}</li>" for line in lines[:REASONS])
    more = f"<li>and {len(lines) - REASONS:,} more</li>" if len(lines) > REASONS else ""
    return f"<ul>{items}{more}</ul>" if items else ""


def _slices(facts: Facts) -> Iterator[str]:
    judged = tables.judged_slices(facts)
    if not judged.rows:
        return
    rows, against, names = judged.rows, judged.against, judged.names
    titles = ["slice", "status"]
    for side in against:
        titles += [f"change from {names[side]}", *(["bounds"] if side == "parent" else [])]
    titles += ["candidate", "asked", *(names[side] for side in against), "items"]
    numbers = [place for place, column in enumerate(titles) if place > 1 and column != "bounds"]
    reaches, first = _reaches(rows), rows[:ROWS]
    cells = [_cells(row, against, reaches) for row in first]
    yield html_parts.table(titles, cells, numbers=numbers, kinds=[row.status for row in first], stacks=True)
    if len(rows) > ROWS:
        yield sentence(f"And {counted(len(rows) - ROWS, 'further row')}: reports/verdict.json holds them all.")
    if against:
        yield f'<p class="small">{escaped(_legend(facts))}</p>'


def _reaches(rows: Sequence[ComparisonRow]) -> dict[str, float]:
    """One scale for each metric."""
    checks: dict[str, list[Check]] = {}
    for row in rows:
        checks.setdefault(row.metric, []).extend(row.checks.values())
    return {metric: charts.reach(found) for metric, found in checks.items()}


def _cells(row: ComparisonRow, against: Sequence[str], reaches: dict[str, float]) -> list[str]:
    changes = []
    for side in against:
        check = row.checks.get(side)
        changes.append(_difference(check) if check else number(None))
        if side == "parent":
            changes.append(_interval(check, reaches[row.metric]) if check else "")
    where = "<b>all</b>" if row.slice == "all" else name(row.slice)
    return [
        f'{where}<span class="note">{escaped(title(row.metric))}</span>',
        _status(row),
        *changes,
        number(row.candidate),
        comparison.floor(row),
        *(number(row.reference(side)) for side in against),
        number(None) if row.items is None else f"{row.items:,}",
    ]


def _difference(check: Check) -> str:
    """The difference with its sign, and below it the bound; what a sign means is said to those who do not see it."""
    sign = comparison.arrow(check)
    kind = {comparison.BETTER: "up", comparison.WORSE: "down"}.get(sign, "sr") if sign else ""
    word = f' <span class="{kind}">{sign[1]}</span>' if sign else ""
    drawn = f' <span class="{kind.replace("sr", "")}" aria-hidden="true">{sign[0]}</span>' if sign else ""
    bound = comparison.bound(check)
    below = f'<span class="note difference">{bound}</span>' if bound else ""
    return f'<span class="difference">{signed(check.get("difference"))}{drawn}{word}</span>{below}'


def _interval(check: Check, reach: float) -> str:
    return charts.interval(check, reach, lower_is_better=check["lower"])


def _status(row: ComparisonRow) -> str:
    more = comparison.power(row)
    note = f'<span class="note">{escaped(more)}</span>' if more else ""
    sign = comparison.SIGNS.get(row.status, "")
    return f'<span class="status"><span aria-hidden="true">{sign}</span> {escaped(row.status)}{note}</span>'


def _legend(facts: Facts) -> str:
    confidence = f"{facts.gate.get('confidence', 0.95):.0%}"
    return (
        f"Below each difference stands the {confidence} one-sided bound that the gate looks at; the drawing shows both "
        "bounds, zero, and the margin as a dashed line. ▲ better and ▼ worse: the bounds exclude chance; ≈: it may be "
        "chance. Undecided: too few items to tell, and not proven worse."
    )


def _examples(facts: Facts) -> Iterator[str]:
    found = changed_examples.changes(facts.predictions, facts.verdict)
    broken = "Broken" if facts.release else "Wrong"
    for heading, some, items in (
        (broken, found.broken, found.broken_items),
        ("Fixed", found.fixed, found.fixed_items),
    ):
        if some:
            more = f", {len(some)} of them" if len(some) < items else ""
            rest = _items(some[OPEN:], facts)
            yield section(
                f"{heading}: {counted(items, 'item')}{more}",
                _items(some[:OPEN], facts),
                folded(f"{len(some) - OPEN} more", rest) if rest else "",
            )


def _items(some: Sequence[ChangedExample], facts: Facts) -> str:
    before = [facts.release] if facts.release else []
    rows = []
    for example in some:
        must = " <b>must pass</b>" if example.must_pass else ""
        where = f'<span class="note where">{name(example.id[:12])}</span>'
        rows.append(
            [
                _said(facts.texts.get(example.id)) + where,
                _said(example.answer),
                *([_said(example.before)] if before else []),
                _said(example.after),
                ", ".join(map(name, example.slices[:3])) + must,
            ]
        )
    return html_parts.table(["text", "right answer", *before, "candidate", "slice"], rows, wraps=True)


def _said(answer: str | None) -> str:
    return text(answer) if answer and not answer.isspace() else "<i>none</i>"


def _measures(facts: Facts) -> Iterator[str]:
    yield shown(tables.pooled(facts))
    yield from map(sentence, tables.judged(facts))
    if number_of := facts.metrics.get("truncated"):
        yield sentence(f"{counted(number_of, 'item')} longer than train.max_length; cut to it, and counted here.")
    if facts.metrics["candidate"]["slices"]:
        yield folded("the candidate, slice by slice", shown(tables.by_slice(facts).first(ROWS)))


def _robustness(facts: Facts) -> Iterator[str]:
    yield shown(tables.robustness(facts))
    by_slice = tables.robustness_by_slice(facts).first(CELLS)
    if by_slice.rows:
        yield folded("slice by slice", shown(by_slice))


def _chain(facts: Facts) -> Iterator[str]:
    yield _list(tables.chain(facts))
    yield heat.releases(facts.matrix.get("releases", []))
    if forgotten := shown(tables.forgetting(facts).first(CELLS)):
        yield folded("forgetting, slice by slice", forgotten)


def _labels(facts: Facts) -> Iterator[str]:
    yield heat.confusion(facts.details.get("confusion", []))
    pairs, every = tables.confused(facts.details).first(PAIRS), tables.labels(facts.details).first(LABELS)
    if pairs.rows:
        yield "<h3>Taken for one another</h3>" + shown(pairs)
    if every.rows:
        yield folded("precision, recall and F1 of each label, the lowest first", shown(every))


def _calibration(facts: Facts) -> Iterator[str]:
    bins = facts.details.get("calibration", [])
    if any(found["items"] for found in bins):
        yield f'<div class="charts">{charts.reliability(bins)}</div>'
        yield sentence("On the dashed line the model is as often right as it is sure. Larger dots: more items.")
        yield folded("the numbers", shown(tables.calibration(facts.details)))


def _data(facts: Facts) -> Iterator[str]:
    yield data_page.flow(facts.prepared, facts.assembled)
    yield sentence("More of it, with examples: reports/data.html")


def _training(facts: Facts) -> Iterator[str]:
    lines = [*training_words.lines(facts.training)]
    yield _list(lines) or sentence("Nothing new: the parent's adapter is handed on, byte for byte.")
    steps = _columns(facts.curve)
    drawn = [
        charts.curve(title, zip(steps.get("step", []), steps.get(column, []), strict=False), across="step")
        for title, column in (
            ("loss", "loss"),
            ("learning rate", "learning_rate"),
            ("gradient norm, before clipping", "gradient_norm"),
        )
    ]
    tested = _columns(facts.rates)
    points = zip(tested.get("learning_rate", []), tested.get("loss", []), strict=False)
    drawn.append(charts.curve("loss in the test of learning rates", points, across="learning rate", log=True))
    yield f'<div class="charts">{"".join(drawn)}</div>' if any(drawn) else ""


def _columns(content: str) -> dict[str, list[float]]:
    """Columns of a CSV file of numbers; an empty cell is none."""
    rows = list(csv.DictReader(io.StringIO(content)))
    names = rows[0].keys() if rows else ()
    return {name: [float(row[name] or "nan") for row in rows] for name in names}
