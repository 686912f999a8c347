"""Records as JSON lines, which people read: absent keys instead of null."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from pipeline.data.records.arrow import BATCH, SCHEMA

BLOCK = 16 << 20  # bytes parsed at a time: more than a usual line


def documents(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Each record as a dictionary without nulls, as schemas/record.schema.json says."""
    for start in range(0, table.num_rows, BATCH):
        part = table.slice(start, BATCH).combine_chunks()
        yield from _plain_classifications(part) if _is_plain(part) else map(_document, part.to_pylist())


def write(sink: BinaryIO, documents: Iterable[dict[str, Any]]) -> None:
    """One document a line, in the order given."""
    for document in documents:
        sink.write(line(document))


def line(document: dict[str, Any]) -> bytes:
    """A document as its line."""
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def read(path: Path, schema: pa.Schema = SCHEMA) -> pa.Table:
    """A table that lies there as JSON lines."""
    size, block = path.stat().st_size, BLOCK
    if not size:
        return schema.empty_table()
    parse = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    while True:
        try:
            found = pyarrow.json.read_json(path, pyarrow.json.ReadOptions(block_size=block), parse)
        except pa.ArrowInvalid:  # a line that is longer than a block
            if block > size:
                raise
            block *= 16
        else:
            return found.select(schema.names).cast(schema)


def _is_plain(part: pa.Table) -> bool:
    """Whether every record is a classification that says nothing beyond text and label."""
    rest = ("rejected", "desirable", "tools", "images", "key", "date", "weight")
    flat = part.column("messages").combine_chunks().flatten()
    extra = (flat.field("tool_calls"), flat.field("weight"))
    return (
        pc.all(pc.equal(part.column("kind"), "classification")).as_py() is True
        and all(part.column(name).null_count == len(part) for name in rest)
        and all(column.null_count == len(column) for column in extra)
    )


def _plain_classifications(part: pa.Table) -> Iterator[dict[str, Any]]:
    contents = part.column("messages").combine_chunks().flatten().field("content").to_pylist()
    names = ("id", "increment", "file", "line")
    for text, label, id_, increment, file, line in zip(
        contents[::2], contents[1::2], *(part.column(name).to_pylist() for name in names), strict=True
    ):
        yield {
            "id": id_,
            "kind": "classification",
            "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}],
            "increment": increment,
            "file": file,
            "line": line,
        }


def _document(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("messages", "rejected"):
        if row[name] is not None:
            row[name] = [_without_null(message) for message in row[name]]
    return _without_null(row)


def _without_null(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}
