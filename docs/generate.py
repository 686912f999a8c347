"""docs/cli.md and docs/modules.md, from --help and docstrings.

`python docs/generate.py` writes them; a test holds them current.
"""

import ast
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this clone's commands, wherever the package is installed from

from pipeline.cli import COMMANDS, command, main  # noqa: E402

WIDTH = 100  # characters of a line of help, whatever the terminal
CLI = """\
# The commands

What `--help` says, for every command. `python docs/generate.py` writes this page; a test holds it current.

`graft` stands in `.venv/bin`: `source .venv/bin/activate`, or `python -m pipeline` in its place.
Every command works from any folder of the repository. Exit code 0: done. 1: refused, or something is wrong; the
message says what, and after `help:` what to do. 2: typed wrongly.
"""
MODULES = """\
# The modules

The first line of each module's docstring. `python docs/generate.py` writes this page; a test holds it current.

| in `pipeline/` | |
|---|---|
"""


def pages() -> dict[Path, str]:
    """Every generated page: path and text."""
    return {ROOT / "docs/cli.md": cli(), ROOT / "docs/modules.md": modules()}


def cli() -> str:
    """The help of every command."""
    group = click.Context(main, info_name="graft", terminal_width=WIDTH, **main.context_settings)
    parts = [CLI, _section("graft", main.get_help(group))]
    for name in COMMANDS:
        one = command(name)
        parts.append(_section(f"graft {name}", one.get_help(click.Context(one, info_name=name, parent=group))))
    return "\n".join(parts)


def modules() -> str:
    """A line for every module of the package."""
    folder = ROOT / "pipeline"
    paths = [path for path in folder.rglob("*.py") if path.name != "__init__.py"]
    rows = [(path.relative_to(folder).as_posix(), _first_line(path)) for path in paths]
    return MODULES + "".join(f"| `{name}` | {line} |\n" for name, line in sorted(rows))


def _section(name: str, help_text: str) -> str:
    lines = "\n".join(line.rstrip() for line in help_text.splitlines())
    return f"## {name}\n\n```text\n{lines}\n```\n"


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].replace("|", "\\|")


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
        print(f"written: {page.relative_to(ROOT)}")
