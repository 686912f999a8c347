"""What tests of readers share."""

from pathlib import Path
from typing import Any

from pipeline.data.prepare import rows
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.increment import Increment
from pipeline.data.records import arrow

CSV = FileSpec(format="csv", delimiter=",", header=False, columns=("a", "b"), text="a", label="b")
JSONL = FileSpec(format="jsonl", text="a", label="b")


def increment(task: str = "classification", **more: Any) -> Increment:
    """An increment of no files."""
    return Increment(name="x", task=task, instruction="", files={}, **more)


def read(
    path: Path, spec: FileSpec, limits: rows.Limits | None = None, about: Increment | None = None
) -> list[dict[str, Any]]:
    """Rows of a file, each batch checked to be one."""
    batches = list(rows.batches(path, f"raw/{path.name}", spec, about or increment(), limits or rows.Limits()))
    for batch in batches:
        assert batch.schema == arrow.ROWS
        batch.validate(full=True)
    return [row for batch in batches for row in batch.to_pylist()]


def pairs(found: list[dict[str, Any]]) -> list[tuple[int, Any]]:
    """Line, and text and label or the problem, of each row."""
    return [(row["line"], row["problem"] or tuple(turn["content"] for turn in row["messages"])) for row in found]
