"""Parts of a page: text made harmless, tables, bars, folded examples. Each gives markup."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from pipeline.common.visible import visible
from pipeline.report.parts import markup

LONGEST = 300  # characters shown of a text
_part = partial(markup.render, "parts/templates/parts.html")


def text(value: object, longest: int = LONGEST) -> Markup:
    """What came from data, as it reads and without power: no markup, no control character, no foreign direction."""
    shown = str(value)
    if len(shown) > longest:
        shown = f"{shown[:longest]}… ({len(shown):,} characters)"
    return _part("text", visible(shown))


def name(value: object, longest: int = 60) -> Markup:
    """A name that came from data, in a line of its own: as `text`, but cut without a count."""
    shown = " ".join(str(value).split())
    return text(shown if len(shown) <= longest else f"{shown[: longest - 1]}…") if shown else absent()


def absent(what: str = "none") -> Markup:
    """In place of a text that is not there."""
    return _part("absent", what)


def words(value: object, longest: int = 600) -> Markup:
    """Our own words in which names from data may stand, as one line from left to right."""
    return _part("words", line(value, longest))


def line(value: object, longest: int) -> str:
    """One line of characters that can be seen; none of them turns around what stands beside it. Not escaped."""
    shown = " ".join(str(value).split())
    return visible(shown if len(shown) <= longest else f"{shown[: longest - 1]}…")


def section(title: str, *content: Markup | str) -> Markup:
    """A heading with what stands below it; nothing at all without content."""
    body = markup.joined(content)
    return _part("section", title, body) if body else Markup()


def heading(level: int, words: str) -> Markup:
    """A heading inside a section."""
    return _part("heading", level, words)


def sentence(words: str | Markup) -> Markup:
    """A line of our own words."""
    return _part("sentence", words)


def small(words: str) -> Markup:
    """A line of our own words that explains what is shown."""
    return _part("small", words)


def warning(words: str) -> Markup:
    """A line that must be seen."""
    return _part("warning", words)


def table(
    titles: Sequence[str],
    rows: Iterable[Sequence[Markup | str]],
    *,
    numbers: Iterable[int] = (),
    kinds: Sequence[str] = (),
    wraps: bool = False,
    stacks: bool = False,
) -> Markup:
    """A table; nothing without rows.

    Args:
        titles: of the columns, plain text.
        rows: cells.
        numbers: which columns stand flush right.
        kinds: a CSS class for each row, or "".
        wraps: whether every cell may break into lines, as texts must; such a table stacks, too.
        stacks: whether the cells of a row stand below one another on a phone, each with its title; such a table of
            numbers may be wider than the page's text.
    """
    found = list(rows)
    if not found:
        return Markup()
    padded = [*kinds, *[""] * (len(found) - len(kinds))]
    return _part("table", titles, found, set(numbers), padded, wraps=wraps, stacks=stacks or wraps)


def bars(rows: Iterable[tuple[Markup | str, int, str]], most: int | None = None) -> Markup:
    """One bar a row, the longest as wide as there is room; nothing without rows.

    Args:
        rows: (name, count, CSS class or "").
        most: the count of a bar of full width; the largest for None.
    """
    rows = list(rows)
    most = most or max((count for _, count, _ in rows), default=0) or 1
    return _part("bars", [(*row, row[1] / most) for row in rows]) if rows else Markup()


def bar(share: float, kind: str = "") -> Markup:
    """A bar of that share of its cell; none for nothing."""
    return _part("bar", share, kind)


def bullets(items: Iterable[Markup | str]) -> Markup:
    """A list; nothing without items."""
    found = list(items)
    return _part("bullets", found) if found else Markup()


def folded(title: Markup | str, content: Markup) -> Markup:
    """Content that opens at a click."""
    return _part("folded", title, content)


def places(examples: Iterable[Mapping[str, Any]]) -> Markup:
    """Examples with file and line, as a list; the text is `text`, or `raw` of a row that was none."""
    return bullets(
        _part("pair", text(row.get("text", row.get("raw", ""))), _part("place", place(row))) for row in examples
    )


def place(row: Mapping[str, Any]) -> Markup:
    """file:line of an example."""
    return text(f"{row.get('file', '?')}:{row.get('line', '?')}") if "file" in row else Markup()


def where(words: Markup | str) -> Markup:
    """Where something stands, less in sight than what it is."""
    return _part("place", words)
