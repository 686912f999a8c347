"""Defaults of settings in the code of an earlier commit, read from its sources and not run."""

import ast
import dataclasses
import inspect
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pipeline.chain.commits import git
from pipeline.common import files
from pipeline.settings import sections

UNKNOWN = object()  # a default that is no plain value in the source, or a class that is elsewhere there


@cache
def read(commit: str) -> dict[str, Any]:
    """The defaults of every section at a commit, as `sections.fill` nests them; UNKNOWN where no source tells."""
    return {name: _of_class(section, commit) for name, section in sections.SECTIONS.items()}


def _of_class(section: type, commit: str) -> Any:
    path = Path(inspect.getfile(section)).relative_to(files.ROOT).as_posix()
    try:
        body = ast.parse(git.show(commit, path) or b"").body
    except (SyntaxError, ValueError):
        return UNKNOWN
    found = next((node for node in body if isinstance(node, ast.ClassDef) and node.name == section.__name__), None)
    if found is None:
        return UNKNOWN
    stated = {
        node.target.id: node.value
        for node in found.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    kinds = get_type_hints(section)
    return {
        field.name: _of_class(kinds[field.name], commit)
        if dataclasses.is_dataclass(kinds[field.name])
        else _value(stated.get(field.name), body)
        for field in dataclasses.fields(section)
    }


def _value(node: ast.expr | None, body: list[ast.stmt]) -> Any:
    """A literal, or what the function of `field(default_factory=...)` returns."""
    if isinstance(node, ast.Call) and node.keywords:
        made = node.keywords[0].value
        functions = [part for part in body if isinstance(part, ast.FunctionDef) and part.name == ast.unparse(made)]
        returns = [part for function in functions for part in function.body if isinstance(part, ast.Return)]
        node = returns[0].value if returns else None
    try:
        value = ast.literal_eval(node) if node is not None else UNKNOWN
    except ValueError:
        return UNKNOWN
    return list(value) if isinstance(value, tuple) else value
