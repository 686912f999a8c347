"""Plain values of YAML 1.2, read by libyaml: ruamel takes ten times as long, and every command reads DVC's files."""

import re
from collections.abc import Hashable
from typing import Any, ClassVar

import yaml
from ruamel.yaml.resolver import implicit_resolvers

_PREFIX = "tag:yaml.org,2002:"
DEPTH = 200
_MAY_BE_DEEP = re.compile(r"(?:[-?:]\s+){50}|^ {100}", re.MULTILINE)
_OWN = ("bool", "int", "float")  # what YAML 1.1, PyYAML's, reads otherwise: `no`, 1e-4, 0o17


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """A safe loader whose scalars are those of ruamel, by which DVC reads: https://yaml.org/spec/1.2.2/#core-schema."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in known if tag.removeprefix(_PREFIX) not in _OWN]
        for first, known in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def load(text: str) -> Any:
    """Plain values of one document.

    Raises:
        RecursionError: nested deeper than DEPTH: libyaml ends the process where the stack does.
        yaml.YAMLError: not YAML; several documents; or a key twice.
    """
    if text.count("[") + text.count("{") > DEPTH or _MAY_BE_DEEP.search(text):
        _require_flat(text)
    return yaml.load(text, _Loader)  # noqa: S506 - it is a safe one


def _require_flat(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):  # as far as it is flat
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise RecursionError


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [(loader.construct_object(key), key) for key, _ in node.value if key.tag != f"{_PREFIX}merge"]
    seen = set[Any]()
    for key, at in keys:
        if isinstance(key, Hashable):
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} twice", at.start_mark)
            seen.add(key)
    found: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return found


def _int(_: _Loader, node: yaml.ScalarNode) -> int:
    value = node.value.replace("_", "").lower()
    digits = value.lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 10)
    return int(value, base)


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions and _tag.removeprefix(_PREFIX) in _OWN:
        _Loader.add_implicit_resolver(_tag, _pattern, _first)
_Loader.add_constructor(f"{_PREFIX}map", _mapping)
_Loader.add_constructor(f"{_PREFIX}int", _int)
