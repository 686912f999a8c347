"""JSON lines: one object a line."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pipeline.data.reading import lines
from pipeline.data.reading.chunk import Chunk, shown
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

# Escaped backslash | surrogate pair | one surrogate alone
_HEX = "[0-9a-fA-F]"
_ESCAPE = re.compile(rf"\\\\|\\u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}|(\\u[dD][89a-fA-F]{_HEX}{{2}})")


@dataclass(frozen=True, slots=True)
class JsonRow:
    """One line of a JSONL file: its values, or why there are none."""

    line: int  # from 1
    raw: str
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


def chunks(path: Path, spec: FileSpec, limits: Limits) -> Iterator[Chunk]:
    """Rows of a file; blank lines are none.

    Raises:
        GraftError: as `lines.text`.
    """
    with lines.text(path, spec.encoding, spec.compression, limits) as file:
        for number, texts in lines.lines(file, limits):
            found = Chunk()
            for place, text in enumerate(texts, number):
                if not text.isspace():
                    found.add(place, shown(text), *parsed(text, limits))
            yield found


def rows(path: Path, encoding: str = "utf-8") -> Iterator[JsonRow]:
    """Rows of a small file, one by one.

    Raises:
        GraftError: as `lines.text`.
    """
    for found in chunks(path, FileSpec(format="jsonl", encoding=encoding), Limits()):
        for line, raw, values, problem in zip(found.lines, found.raws, found.values, found.problems, strict=True):
            yield JsonRow(line, raw, values or {}, problem)


def parsed(text: str, limits: Limits) -> tuple[Mapping[str, Any] | None, str | None]:
    """The object that a text is, or why it is none; a lone surrogate becomes U+FFFD, as a bad byte does."""
    if len(text) > limits.max_line and len(text.rstrip("\r\n")) > limits.max_line:
        return None, "line too long"
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = _lenient(text)
        except (ValueError, RecursionError):
            return None, "not JSON"
    return (value, None) if isinstance(value, dict) else (None, "not a JSON object")


def _lenient(text: str) -> Any:
    """JSON with what Python's json module writes, too: surrogates alone, and numbers that are none, as null.

    Raises:
        ValueError: it is no such text.
    """
    text = _ESCAPE.sub(_paired, text) if "\\u" in text else text
    if text.lstrip().startswith("{") and ("NaN" in text or "Infinity" in text):
        return json.loads(text, parse_constant=lambda _: None)
    return orjson.loads(text)


def _paired(match: re.Match[str]) -> str:
    return r"\ufffd" if match[1] else match[0]
