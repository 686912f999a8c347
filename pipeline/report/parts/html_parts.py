"""Parts of a page: text made harmless, tables, bars, folded examples. Each gives HTML."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from pipeline.common.visible import visible

LONGEST = 300  # characters shown of a text
STYLE = """\
.bars { width: 100%; table-layout: fixed; }
.bars th { width: 38%; font-weight: normal; white-space: normal; overflow-wrap: anywhere; padding-left: 0; }
.bars td.n { width: 5.5rem; text-align: right; }
.bars td:last-child { padding-right: 0; }
.bar { display: block; height: .8rem; background: var(--accent); border-radius: 2px; min-width: 1px; }
.bar.before { background: var(--line); margin-bottom: 2px; }
.bars .main th { font-weight: 600; }
.bars .loss .bar { opacity: .45; }
td.n, th.n { text-align: right; }
td.text { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 12rem; }
details { margin: .4rem 0; }
summary { cursor: pointer; }
bdi { white-space: pre-wrap; overflow-wrap: anywhere; }
.where, .small { opacity: .7; font-size: .85rem; }
.plain { margin: .4rem 0 .4rem 1.1rem; }
.wide { position: relative; background-repeat: no-repeat; background-image:
  linear-gradient(to left, Canvas 40%, transparent), linear-gradient(to left, var(--line), transparent);
  background-position: right; background-size: 2.5rem 100%, .7rem 100%; background-attachment: local, scroll; }
.wide th { white-space: normal; vertical-align: bottom; }
.wide bdi { display: inline-block; inline-size: max-content; max-inline-size: 20rem; overflow-wrap: break-word; }
.texts td { white-space: normal; vertical-align: top; min-width: 7rem; }
.texts td:first-child { min-width: 14rem; }
.stacks bdi { max-inline-size: 14rem; }
.wide .texts bdi { display: inline; overflow-wrap: anywhere; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.warn { border-left: 4px solid #d1242f; padding-left: .7rem; }
@media (min-width: 63rem) {
  .broad { --room: min(80rem, 100vw - 2.5rem); inline-size: var(--room); }
  .broad { margin-inline: calc((100% - var(--room)) / 2); }
  .broad th, .broad td { padding-inline: .4rem; }
  .broad table { min-inline-size: min(60rem, 100%); margin-inline: auto; }
}
@media (max-width: 30rem) {
  .bars th { width: 40%; }
  .bars td.n { width: 3.6rem; }
  .bars.two th { width: 30%; }
  .bars.two td.n { width: 3rem; }
  .bars.two td { font-size: .9rem; }
  th, td { padding: .3rem; }
  .wide bdi { max-inline-size: 8.5rem; }
  .stacks bdi { max-inline-size: 100%; }
  .wide td:first-child { min-width: 6.5rem; }
  .stacks, .stacks tbody, .stacks tr, .stacks td { display: block; }
  .stacks tr:first-child { display: none; }
  .stacks td { border: 0; padding: 0 .3rem; text-align: left; white-space: normal; }
  .stacks td::before { content: attr(data-title) ": "; opacity: .7; }
  .stacks td:first-child::before { content: none; }
  .stacks tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  .stacks:not(.texts) td:not(:first-child) { display: inline-block; vertical-align: top; margin-right: .6rem; }
  .stacks:not(.texts) td:not(:first-child):empty { display: none; }
}
"""


def text(value: object, longest: int = LONGEST) -> str:
    """What came from data, as it reads and without power: no markup, no control character, no foreign direction."""
    shown = str(value)
    if len(shown) > longest:
        shown = f"{shown[:longest]}… ({len(shown):,} characters)"
    return f"<bdi>{escape(visible(shown))}</bdi>"


def name(value: object, longest: int = 60) -> str:
    """A name that came from data, in a line of its own: as `text`, but cut without a count."""
    shown = " ".join(str(value).split())
    return text(shown if len(shown) <= longest else f"{shown[: longest - 1]}…") if shown else "<i>none</i>"


def words(value: object, longest: int = 600) -> str:
    """Our own words in which names from data may stand, as one line from left to right."""
    return f'<bdi dir="ltr">{escape(line(value, longest))}</bdi>'


def line(value: object, longest: int) -> str:
    """One line of characters that can be seen; none of them turns around what stands beside it. Not escaped."""
    shown = " ".join(str(value).split())
    return visible(shown if len(shown) <= longest else f"{shown[: longest - 1]}…")


def escaped(words: str) -> str:
    """Our own words, in which nothing is markup."""
    return escape(words)


def section(title: str, *content: str) -> str:
    """A heading with what stands below it; nothing at all without content."""
    body = "\n".join(filter(None, content))
    return f"<h2>{escape(title)}</h2>\n{body}\n" if body else ""


def sentence(words: str) -> str:
    """A line of our own words; escaped, too."""
    return f"<p>{escape(words)}</p>"


def table(
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[int] = (),
    kinds: Sequence[str] = (),
    wraps: bool = False,
    stacks: bool = False,
) -> str:
    """A table of cells that are HTML already; nothing without rows.

    Args:
        titles: of the columns, plain text.
        rows: cells.
        numbers: which columns stand flush right.
        kinds: a CSS class for each row, or "".
        wraps: whether every cell may break into lines, as texts must; such a table stacks, too.
        stacks: whether the cells of a row stand below one another on a phone, each with its title; such a table of
            numbers may be wider than the page's text.
    """
    right = dict.fromkeys(numbers, ' class="n"')
    head = "".join(f'<th scope="col"{right.get(place, "")}>{escape(title)}</th>' for place, title in enumerate(titles))
    stacks = stacks or wraps
    said = [f' data-title="{escape(title)}"' if stacks else "" for title in titles]  # beside each cell on a phone
    lines = []
    for at, row in enumerate(rows):
        mood = f' class="{kinds[at]}"' if at < len(kinds) and kinds[at] else ""
        cells = "".join(f"<td{right.get(place, '')}{said[place]}>{cell}</td>" for place, cell in enumerate(row))
        lines.append(f"<tr{mood}>{cells}</tr>")
    opening = '<table class="texts stacks">' if wraps else '<table class="stacks">' if stacks else "<table>"
    whole = "\n".join([opening, f"<tr>{head}</tr>", *lines, "</table>"])
    kind = "wide broad" if stacks and not wraps else "wide"
    return f'<div class="{kind}" tabindex="0">{whole}</div>' if lines else ""


def bars(rows: Iterable[tuple[str, int, str]], most: int | None = None) -> str:
    """One bar a row, the longest as wide as there is room; nothing without rows.

    Args:
        rows: (name as HTML, count, CSS class or "").
        most: the count of a bar of full width; the largest for None.
    """
    rows = list(rows)
    most = most or max((count for _, count, _ in rows), default=0) or 1
    lines = "\n".join(
        f'<tr class="{kind}"><th>{name}</th><td class="n">{count:,}</td><td>{bar(count / most)}</td></tr>'
        for name, count, kind in rows
    )
    return f'<table class="bars">\n{lines}\n</table>' if lines else ""


def bar(share: float, kind: str = "") -> str:
    """A bar of that share of its cell; none for nothing."""
    return f'<span class="bar {kind}" style="width:{min(share, 1):.1%}"></span>' if share > 0 else ""


def folded(title: str, content: str) -> str:
    """Content that opens at a click; both are HTML already."""
    return f"<details><summary>{title}</summary>\n{content}\n</details>"


def places(examples: Iterable[Mapping[str, Any]]) -> str:
    """Examples with file and line, as a list; the text is `text`, or `raw` of a row that was none."""
    items = [
        f'<li>{text(row.get("text", row.get("raw", "")))} <span class="where">{place(row)}</span></li>'
        for row in examples
    ]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def place(row: Mapping[str, Any]) -> str:
    """file:line of an example."""
    return text(f"{row.get('file', '?')}:{row.get('line', '?')}") if "file" in row else ""
