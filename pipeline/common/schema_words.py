"""What a JSON Schema allows, and what breaks it, in words for people."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.common.visible import one_line

LONGEST = 80  # characters of a value that a message shows
CLOSE = 0.65  # similarity of a word to one that is suggested in its place
_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "keys with values",
    "null": "null",
}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
_SIZES = {
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "minProperties": "at least {} keys",
    "maxProperties": "at most {} keys",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
}
_PREFIXES = ("hf:", "path:", "data/templates/", "data/augment/", "metrics/", "raw/", "v")  # that people leave out
_WORD = re.compile(r"[a-z][a-z0-9_-]+")
_HUB_URL = re.compile(r"https?://(?:www\.)?huggingface\.co/([^/]+/[^/?#]+)")

Problem = tuple[list[Any], str]  # path of keys, words


def problems(error: Any) -> Iterator[Problem]:
    """The problems that one error of `jsonschema` stands for, each with the path of the value that it is about."""
    path, value, schema = list(error.absolute_path), error.instance, error.schema
    rule, keyword = error.validator_value, error.validator
    if "propertyNames" in error.absolute_schema_path:  # the value is a key itself
        yield [*path, value], _key_words(keyword, rule, value)
    elif keyword == "additionalProperties" and isinstance(value, Mapping):
        yield from _unknown(path, value, schema)
    elif keyword == "required":
        missing = [name for name in rule if name not in value]
        first = next((name for name in missing if name in error.message), missing[0])  # an error for each
        yield path, f"the key {first!r} is missing"
    elif keyword in ("oneOf", "anyOf"):
        yield from _alternatives(error)
    elif schema is False or keyword == "properties":
        yield path, "is not allowed here"
    else:
        yield path, _words(keyword, rule, value, schema)


def _key_words(keyword: str, rule: Any, value: Any) -> str:
    """What is wrong with the name of a key."""
    if keyword == "enum":
        return f"unknown key{suggestion(value, rule)}"
    return "no name that a key here may have"


def _words(keyword: str, rule: Any, value: Any, schema: Any) -> str:
    """What a value is not, by the keyword that says so."""
    shown = short(value)
    if keyword in _BOUNDS:
        return f"must be {_BOUNDS[keyword]} {rule}, is {shown}"
    if keyword in _SIZES:
        if rule == 1 and not value:
            return "must not be empty"
        size = _SIZES[keyword].format(rule)
        size = size.replace("entries", "entry").removesuffix("s") if rule == 1 else size
        return f"must have {size}, has {len(value)}"
    found: dict[str, Callable[[], str]] = {
        "type": lambda: f"must be {allowed(schema)}, is {_kind(value)}",
        "enum": lambda: f"must be {_or(map(short, rule))}, is {shown}{suggestion(value, rule)}",
        "const": lambda: f"must be {short(rule)}, is {shown}",
        "uniqueItems": lambda: f"has {short(_repeated(value))} twice",
        "pattern": lambda: _unfit(value, rule, schema),
    }
    return found.get(keyword, lambda: f"{shown} does not fit{_expected(schema)}")()


def _unfit(value: str, pattern: str, schema: Any) -> str:
    if one_line(value) != value:
        return f"{short(value)} has a control character or a newline"
    return f"{short(value)} does not fit{_expected(schema)}{_completed(value, pattern)}"


def allowed(schema: Any) -> str:
    """What a schema allows, as a phrase: "a whole number, at least 1", "drop, keep or mask", "text or null"."""
    if not isinstance(schema, Mapping):
        return "anything"
    if "const" in schema:
        return short(schema["const"])
    if "enum" in schema:
        return _or(map(short, schema["enum"]))
    for keyword in ("oneOf", "anyOf"):
        if keyword in schema and "type" not in schema:
            return _or(dict.fromkeys(allowed(part) for part in schema[keyword]))
    kinds = schema.get("type", list(_KINDS))
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    words = [_KINDS[kind] + _bounds(schema, kind) for kind in kinds if kind != "null"]
    if kinds[:1] == ["array"] and isinstance(schema.get("items"), Mapping):
        words[0] = f"a list of {_plural(allowed(schema['items']))}"
    return _or([*words, *(["null"] if "null" in kinds else [])]) if len(kinds) < len(_KINDS) else "anything"


def _bounds(schema: Mapping[str, Any], kind: str) -> str:
    if kind not in ("integer", "number"):
        return ""
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']} to {schema['maximum']}"
    bounds = [f"{name} {schema[key]}" for key, name in _BOUNDS.items() if key in schema]
    return f" ({' and '.join(bounds)})" if bounds else ""


def _plural(words: str) -> str:
    """Several of what a phrase allows: of "a whole number (at least 0)" "whole numbers (at least 0)"."""
    return re.sub(r"^a (whole )?number", r"\1numbers", words).replace("text", "texts")


def suggestion(value: Any, names: Sequence[Any]) -> str:
    """`; did you mean 'epochs'?`, or nothing: a word must be close, whatever its case."""
    texts = {name.casefold(): name for name in reversed(names) if isinstance(name, str)}
    close = difflib.get_close_matches(str(value).casefold(), texts, n=1, cutoff=CLOSE)
    return f"; did you mean {texts[close[0]]!r}?" if close and texts[close[0]] != value else ""


def short(value: Any) -> str:
    """A value as JSON, text in quotes, cut where it is long."""
    text = repr(value) if isinstance(value, str) else _json(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)


def _unknown(path: list[Any], value: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Problem]:
    names = list(schema.get("properties", {}))
    patterns = [re.compile(pattern) for pattern in schema.get("patternProperties", {})]
    for name in value:
        if name not in names and not any(pattern.search(str(name)) for pattern in patterns):
            yield [*path, name], f"unknown key{suggestion(name, names)}"


def _alternatives(error: Any) -> Iterator[Problem]:
    """What is wrong with the alternative that the value was meant as; else what all of them allow."""
    by_branch: dict[Any, list[Any]] = {}
    for inner in error.context:
        by_branch.setdefault(inner.schema_path[0], []).append(inner)
    branches = {number: error.schema[error.validator][number] for number in by_branch}
    meant = [
        inner
        for number, inner in by_branch.items()
        if not any(one.validator in ("type", "const") and len(one.path) == 0 for one in inner)
        and _is_meant(error.instance, branches[number], list(branches.values()))
    ]
    if len(meant) == 1:
        for inner in meant[0]:
            yield from problems(inner)
        return
    parts = list(branches.values()) or error.schema[error.validator]
    described = _expected(error.schema) if any("properties" in str(part) for part in parts) else ""
    lacking = [names for part in parts if (names := part.get("required"))]
    if described:
        words = f"{short(error.instance)} does not fit{described}"
    elif len(lacking) == len(parts):
        words = f"must have {_or(' and '.join(map(repr, names)) for names in lacking)}, but not both"
    else:
        words = f"must be {_or(dict.fromkeys(map(allowed, parts)))}, is {short(error.instance)}"
        words += suggestion(error.instance, [part.get("const") for part in parts])
    yield list(error.absolute_path), words


def _is_meant(value: Any, branch: Mapping[str, Any], branches: Sequence[Mapping[str, Any]]) -> bool:
    """Whether keys with values may be meant as this alternative: one of its keys is no other alternative's."""
    if not isinstance(value, Mapping) or not all("properties" in part for part in branches):
        return True
    others = {name for part in branches if part is not branch for name in part["properties"]}
    return bool(value.keys() & (branch["properties"].keys() - others)) and not value.keys() & (
        others - branch["properties"].keys()
    )


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {short(value)}"
    if isinstance(value, Mapping):
        return "keys with values"
    if isinstance(value, list):
        return f"the list {short(value)}"
    return short(value)


def _expected(schema: Any) -> str:
    description = schema.get("description") if isinstance(schema, Mapping) else None
    return f": {description}" if description else ""


def _completed(value: Any, pattern: str) -> str:
    """A spelling that fits, where people often leave out a prefix, or misspell a word."""
    if not isinstance(value, str):
        return ""
    words = [word for word in _WORD.findall(pattern) if re.search(pattern, word)]
    if close := difflib.get_close_matches(value.casefold(), words, n=1, cutoff=0.75):
        return f"; did you mean {close[0]!r}?"
    found = next((text for text in _spellings(value) if re.search(pattern, text)), None)
    return f"; did you mean {found!r}?" if found else ""


def _spellings(value: str) -> Iterator[str]:
    """A value without what people add, and with what they leave out."""
    bare = re.sub(r"\s+", "", value)
    yield bare
    if match := _HUB_URL.match(bare):
        yield f"hf:{match[1]}"
    if bare and ":" not in bare:
        yield from (prefix + bare for prefix in _PREFIXES if not bare.startswith(prefix))


def _repeated(values: Sequence[Any]) -> Any:
    return next(value for place, value in enumerate(values) if value in values[:place])


def _or(words: Any) -> str:
    *first, last = list(words)
    return f"{', '.join(first)} or {last}" if first else str(last)
