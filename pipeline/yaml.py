"""YAML that people write, read safely, with the line of every key.

ruamel and not PyYAML: DVC reads params with ruamel (YAML 1.2), where 1e-4 is a number.
"""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline import files, schema
from pipeline.errors import GraftError


def load(path: Path, schema_name: str) -> Any:
    """Content of a YAML file that fits `schemas/SCHEMA_NAME.schema.json`.

    Raises:
        GraftError: the file is missing, is not YAML, or breaks its schema (all problems named).
    """
    document = load_unchecked(path)
    found = schema.problems(document, schema_name, lambda keys: line_of(document, keys))
    if found:
        raise GraftError(f"{path}: {found[0]}", found[1:], help=f"see schemas/{schema_name}.schema.json")
    return document


def load_unchecked(path: Path) -> Any:
    """Content of a YAML file, comments kept for a later `dump`.

    Raises:
        GraftError: the file is missing, not UTF-8, or not YAML.
    """
    try:
        return YAML().load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GraftError(f"{path}: no such file", help=f"git checkout -- {path}") from None
    except UnicodeDecodeError as error:
        raise GraftError(f"{path}: not UTF-8 at byte {error.start}", help="save the file as UTF-8") from None
    except YAMLError as error:
        raise GraftError(f"{path}: {_where(error)}", help="the file must be YAML 1.2") from None


def dump(path: Path, document: Any) -> None:
    """Replace a YAML file, with the comments that `load_unchecked` brought."""
    yaml = YAML()
    yaml.width = 4096  # never re-wrap a person's lines
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    text = io.StringIO()
    yaml.dump(document, text)
    files.write_text(path, text.getvalue())


def line_of(document: Any, keys: list[Any]) -> int | None:
    """Line (from 1) of the value that a path of keys leads to, as far as the path exists."""
    line = None
    for key in keys:
        try:
            marks = document.lc
            line = (marks.item if isinstance(key, int) else marks.key)(key)[0] + 1
            document = document[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def _where(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem or error.context}"
    return str(error).splitlines()[0]
