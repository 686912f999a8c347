"""Tokens of records, kept by content: what was tokenised once, by the same tokenizer and template, is read.

A scratch folder holds Arrow files, each named by the SHA-256 of its bytes: a damaged one is removed and made again, a
kill leaves none half-written. Nothing here changes a result: what is read is what would be made.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import tokenizers
import transformers

from pipeline.common import files, sources
from pipeline.data.records.records import Record
from pipeline.model.chat.chat import Chat
from pipeline.training.examples import encoding
from pipeline.training.examples.conversations import Encoded
from pipeline.training.examples.encoding import Variants

FOLDER = Path(".graft/tokens")
LIMIT = 1 << 30  # bytes of all that is kept; what was not read for longest goes first
PART = 20_000  # records of a file: what a kill may lose
_CODE = ("pipeline/model/chat", "pipeline/training/examples")  # an edit may make other tokens of the same records
_SCHEMA = pa.schema([("key", pa.binary(32)), ("tokens", pa.list_(pa.int32())), ("shape", pa.list_(pa.int32()))])


def encode(chat: Chat, records: Sequence[Record], folder: Path = FOLDER, workers: int = 0) -> list[Variants]:
    """As `encoding.encode`, but only what is not in `folder` is tokenised, and then kept there.

    Args:
        chat: renders and tokenises.
        records: in any order.
        folder: what is kept.
        workers: processes that tokenise PART records each, where there are more; below 2: this one.
    """
    place = folder / fingerprint(chat)
    keys = pa.array([_key(record) for record in records], pa.binary(32))
    found: list[Variants | None] = [None] * len(records)
    for path in sorted(place.glob("*.arrow")):
        _fill(found, keys, path)
    missing = [index for index, variants in enumerate(found) if variants is None]
    parts = [missing[start : start + PART] for start in range(0, len(missing), PART)]
    for part, made in zip(
        parts, _made(chat, [[records[index] for index in part] for part in parts], workers), strict=True
    ):
        _write(place, [keys[index] for index in part], made)
        for index, variants in zip(part, made, strict=True):
            found[index] = variants
    _prune(folder)
    return [variants for variants in found if variants is not None]


def _made(chat: Chat, parts: Sequence[Sequence[Record]], workers: int) -> Iterator[list[Variants]]:
    """Each part's tokens, in order."""
    if workers < 2 or len(parts) < 2:
        yield from (encoding.encode(chat, part) for part in parts)
        return
    # Not by fork: torch's and the tokenizer's threads would not come along.
    with ProcessPoolExecutor(min(workers, len(parts)), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(partial(encoding.encode, chat), parts)


def fingerprint(chat: Chat) -> str:
    """What the tokens of a record follow from beside it: tokenizer, template, code; 64 hex digits."""
    digest = hashlib.sha256(f"{tokenizers.__version__} {transformers.__version__} {chat.template}".encode())
    for path in sorted(chat.folder.iterdir()):
        if path.is_file() and path.suffix != ".safetensors":
            digest.update(f"\n{path.name} {files.sha256(path)}".encode())
    digest.update(repr(sources.hashes(_CODE)).encode())
    return digest.hexdigest()


def _key(record: Record) -> bytes:
    content = [record.kind, record.messages, record.rejected, record.tools]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def _fill(found: list[Variants | None], keys: pa.Array, path: Path) -> None:
    """Take what a file knows; a file that does not hold what its name says is removed."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        path.unlink()
        return
    table = pa.ipc.open_file(content).read_all().combine_chunks()
    rows = pc.index_in(keys, value_set=table.column("key").combine_chunks())
    hits = np.flatnonzero(rows.is_valid().to_numpy(zero_copy_only=False))
    if len(hits):
        os.utime(path)
        taken = table.take(rows.drop_null())
        for index, variants in zip(hits.tolist(), _unpacked(taken), strict=True):
            found[index] = variants


def _write(place: Path, keys: Sequence[Any], made: Sequence[Variants]) -> None:
    packed = [_packed(variants) for variants in made]
    columns = [pa.array(keys, pa.binary(32)), [tokens for tokens, _ in packed], [shape for _, shape in packed]]
    table = pa.table(dict(zip(_SCHEMA.names, columns, strict=True)), schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _SCHEMA) as writer:
        writer.write_table(table)
    content = sink.getvalue().to_pybytes()
    files.write_bytes(place / f"{hashlib.sha256(content).hexdigest()}.arrow", content)


def _packed(variants: Variants) -> tuple[list[int], list[int]]:
    """All tokens in a row, and what they are.

    The numbers: per variant how many sequences; per sequence tokens, answers, spans learned, then those themselves.
    """
    tokens: list[int] = []
    shape: list[int] = []
    for variant in variants:
        shape.append(len(variant))
        for one in variant:
            spans = _spans(one.learned)
            tokens += one.tokens
            shape += [len(one.tokens), len(one.answers), len(spans), *one.answers, *spans]
    return tokens, shape


def _spans(learned: Sequence[bool]) -> list[int]:
    """Where it changes whether tokens are learned: 3, 5 means that tokens 3 and 4 are."""
    padded = [False, *learned, False]
    return [n for n in range(len(learned) + 1) if padded[n] != padded[n + 1]]


def _unpacked(table: pa.Table) -> Iterator[Variants]:
    flat, begins = _lists(table.column("tokens"))
    for row, shape in enumerate(table.column("shape").to_pylist()):
        tokens, at, variants = flat[begins[row] : begins[row + 1]].tolist(), 0, []
        numbers = iter(shape)
        for sequences in numbers:
            variant = []
            for _ in range(sequences):
                size, answers, spans = next(numbers), next(numbers), next(numbers)
                positions = tuple(next(numbers) for _ in range(answers))
                learned = [False] * size
                for start, stop in ((next(numbers), next(numbers)) for _ in range(spans // 2)):
                    learned[start:stop] = [True] * (stop - start)
                variant.append(Encoded(tokens=tokens[at : at + size], learned=learned, answers=positions))
                at += size
            variants.append(variant)
        yield variants


def _lists(column: pa.ChunkedArray) -> tuple[Any, Any]:
    array = column.combine_chunks()
    return array.values.to_numpy(), array.offsets.to_numpy()


def _prune(folder: Path) -> None:
    """Keep what was used last, up to LIMIT bytes."""
    kept, known = 0, [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*/*.arrow")]
    for _, size, path in sorted(known, reverse=True):
        kept += size
        if kept > LIMIT:
            path.unlink()
