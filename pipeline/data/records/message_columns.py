"""Columns that are read out of the nested messages: a record's text, label and body; its hashes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.records import records
from pipeline.data.records.arrow import MESSAGE, ROWS

# Shape legend: N = records.
Digests = npt.NDArray[np.uint64]  # (N, 4): SHA-256 as 4 big-endian numbers, which sort as the digests do


CONTENT = ["messages", "rejected", "desirable", "tools", "images"]  # what two records must share to be one


@dataclass(frozen=True, slots=True)
class View:
    """What is compared of N records."""

    texts: pa.Array  # of a classification: what is classified, without the instruction above it; null for other kinds
    labels: pa.Array  # of a classification: its label; null for other kinds
    bodies: pa.Array  # what near-duplicates are told by: the text, or what is asked of another kind
    answers: pa.Array  # what they must have in common: the label, or all else of another kind; null for plain text

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """Which records are classifications."""
        valid: npt.NDArray[np.bool_] = self.labels.is_valid().to_numpy(zero_copy_only=False)
        return valid

    def first(self, count: int) -> "View":
        """The view of the first `count` records."""
        return View(*(column[:count] for column in (self.texts, self.labels, self.bodies, self.answers)))


def view(table: pa.Table | pa.RecordBatch) -> View:
    """Texts, labels and bodies of records (or rows without a problem)."""
    kinds, messages = _flat(table.column("kind")), _flat(table.column("messages"))
    contents, offsets = messages.flatten().field("content"), offsets_of(messages)
    labelled = pc.equal(kinds, "classification")
    firsts = pc.if_else(labelled, pa.array(offsets[:-1]), None)
    lasts = pc.if_else(labelled, pa.array(offsets[1:] - 1), None)
    texts = pc.replace_substring_regex(contents.take(firsts), r"(?s)^.*\n", "")  # a cleaned text is one line
    labels = contents.take(lasts)
    if pc.all(labelled).as_py() is not False:
        return View(texts=texts, labels=labels, bodies=texts, answers=labels)
    asked, answered = _conversations(table)
    return View(texts=texts, labels=labels, bodies=pc.coalesce(texts, asked), answers=pc.coalesce(labels, answered))


def no_rows() -> pa.RecordBatch:
    """A batch of ROWS without any."""
    return pa.RecordBatch.from_pylist([], schema=ROWS)


def offsets_of(messages: pa.Array) -> npt.NDArray[np.int64]:
    """Where each list begins in the flattened array, and where the last one ends; null is empty."""
    lengths = pc.fill_null(pc.list_value_length(messages), 0).to_numpy(zero_copy_only=False)
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def instructed(batch: pa.RecordBatch, instruction: str) -> pa.RecordBatch:
    """The batch with the instruction above each text of a classification."""
    labelled = pc.fill_null(pc.equal(batch.column("kind"), "classification"), False)
    if not instruction or not pc.any(labelled).as_py():
        return batch
    messages = batch.column("messages")
    offsets, flat = offsets_of(messages), messages.flatten()
    above = np.zeros(len(flat), bool)
    some = labelled.to_numpy(zero_copy_only=False) & (np.diff(offsets) > 0)  # a rejected row may have no messages
    above[offsets[:-1][some]] = True
    contents = flat.field("content")
    joined = pc.binary_join_element_wise(instruction, contents, "\n")
    fields = [
        pc.if_else(pa.array(above), joined, contents) if f.name == "content" else flat.field(f.name) for f in MESSAGE
    ]
    rebuilt = pa.StructArray.from_arrays(fields, fields=list(MESSAGE))
    lists = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), rebuilt)
    return batch.set_column(batch.schema.get_field_index("messages"), "messages", lists)


def digests(table: pa.Table | pa.RecordBatch) -> tuple[Digests, Digests]:
    """SHA-256 of every record's prompt and of its whole content, as `records.content_id` defines them."""
    kinds = table.column("kind")
    if pc.all(pc.equal(kinds, "classification")).as_py() is not False:
        return _classification_digests(_flat(table.column("messages")))
    rows = table.select(["kind", "messages", "rejected", "desirable", "tools", "images"]).to_pylist()
    both = [_both(row) for row in rows]
    return _numbers(prompt for prompt, _ in both), _numbers(whole for _, whole in both)


def hexes(digests_N4: Digests) -> pa.Array:
    """Digests as 64 hex digits each."""
    raw = np.ascontiguousarray(digests_N4.astype(">u8")).tobytes().hex()
    return pa.array([raw[at : at + 64] for at in range(0, len(raw), 64)], pa.string())


def numbers(hexes: pa.Array | pa.ChunkedArray) -> Digests:
    """The other way round: 64 hex digits each -> numbers."""
    return _numbers([bytes.fromhex("".join(hexes.to_pylist()))])


def hashes(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """64 bits of SHA-256 of each string, never 0; 0 for null."""
    listed = values.to_pylist()
    known = {value: 0 if value is None else _hash(value) for value in set(listed)}
    return np.array([known[value] for value in listed], dtype=np.uint64)


def counted(column: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    """How often each value stands in a column, by value; null is not counted."""
    found = pc.value_counts(column.drop_null()).to_pylist()
    return dict(sorted((row["values"], row["counts"]) for row in found))


def _hash(value: str) -> int:
    return int.from_bytes(hashlib.sha256(value.encode()).digest()[:8], "big") or 1


def _classification_digests(messages: pa.Array) -> tuple[Digests, Digests]:
    """The canonical JSON of two messages, written by hand: a dictionary a record would cost four times as much."""
    contents = messages.flatten().field("content").to_pylist()
    sha256, quoted = hashlib.sha256, orjson.dumps
    tails = {label: b',{"content":' + quoted(label) + b',"role":"assistant"}]' for label in set(contents[1::2])}
    prompts, wholes = [], []
    for text, label in zip(contents[::2], contents[1::2], strict=True):
        prompt = b'[{"content":' + quoted(text) + b',"role":"user"}'
        prompts.append(sha256(prompt + b"]").digest())
        wholes.append(sha256(prompt + tails[label]).digest())
    return _numbers(prompts), _numbers(wholes)


def _both(row: dict[str, Any]) -> tuple[bytes, bytes]:
    given = {"tools": row["tools"], "images": row["images"]}
    rejected = [_plain(message) for message in row["rejected"]] if row["rejected"] else None
    whole = records.content_id(row["messages"], given | {"rejected": rejected, "desirable": row["desirable"]})
    prompt = whole if row["kind"] == "text" else records.content_id(row["messages"][:-1], given)
    return bytes.fromhex(prompt), bytes.fromhex(whole)


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if value is not None}


def _conversations(table: pa.Table | pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
    """Of each record what is asked, and everything else as one string: two answers are never near, nor two images.

    A system message belongs to everything else: one that a thousand records share would make all of them near.
    """
    asked: list[str] = []
    answered: list[str | None] = []
    for row in table.select(["kind", *CONTENT]).to_pylist():
        messages = [_plain(message) for message in row.pop("messages")]
        if row.pop("kind") == "text":
            asked.append(messages[0]["content"])
            answered.append(None)
            continue
        turns = [message for message in messages[:-1] if message["role"] != "system"]
        rest = [message for message in messages if message not in turns]
        asked.append("\n".join(turn["content"] for turn in turns))
        calls = [turn.get("tool_calls") for turn in turns]
        answered.append(orjson.dumps([rest, calls, row], option=orjson.OPT_SORT_KEYS).decode())
    return pa.array(asked, pa.string()), pa.array(answered, pa.string())


def _numbers(parts: Iterable[bytes]) -> Digests:
    return np.frombuffer(b"".join(parts), ">u8").reshape(-1, 4).astype(np.uint64)


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
