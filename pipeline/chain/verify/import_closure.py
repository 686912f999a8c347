"""Which files of pipeline/ a module runs: its import closure, read from the sources without importing them."""

import ast
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from pipeline.common.files import ROOT

PACKAGE = "pipeline"


def closure(path: Path) -> set[Path]:
    """A file and all files of `pipeline` that it imports, lazily too, transitively; packages' own files excepted."""
    seen: set[Path] = set()
    todo = [path]
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += imported_by(file)
    return seen


def imported_by(path: Path) -> set[Path]:
    """Files of `pipeline` that a file imports anywhere in it."""
    names = _names(ast.parse(path.read_text(encoding="utf-8")))
    files = {_file(name) for name in names if name.split(".", 1)[0] == PACKAGE}
    return {file for file in files if file is not None and file.name != "__init__.py"}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None


def packages(paths: set[Path]) -> set[Path]:
    """The `__init__.py` of every package that the files are in: importing one of them runs it."""
    parents = {parent for path in paths for parent in path.parents if parent.is_relative_to(ROOT / PACKAGE)}
    return {parent / "__init__.py" for parent in parents if (parent / "__init__.py").is_file()}


def shadows() -> list[str]:
    """Paths below pipeline/ that Python imports in place of a module: packages of its name, binaries, byte code.

    Byte code of the usual kind is made again where its source is newer; the hash-based kind, which nothing here
    writes, is believed (https://peps.python.org/pep-0552/).
    """
    modules = [path for path in (ROOT / PACKAGE).rglob("*.py") if path.name != "__init__.py"]
    found = {path.with_suffix("") for path in modules if (path.with_suffix("") / "__init__.py").exists()}
    found |= {
        path
        for path in (ROOT / PACKAGE).rglob("*")
        if path.name.endswith((*EXTENSION_SUFFIXES, ".pyc")) and (path.suffix != ".pyc" or _is_believed(path))
    }
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def _is_believed(byte_code: Path) -> bool:
    """Whether Python takes a .pyc without a look at when its source was written."""
    with byte_code.open("rb") as file:
        flags = file.read(8)[4:]
    return flags != bytes(4) or byte_code.parent.name != "__pycache__"
