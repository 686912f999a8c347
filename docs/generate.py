"""docs/cli.md, docs/modules.md and docs/params.md, from --help, docstrings and settings.

`python docs/generate.py` writes them; a test holds them current.
"""

import ast
import json
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this clone's commands, wherever the package is installed from

from pipeline.cli import COMMANDS, command, main  # noqa: E402
from pipeline.settings import all_settings  # noqa: E402

WIDTH = 100  # characters of a line of help, whatever the terminal
CLI = """\
# The commands

What `--help` says, for every command. `python docs/generate.py` writes this page; a test holds it current.

`graft` stands in `.venv/bin`: `source .venv/bin/activate`, or `python -m pipeline` in its place.
Every command works from any folder of the repository. Exit code 0: done. 1: refused, or something is wrong; the
message says what, and after `help:` what to do. 2: typed wrongly.
"""
MODULES = """\
# The packages

A paragraph for each package of `pipeline/`, from its docstring; each module's own docstring says what it does. `python
docs/generate.py` writes this page; a test holds it current.
"""
PARAMS = """\
# The settings

Every key of params.yaml with its default in code. A file needs only the keys that it changes; `graft lock --show`
prints the effective values of your tree. `python docs/generate.py` writes this page; a test holds it current.
"""


def pages() -> dict[Path, str]:
    """Every generated page: path and text."""
    return {ROOT / "docs/cli.md": cli(), ROOT / "docs/modules.md": modules(), ROOT / "docs/params.md": settings()}


def cli() -> str:
    """The help of every command."""
    group = click.Context(main, info_name="graft", terminal_width=WIDTH, **main.context_settings)
    parts = [CLI, _section("graft", main.get_help(group))]
    for name in COMMANDS:
        one = command(name)
        parts.append(_section(f"graft {name}", one.get_help(click.Context(one, info_name=name, parent=group))))
    return "\n".join(parts)


def modules() -> str:
    """A paragraph for every package."""
    folder = ROOT / "pipeline"
    parts = [MODULES]
    for package in sorted(path.parent for path in folder.rglob("__init__.py")):
        name = package.relative_to(folder.parent).as_posix()
        names = sorted(path.stem for path in package.glob("*.py") if path.stem != "__init__")
        listed = f"\n\nModules: {', '.join(f'`{one}`' for one in names)}." if names else ""
        parts.append(f"## {name}\n\n{_docstring(package / '__init__.py')}{listed}\n")
    return "\n".join(parts)


def settings() -> str:
    """A table of the keys of each section."""
    found: dict[str, list[str]] = {}
    for setting in all_settings.shipped():
        section, _, key = setting.key.partition(".")
        cells = [f"`{key}`", f"`{json.dumps(setting.value, ensure_ascii=False)}`", setting.meaning, setting.range]
        found.setdefault(section, []).append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    head = "| key | default | meaning | range |\n|---|---|---|---|\n"
    return "\n".join([PARAMS, *(f"## {name}\n\n{head}" + "\n".join(rows) + "\n" for name, rows in found.items())])


def _section(name: str, help_text: str) -> str:
    lines = "\n".join(line.rstrip() for line in help_text.splitlines())
    return f"## {name}\n\n```text\n{lines}\n```\n"


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
        print(f"written: {page.relative_to(ROOT)}")
