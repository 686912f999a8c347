"""YAML that people write, read safely, with the line of every key.

ruamel and not PyYAML: DVC reads params with ruamel (YAML 1.2), where 1e-4 is a number. Anchors and aliases are
refused: a few nested ones are a document of any size (https://en.wikipedia.org/wiki/Billion_laughs_attack), and none
of these files needs one.
"""

import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from pipeline.common import files, schema, yaml_faults, yaml_values
from pipeline.common.errors import GraftError

_HELP = "the file must be YAML 1.2: lines of KEY: VALUE, indented by spaces"
# An anchor, alias, tag, or a key that is no text; a comment may look so, too: then events decide.
_MAY_BE_UNPLAIN = re.compile(r"(?:^|[\s,\[{:?-])[&*!]\S|(?:^|[\s,\[{])\?\s|[\]}]\s*:", re.MULTILINE)
_CONFLICT = re.compile(r"^(?:<<<<<<< |>>>>>>> )", re.MULTILINE)
_DEEP, _TOO_DEEP = re.compile(r"(?:[\[{]\s*){200}"), "nested too deeply"
_ENDLESS = re.compile(r"\b0[xob][0-9a-f_]{1000}", re.IGNORECASE)  # Python reads such a number and cannot print it


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
        content = path.read_bytes()
    except FileNotFoundError:
        raise GraftError(f"{path}: no such file", help=f"git checkout -- {path}") from None
    except OSError as error:
        raise GraftError(f"{path}: {error.strerror}", help=f"git checkout -- {path}") from None
    return _read(YAML(), content, str(path), _HELP, yaml_faults.unplain)


def parse(content: bytes, where: str, *, help: str = _HELP) -> Any:
    """Plain values of a YAML text that DVC wrote, or that a commit holds; of aliases only nested ones are refused.

    Args:
        content: its bytes.
        where: a path, or REV:PATH.
        help: what to do where it cannot be read.

    Raises:
        GraftError: not UTF-8, or not YAML.
    """
    return _read(yaml_values, content, where, help, _nested)


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


def _read(
    reader: Any, content: bytes, where: str, help: str, refused: Callable[[Iterable[Any]], tuple[int, str] | None]
) -> Any:
    try:
        text = content.decode("utf-8")
        if _DEEP.search(text):  # ruamel takes seconds to give up
            raise RecursionError
        if conflict := _CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            raise GraftError(f"{where}: line {line}: an unresolved merge conflict", help=yaml_faults.CONFLICT_HELP)
        found = refused(YAML(typ="safe", pure=True).parse(text)) if _MAY_BE_UNPLAIN.search(text) else None
        value = None if found or _ENDLESS.search(text) else reader.load(text)
    except UnicodeDecodeError as error:
        raise GraftError(f"{where}: not UTF-8 at byte {error.start}", help="save the file as UTF-8") from None
    except RecursionError:
        raise GraftError(f"{where}: {_TOO_DEEP}", help=help) from None
    except GraftError:
        raise
    except Exception as error:  # ruamel lets through what its parts raise: a date in month 13, a tag that fits nothing
        raise GraftError(f"{where}: {yaml_faults.words(error)}", help=help) from None
    if found:
        raise GraftError(f"{where}: line {found[0]}: {found[1]}", help=help)
    if _ENDLESS.search(text):
        raise GraftError(f"{where}: a number of more than 1,000 digits", help=help)
    return value


def _nested(events: Iterable[Any]) -> tuple[int, str] | None:
    """The first line with an alias inside of what an anchor names: only such a document can grow without bound."""
    open_anchors: list[bool] = []
    for event in events:
        if isinstance(event, AliasEvent) and any(open_anchors):
            return int(event.start_mark.line) + 1, "an alias inside of what an anchor names"
        if isinstance(event, CollectionStartEvent):
            open_anchors.append(event.anchor is not None)
        elif isinstance(event, CollectionEndEvent):
            open_anchors.pop()
    return None
