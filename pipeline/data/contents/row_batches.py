"""Rows as an Arrow batch of arrow.ROWS: nested columns from flat ones, never from Python objects row by row."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.data.contents.row_content import RowContent, Turn
from pipeline.data.reading.chunk import Chunk
from pipeline.data.records import arrow


def pairs(texts: Sequence[str | None], labels: Sequence[str | None]) -> dict[str, pa.Array]:
    """Columns of texts and their labels: each a question and its answer; None for no messages."""
    usable = [text is not None for text in texts]
    count = sum(usable)
    contents: list[str | None] = [None] * (2 * count)
    contents[0::2] = [text for text in texts if text is not None]
    contents[1::2] = [label for label in labels if label is not None]
    roles = pa.DictionaryArray.from_arrays(np.tile(np.array([0, 1], np.int8), count), pa.array(["user", "assistant"]))
    offsets = np.concatenate([[0], 2 * np.cumsum(usable)]).astype(np.int32)
    none = pa.nulls(2 * count, pa.string())
    weights = pa.nulls(2 * count, pa.float32())
    turns = pa.StructArray.from_arrays(
        [roles.cast(pa.string()), pa.array(contents, pa.string()), none, weights], fields=list(arrow.MESSAGE)
    )
    return {"messages": pa.ListArray.from_arrays(pa.array(offsets), turns)}


def examples(found: Sequence[RowContent | None]) -> dict[str, pa.Array]:
    """Columns of examples; None for no messages."""
    return {
        "messages": _turns([() if one is None else one.messages for one in found]),
        "rejected": _turns([None if one is None else one.rejected for one in found]),
        "desirable": pa.array([None if one is None else one.desirable for one in found], pa.bool_()),
        "tools": pa.array([None if one is None else one.tools for one in found], pa.string()),
        "images": pa.array([None if one is None else one.images for one in found], pa.list_(pa.string())),
    }


def batch(
    chunk: Chunk,
    file: str,
    kind: str,
    content: dict[str, pa.Array],
    problems: Sequence[str | None],
    names: Mapping[str, Sequence[str | None]],
) -> pa.RecordBatch:
    """A batch of arrow.ROWS.

    Args:
        chunk: lines and raw texts.
        file: raw/NAME.
        kind: of the usable rows.
        content: columns that are known; others are null.
        problems: why a row cannot be used; None for a usable one.
        names: values of `key` and `date`.
    """
    size = len(chunk.lines)
    columns: dict[str, Any] = dict(content)
    bad = np.array([problem is not None for problem in problems], bool)
    columns["kind"] = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(size, np.int8), mask=bad), pa.array([kind])
    ).cast(pa.string())
    for name, values in names.items():
        columns[name] = pa.array(values, pa.string())
    columns["file"] = pa.DictionaryArray.from_arrays(np.zeros(size, np.int8), pa.array([file])).cast(pa.string())
    columns["line"] = pa.array(chunk.lines, pa.int64())
    columns["raw"] = pa.array(chunk.raws, pa.string())
    columns["problem"] = pa.array(problems, pa.string())
    arrays = [columns[name] if name in columns else pa.nulls(size, kind) for name, kind in _TYPES]
    return pa.RecordBatch.from_arrays(arrays, schema=arrow.ROWS)


_TYPES = [(one.name, one.type) for one in arrow.ROWS]


def _turns(found: Sequence[Sequence[Turn] | None]) -> pa.Array:
    counts = [0 if turns is None else len(turns) for turns in found]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    absent = np.array([turns is None for turns in found], bool)
    flat = [turn for turns in found if turns for turn in turns]
    columns = [pa.array([turn[place] for turn in flat], one.type) for place, one in enumerate(arrow.MESSAGE)]
    turns = pa.StructArray.from_arrays(columns, fields=list(arrow.MESSAGE))
    mask = pa.array(absent) if absent.any() else None
    return pa.ListArray.from_arrays(pa.array(offsets), turns, mask=mask)
