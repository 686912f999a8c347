"""The contents of a batch's messages as one column: read, rewritten, and rows rejected for them.

A step sees every content of `messages` and `rejected` as one long array of strings, works on it in bulk, and
puts it back. Rows with a problem hold no messages, so no step meets them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.records import arrow

Bools = npt.NDArray[np.bool_]
COLUMNS = ("messages", "rejected")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Every content of a batch: those of `messages` in order, then those of `rejected`."""

    values: pa.Array  # string
    roles: pa.Array  # string
    calls: pa.Array  # string: the message's tool_calls
    rows: npt.NDArray[np.int64]  # the row of each
    labels: Bools  # whether it is the label of a classification
    lines: Bools  # whether it is one line of text: all of a classification's are


def contents(batch: pa.RecordBatch) -> Contents:
    """The contents of a batch of ROWS."""
    parts = [batch.column(name) for name in COLUMNS]
    messages = [column.flatten() for column in parts]
    rows = np.concatenate([np.repeat(np.arange(batch.num_rows), _lengths(column)) for column in parts])
    one_line = bools(pc.equal(batch.column("kind"), "classification"))[rows]
    values, roles, calls = (_joined(messages, name) for name in ("content", "role", "tool_calls"))
    labels = one_line & bools(pc.equal(roles, "assistant"))
    return Contents(values=values, roles=roles, calls=calls, rows=rows, labels=labels, lines=one_line)


def put(batch: pa.RecordBatch, values: pa.Array) -> pa.RecordBatch:
    """The batch with other contents, in the order in which `of` gives them."""
    start = 0
    for name in COLUMNS:
        column = batch.column(name)
        messages = column.flatten()
        fields = dict(zip([field.name for field in arrow.MESSAGE], messages.flatten(), strict=True))
        fields["content"] = values.slice(start, len(messages))
        start += len(messages)
        rebuilt = pa.StructArray.from_arrays(list(fields.values()), fields=list(arrow.MESSAGE))
        batch = _set(batch, name, _listed(column, rebuilt))
    return batch


def rewrite(values: pa.Array, touched: Bools, change: Callable[[str], str]) -> pa.Array:
    """The values with those that `touched` names changed one by one."""
    if not touched.any():
        return values
    mask = pa.array(touched)
    changed = [change(value) for value in values.filter(mask).to_pylist()]
    return pc.replace_with_mask(values, mask, pa.array(changed, pa.string()))


def reject(batch: pa.RecordBatch, reasons: Iterable[tuple[str, Bools]]) -> pa.RecordBatch:
    """The batch with a problem in the rows that each reason names; a row keeps its first, and loses its messages."""
    names: list[str] = []
    places = np.full(batch.num_rows, -1)
    for name, rows in reasons:
        places[rows & (places < 0)] = len(names)
        names.append(name)
    if (places < 0).all():
        return batch
    found = pa.array(names, pa.string()).take(pa.array(places, mask=places < 0))
    batch = _set(batch, "problem", pc.coalesce(batch.column("problem"), found))
    kept = bools(batch.column("problem").is_null())
    for name in COLUMNS:
        column = batch.column(name)
        inside = pa.array(np.repeat(kept, _lengths(column)))
        batch = _set(batch, name, _listed(column, column.flatten().filter(inside), kept))
    return batch


def matching(values: pa.Array, pattern: str) -> Bools:
    """Which values an RE2 pattern is found in; null is none of them."""
    return bools(pc.match_substring_regex(values, pattern))


def bools(array: pa.Array) -> Bools:
    """A boolean column in numpy; null is false."""
    values: Bools = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
    return values


def rows_of(found: Contents, hits: Bools, count: int) -> Bools:
    """Which of a batch's `count` rows hold one of the contents that `hits` names."""
    rows: Bools = np.zeros(count, dtype=bool)
    rows[found.rows[hits]] = True
    return rows


def _listed(column: pa.Array, messages: pa.Array, kept: Bools | None = None) -> pa.Array:
    valid = bools(column.is_valid())
    lengths = _lengths(column)
    if kept is not None:
        valid &= kept
        lengths = np.where(kept, lengths, 0)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, messages, type=column.type, mask=pa.array(~valid))


def _joined(messages: list[pa.Array], field: str) -> pa.Array:
    parts = [pc.struct_field(array, field) for array in messages if len(array)]
    return parts[0] if len(parts) == 1 else pa.concat_arrays(parts) if parts else pa.array([], pa.string())


def _lengths(column: pa.Array) -> npt.NDArray[np.int64]:
    lengths: Any = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    return lengths  # type: ignore[no-any-return]


def _set(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)
