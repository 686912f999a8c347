"""Templates of pages: jinja2 escapes whatever is no markup, so that nothing from data is."""

from functools import cache
from typing import Any

from markupsafe import Markup

from pipeline.common import files

FOLDER = files.ROOT / "pipeline/report"


def render(template: str, macro: str, *values: Any, **named: Any) -> Markup:
    """What a macro of a template gives.

    Args:
        template: its file, below pipeline/report.
        macro: its name.
        values: plain texts, which are escaped, or markup.
        named: likewise.
    """
    found: Markup = getattr(_module(template), macro)(*values, **named)
    return found


def page(template: str, **values: Any) -> str:
    """A whole page."""
    return str(_environment().get_template(template).render(**values))


def css(*names: str) -> Markup:
    """Our own style sheets, one after the other."""
    return Markup("".join((FOLDER / name).read_text(encoding="utf-8") for name in names))  # noqa: S704 - of no data


def joined(parts: Any, between: str = "\n") -> Markup:
    """Parts in a row, without the empty ones; plain texts are escaped."""
    return Markup(between).join(part for part in parts if part)  # noqa: S704 - what stands between is ours


@cache
def _module(template: str) -> Any:
    return _environment().get_template(template).module


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )  # fmt: skip
