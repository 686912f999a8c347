"""The frame of every page: one file that loads nothing, for phone and desktop, light and dark."""

from collections.abc import Iterable

from markupsafe import Markup

from pipeline.report.parts import markup

STYLES = ("parts/templates/frame.css", "parts/templates/parts.css")


def page(title: str, parts: Iterable[Markup | str], *styles: str) -> str:
    """A whole page.

    Args:
        title: plain text.
        parts: of its body, one below the other; plain texts are escaped.
        styles: style sheets that only this page needs, below pipeline/report.
    """
    body = markup.joined(parts)
    return markup.page("parts/templates/frame.html", title=title, body=body, style=markup.css(*STYLES, *styles))
