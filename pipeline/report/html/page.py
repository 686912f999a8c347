"""reports/report.html: the report as one page; it loads nothing, needs no script, and obeys nothing from data."""

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial

from markupsafe import Markup

from pipeline.common.words import counted
from pipeline.report import changed_examples, comparison, headline, rule_words, story, tables, training_words
from pipeline.report.changed_examples import ChangedExample
from pipeline.report.comparison import Check, ComparisonRow
from pipeline.report.data import data_page, funnel
from pipeline.report.facts import Facts
from pipeline.report.html import charts, heat
from pipeline.report.parts import frame, html_parts, markup
from pipeline.report.parts.html_parts import absent, bullets, folded, name, section, sentence, text, words
from pipeline.report.parts.measures import number, signed, title
from pipeline.report.tables import Table

REASONS = 200
ROWS = 300  # of the table of slices
PAIRS = 50  # of labels taken for one another
LABELS = 100  # those with the lowest F1
OPEN = 10  # examples of a sort that are not folded away
CELLS = 200  # rows of a table that is folded away
STYLES = tuple(f"html/templates/{name}.css" for name in ("charts", "heat", "page"))
_part = partial(markup.render, "html/templates/page.html")


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
    return frame.page(headline.title(facts), body, *STYLES)


def shown(found: Table) -> Markup:
    """A table of plain cells; those from data are made harmless."""
    rows = ([name(cell) if place in found.names else cell for place, cell in enumerate(row)] for row in found.rows)
    more = sentence(f"And {counted(found.left_out, 'further row')}.") if found.left_out else Markup()
    return html_parts.table(found.titles, rows, numbers=found.numbers) + more


def _verdict(facts: Facts) -> Iterator[Markup]:
    decided = facts.verdict
    above, named = headline.override(decided), rule_words.title(facts.changes, decided)
    yield _part(
        "verdict",
        headline.mood(facts),
        words(headline.title(facts)),
        words(named) if named else "",
        _list(rule_words.lines(facts.changes)) if named else "",
        name(facts.increment),
        words(headline.parent(facts)),
        words(above) if above else "",
    )
    told = story.sentence(facts)
    yield section("Why", sentence(told) if told else Markup(), _list(decided["reasons"] or [headline.holds(facts)]))
    yield section("Warnings", _list(decided.get("warnings") or []))


def _list(lines: Sequence[str]) -> Markup:
    more = [f"and {len(lines) - REASONS:,} more"] if len(lines) > REASONS else []
    return bullets([*map(words, lines[:REASONS]), *more])


def _slices(facts: Facts) -> Iterator[Markup]:
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
        yield html_parts.small(_legend(facts))


def _reaches(rows: Sequence[ComparisonRow]) -> dict[str, float]:
    """One scale for each metric."""
    checks: dict[str, list[Check]] = {}
    for row in rows:
        checks.setdefault(row.metric, []).extend(row.checks.values())
    return {metric: charts.reach(found) for metric, found in checks.items()}


def _cells(row: ComparisonRow, against: Sequence[str], reaches: dict[str, float]) -> list[Markup | str]:
    changes: list[Markup | str] = []
    for side in against:
        check = row.checks.get(side)
        changes.append(_difference(check) if check else number(None))
        if side == "parent":
            changes.append(_interval(check, reaches[row.metric]) if check else "")
    where = _part("every") if row.slice == "all" else name(row.slice)
    return [
        _part("slice", where, title(row.metric)),
        _status(row),
        *changes,
        number(row.candidate),
        comparison.floor(row),
        *(number(row.reference(side)) for side in against),
        number(None) if row.items is None else f"{row.items:,}",
    ]


def _difference(check: Check) -> Markup:
    """The difference with its sign, and below it the bound; what a sign means is said to those who do not see it."""
    sign, word = comparison.arrow(check) or ("", "")
    kind = {comparison.BETTER: "up", comparison.WORSE: "down"}.get((sign, word), "")
    return _part("difference", signed(check.get("difference")), kind, sign, word, comparison.bound(check))


def _interval(check: Check, reach: float) -> Markup:
    return charts.interval(check, reach, lower_is_better=check["lower"])


def _status(row: ComparisonRow) -> Markup:
    return _part("status", comparison.SIGNS.get(row.status, ""), row.status, comparison.power(row))


def _legend(facts: Facts) -> str:
    confidence = f"{facts.gate.get('confidence', 0.95):.0%}"
    return (
        f"Below each difference stands the {confidence} one-sided bound that the gate looks at; the drawing shows both "
        "bounds, zero, and the margin as a dashed line. ▲ better and ▼ worse: the bounds exclude chance; ≈: it may be "
        "chance. Undecided: too few items to tell, and not proven worse."
    )


def _examples(facts: Facts) -> Iterator[Markup]:
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
                folded(f"{len(some) - OPEN} more", rest) if rest else Markup(),
            )


def _items(some: Sequence[ChangedExample], facts: Facts) -> Markup:
    before = [facts.release] if facts.release else []
    rows = []
    for example in some:
        rows.append(
            [
                _part("item", _said(facts.texts.get(example.id)), name(example.id[:12])),
                _said(example.answer),
                *([_said(example.before)] if before else []),
                _said(example.after),
                _part("slices", list(map(name, example.slices[:3])), example.must_pass),
            ]
        )
    return html_parts.table(["text", "right answer", *before, "candidate", "slice"], rows, wraps=True)


def _said(answer: str | None) -> Markup:
    return text(answer) if answer and not answer.isspace() else absent()


def _measures(facts: Facts) -> Iterator[Markup]:
    yield shown(tables.pooled(facts))
    yield from map(sentence, tables.judged(facts))
    if number_of := facts.metrics.get("truncated"):
        yield sentence(f"{counted(number_of, 'item')} longer than train.max_length; cut to it, and counted here.")
    if facts.metrics["candidate"]["slices"]:
        yield folded("the candidate, slice by slice", shown(tables.by_slice(facts).first(ROWS)))


def _robustness(facts: Facts) -> Iterator[Markup]:
    yield shown(tables.robustness(facts))
    by_slice = tables.robustness_by_slice(facts).first(CELLS)
    if by_slice.rows:
        yield folded("slice by slice", shown(by_slice))


def _chain(facts: Facts) -> Iterator[Markup]:
    yield _list(tables.chain(facts))
    yield heat.releases(facts.matrix.get("releases", []))
    if forgotten := shown(tables.forgetting(facts).first(CELLS)):
        yield folded("forgetting, slice by slice", forgotten)


def _labels(facts: Facts) -> Iterator[Markup]:
    yield heat.confusion(facts.details.get("confusion", []))
    pairs, every = tables.confused(facts.details).first(PAIRS), tables.labels(facts.details).first(LABELS)
    if pairs.rows:
        yield markup.joined([html_parts.heading(3, "Taken for one another"), shown(pairs)], "")
    if every.rows:
        yield folded("precision, recall and F1 of each label, the lowest first", shown(every))


def _calibration(facts: Facts) -> Iterator[Markup]:
    bins = facts.details.get("calibration", [])
    if any(found["items"] for found in bins):
        yield _part("charts", [charts.reliability(bins)])
        yield sentence("On the dashed line the model is as often right as it is sure. Larger dots: more items.")
        yield folded("the numbers", shown(tables.calibration(facts.details)))


def _data(facts: Facts) -> Iterator[Markup]:
    yield from map(html_parts.warning, funnel.alarms(facts.prepared))
    yield data_page.flow(facts.prepared, facts.assembled)
    yield sentence("More of it, with examples: reports/data.html")


def _training(facts: Facts) -> Iterator[Markup]:
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
    if any(drawn):
        yield _part("charts", drawn)


def _columns(content: str) -> dict[str, list[float]]:
    """Columns of a CSV file of numbers; an empty cell is none."""
    rows = list(csv.DictReader(io.StringIO(content)))
    names = rows[0].keys() if rows else ()
    return {name: [float(row[name] or "nan") for row in rows] for name in names}
