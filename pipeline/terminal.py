"""What commands print: line by line, each harmless whatever it holds (pipeline/common/visible.py)."""

import sys
from typing import Any

import click

from pipeline.common import files
from pipeline.common.visible import json_text, one_line, visible_markdown


class _Manner:
    """How this process speaks: `graft -q`, and commands with --json, leave out what only tells how far they are."""

    quiet = False


def be_quiet() -> None:
    """From now on print warnings, errors and JSON alone; for commands that do something."""
    _Manner.quiet = True


def echo(*lines: str, err: bool = False) -> None:
    """Print lines; a newline inside of one comes from data and is shown as a sign."""
    for line in () if _Manner.quiet and not err else lines:
        click.echo(one_line(line), err=err)


def echo_headline(line: str, colour: str) -> None:
    """Print a line that matters most: bold and in colour, where it goes to a terminal."""
    click.secho(one_line(line), bold=True, fg=colour)


def echo_markdown(*parts: str) -> None:
    """Print Markdown that `pipeline.report.parts.markdown_parts` made, of a line or of many."""
    for part in parts:
        click.echo(visible_markdown(part))


def echo_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json_text(files.dumps(value)), nl=False)


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()
