"""A command whose --help shows its options in groups, and that still takes older spellings which it does not show."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class GroupedOption(click.Option):
    """An option that names the group in which --help shows it."""

    def __init__(self, *arguments: Any, group: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.group = group


class GroupedCommand(click.Command):
    """A command with groups of options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each group under its name, those without one last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        options = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, click.Option)]
        for parameter in sorted(options, key=lambda parameter: not hasattr(parameter, "group")):
            if record := parameter.get_help_record(ctx):
                groups.setdefault(getattr(parameter, "group", "Other options"), []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


def in_group(group: str, *arguments: Any, **more: Any) -> Callable[[F], F]:
    """A click option in a group."""
    return click.option(*arguments, cls=GroupedOption, group=group, **more)
