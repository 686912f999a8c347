"""reports/data.html: what became of an increment's rows, as one page; pure functions of the two reports.

Every text that it shows was masked by `prepare`; here it is only made harmless.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from pipeline.common.words import counted
from pipeline.report.data import funnel
from pipeline.report.data.label_balance import balance, changes
from pipeline.report.parts import frame, html_parts, markup
from pipeline.report.parts.html_parts import bars, folded, heading, section, sentence, text

Report = Mapping[str, Any]
_part = partial(markup.render, "data/templates/data_page.html")


def html(prepared: Report, assembled: Report) -> str:
    """The page.

    Args:
        prepared: data/prepared/report.json.
        assembled: data/assembled/report.json.
    """
    name = str(prepared.get("increment", ""))
    body = [
        _part("title", text(name)),
        *_summary(prepared, assembled),
        section("From rows read to records trained on", flow(prepared, assembled)),
        section("Dropped, by reason", *_dropped(prepared, assembled)),
        section("Masked", _masked(prepared)),
        section("Labels", balance(assembled)),
        section("Label changes", *changes(assembled)),
        section("One text, several labels", *_conflicts(prepared, assembled)),
        section("Near-duplicates", *_clusters(prepared)),
        section("Length in characters", _lengths(prepared)),
        section("Keys", _keys(assembled)),
        section("Files", _files(prepared)),
        section("Evaluation slices", _counts(assembled.get("slices", {}))),
        section("Kinds", _kinds(prepared)),
    ]
    return frame.page(f"Data of {name}", body)


def _summary(prepared: Report, assembled: Report) -> Iterator[Markup]:
    new, held_out, trained = (count(assembled) for count in (funnel.new, funnel.held_out, funnel.trained))
    more = f"; with replay and augmentation {counted(trained, 'record')} to train on" if trained != new else ""
    yield sentence(
        f"{counted(prepared['read'], 'row')} read. {counted(new, 'new record')} to train on and "
        f"{counted(held_out, 'new record')} held out for evaluation{more}."
    )
    yield from map(html_parts.warning, funnel.alarms(prepared))
    if lost := funnel.unaccounted(prepared, assembled):
        yield html_parts.warning(f"{counted(lost, 'row')} not accounted for: this is a fault of the pipeline.")


def flow(prepared: Report, assembled: Report) -> Markup:
    """The stages as full bars, and between them what left, paler."""
    dropped = funnel.dropped(assembled)
    rows = [
        ("rows read", prepared["read"], "main"),
        ("rejected", sum(prepared["rejects"].values()), "loss"),
        ("records", assembled["records"], "main"),
        *((text(funnel.words(fate)), count, "loss") for fate, count in dropped.items()),
        ("held out for evaluation", funnel.held_out(assembled), "loss"),
        ("new to train on", funnel.new(assembled), "main"),
        ("replayed from the chain", assembled.get("replayed", 0), ""),
        ("made by augmentation", assembled.get("augmented", 0), ""),
        ("trained on", funnel.trained(assembled), "main"),
    ]
    return bars(row for row in rows if row[1] or row[2] == "main")


def _dropped(prepared: Report, assembled: Report) -> Iterator[Markup]:
    """Each reason with its count and examples, most frequent first: rows that were rejected, then records."""
    rejects, dropped = prepared["rejects"], funnel.dropped(assembled)
    if not rejects and not dropped:
        yield sentence("Nothing: every row read is trained on or held out.")
    if rejects:
        yield heading(3, "Rows rejected")
        yield from _reasons({reason: (reason, count) for reason, count in rejects.items()}, prepared)
        yield sentence("All of them, as they were read: data/prepared/rejects.jsonl")
    if dropped:
        yield heading(3, "Records dropped")
        yield from _reasons({fate: (funnel.words(fate), count) for fate, count in dropped.items()}, assembled)
        yield sentence("All of them: data/assembled/dropped.jsonl")


def _reasons(found: Mapping[str, tuple[str, int]], report: Report) -> Iterator[Markup]:
    """By key of the report's examples: words and count."""
    for key, (words, count) in sorted(found.items(), key=lambda item: (-item[1][1], item[0])):
        title, shown = _part("reason", text(words), count), html_parts.places(report.get("examples", {}).get(key, []))
        yield folded(title, shown) if shown else _part("unfolded", title)


def _masked(prepared: Report) -> Markup:
    masked = {kind: count for kind, count in prepared.get("masked", {}).items() if count}
    return _counts(masked) if masked else sentence("Nothing was masked.")


def _conflicts(prepared: Report, assembled: Report) -> Iterator[Markup]:
    for title, found in (
        ("Inside the increment", prepared.get("conflicts", [])),
        ("Against the chain", assembled.get("conflicts_shown", [])),
    ):
        if found:
            yield heading(3, title)
            yield html_parts.table(["text", "labels", "settled"], map(_conflict, found), wraps=True)


def _conflict(found: Report) -> list[Markup | str]:
    labels = _part("labels", [(text(label), count) for label, count in found["labels"].items()])
    kept = found.get("kept")
    settled = "left out" if kept is None else _part("kept", text(kept))
    return [text(found["text"]), labels, settled]


def _clusters(prepared: Report) -> Iterator[Markup]:
    found = prepared.get("near_duplicates") or {}
    if not found.get("clusters"):
        return
    yield sentence(f"{counted(found['clusters'], 'cluster')} in the increment; the largest:")
    for cluster in found.get("largest", []):
        kept = cluster["kept"]
        where = html_parts.where(html_parts.place(kept))
        title = _part("cluster", cluster["size"], text(kept["text"], 120), where)
        more = cluster["size"] - 1 - len(cluster["dropped"])
        rest = sentence(f"and {more:,} more") if more > 0 else Markup()
        yield folded(title, html_parts.places(cluster["dropped"]) + rest)


def _lengths(prepared: Report) -> Markup:
    """One bar for each range; empty ranges at both ends are left out."""
    found = prepared.get("lengths") or {}
    edges, counts = found.get("edges", []), found.get("counts", [])
    names = [f"{low:,} to {high - 1:,}" for low, high in pairwise(edges)]
    names += [f"{edges[-1]:,} and more"] if edges else []
    filled = [place for place, count in enumerate(counts) if count]
    if not filled:
        return Markup()
    here = slice(filled[0], filled[-1] + 1)
    return bars((name, count, "") for name, count in zip(names[here], counts[here], strict=False))


def _keys(assembled: Report) -> Markup:
    return _counts(assembled.get("keys") or {}, sort=False)


def _files(prepared: Report) -> Markup:
    rows = (
        [text(name), f"{counts['read']:,}", f"{counts['records']:,}"]
        for name, counts in sorted(prepared.get("files", {}).items())
    )
    return html_parts.table(["file", "rows read", "records"], rows, numbers=(1, 2))


def _kinds(prepared: Report) -> Markup:
    kinds = prepared.get("kinds", {})
    return _counts(kinds) if len(kinds) > 1 else Markup()  # one kind says nothing new


def _counts(counts: Mapping[str, int], *, sort: bool = True) -> Markup:
    rows: Iterable[tuple[str, int]] = counts.items()
    ordered: Sequence[tuple[str, int]] = sorted(rows, key=lambda row: (-row[1], row[0])) if sort else list(rows)
    return bars((text(name), count, "") for name, count in ordered)
