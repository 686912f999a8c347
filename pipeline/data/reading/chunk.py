"""What every reader yields: some rows of a file, as parallel lists."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RAW = 2_000  # characters of a row that are kept to show it
TEXT = 1 << 21  # characters of a text file that are worked on at a time


@dataclass(slots=True)
class Chunk:
    """Rows in the file's order."""

    lines: list[int] = field(default_factory=list)  # where each begins, from 1
    raws: list[str] = field(default_factory=list)  # the first characters of each
    values: list[Mapping[str, Any] | None] = field(default_factory=list)  # column or key -> value; None: a problem
    problems: list[str | None] = field(default_factory=list)

    def add(self, line: int, raw: str, values: Mapping[str, Any] | None, problem: str | None) -> None:
        """One more row."""
        self.lines.append(line)
        self.raws.append(raw)
        self.values.append(values)
        self.problems.append(problem)

    def part(self, start: int, end: int) -> "Chunk":
        """Rows `start` to `end`."""
        return Chunk(self.lines[start:end], self.raws[start:end], self.values[start:end], self.problems[start:end])


def shown(text: str) -> str:
    """What is kept of a row's text: its first characters, writable as UTF-8."""
    head = text[:RAW].rstrip("\r\n")
    return head if head.isascii() else head.encode("utf-8", "backslashreplace").decode()
