"""graft: the commands that git and DVC do not have."""

import errno
import os
import sys
from importlib import import_module
from pathlib import Path

import click

from pipeline import terminal
from pipeline.chain.commits import git
from pipeline.common import errors
from pipeline.common.errors import GraftError

COMMANDS = ("add", "plan", "lock", "release", "verify", "rollback", "diff", "log", "gc")  # in the order of work
DOING = ("add", "lock", "release", "rollback")  # what they print tells how far they are; that of others is asked for
_CALLED_FROM = "GRAFT_CALLED_FROM"


def command(name: str) -> click.Command:
    """One of COMMANDS."""
    found: click.Command = getattr(import_module(f"pipeline.commands.{name}"), name)
    return found


class _Group(click.Group):
    """Imports only the command that runs, and shows a GraftError as one message and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        return command(cmd_name) if cmd_name in COMMANDS else None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except GraftError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(1)
        except OSError as error:
            if error.errno == errno.EPIPE:  # click ends quietly where whoever reads the output has gone
                raise
            click.echo(f"Error: {errors.of_system(error)}", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="graft-models", prog_name="graft")
@click.option("-q", "--quiet", is_flag=True, help="add, lock, release and rollback print warnings and errors alone.")
@click.pass_context
def main(context: click.Context, quiet: bool) -> None:
    """Keep a fine-tuned model the way you keep code.

    \b
    A week's work:
      graft add 2026-02-spring drop.csv   open the next candidate
      graft plan                          what will `dvc repro` do?
      dvc repro                           train, evaluate, gate, merge
      git add -A && git commit            the commit is the candidate
      graft release                       publish it as a tag
      graft rollback v1.0.0               go back, in a new commit
    """
    context.obj = _go_to_root()
    if quiet and context.invoked_subcommand in DOING:
        terminal.be_quiet()


def _go_to_root() -> Path:
    """Work from the repository's root with the root's own code; returns the folder that the user stands in."""
    here = Path(os.environ.pop(_CALLED_FROM, Path.cwd()))
    root = next((folder for folder in (here, *here.parents) if (folder / "dvc.yaml").is_file()), None)
    if root is None:
        raise GraftError("this is no Graft repository: no dvc.yaml here or above", help="cd into your clone")
    os.chdir(root)
    if Path(__file__).resolve().parent != (root / "pipeline").resolve():  # installed from another clone
        os.environ[_CALLED_FROM] = str(here)
        os.execv(sys.executable, [sys.executable, "-m", "pipeline", *sys.argv[1:]])
    git.require_own_repository()
    return here
