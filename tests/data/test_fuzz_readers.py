"""Whatever bytes a file holds: no exception but GraftError, and every row is there once."""

import contextlib
import io
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pipeline.common.errors import GraftError
from pipeline.data.detect import detect
from pipeline.data.prepare import rows
from pipeline.data.reading import chunk, text_encoding
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.increment import Increment
from pipeline.data.records import arrow

QUICK = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))  # a NUL costs its row
LIMITS = rows.Limits(max_bytes=1_000_000, max_line=40)
TABLE = FileSpec(format="jsonl", text="a", label="b")
CSV = FileSpec(format="csv", delimiter=",", header=False, columns=("a", "b"), text="a", label="b")
SPECS = {
    "csv": CSV,
    "csv-utf-16": replace(CSV, encoding="utf-16-le"),
    "csv-gb18030": replace(CSV, encoding="gb18030"),
    "csv-gzip": replace(CSV, compression="gzip"),
    "csv-zstd": replace(CSV, compression="zstd"),
    "csv-unquoted": replace(CSV, quote=""),
    "jsonl": TABLE,
    "jsonl-utf-7": replace(TABLE, encoding="utf-7"),
    "json": replace(TABLE, format="json"),
    "txt": FileSpec(format="txt", content="text"),
    "paragraphs": FileSpec(format="txt", content="text", blocks="paragraphs"),
    "parquet": replace(TABLE, format="parquet"),
    "arrow": replace(TABLE, format="arrow"),
}
PIECES = st.sampled_from(
    [b'"', b",", b"\n", b"\r", b"\r\n", b"\0", b"a", b"{", b"}", b"[", b"]", b":", b" ", b"\\", b"\\u", b"d83d", b"1",
     b"\xff", b"\xfe", b"\xc3", b"\xa9", b"\x81", b"\xd8", b'{"a": "x", "b": "y"}', b"\xef\xbb\xbf", b"+2AA-", b"NaN",
     b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"ARROW1"]
)  # fmt: skip
BYTES = st.one_of(st.lists(PIECES, max_size=60).map(b"".join), st.binary(max_size=200))


def increment(task: str = "classification") -> Increment:
    return Increment(name="x", task=task, instruction="", files={}, key="a", date="b")


def read(path: Path, spec: FileSpec, limits: rows.Limits = LIMITS, task: str = "classification") -> list[dict]:
    batches = list(rows.batches(path, f"raw/{path.name}", spec, increment(task), limits))
    for batch in batches:
        assert batch.schema == arrow.ROWS
        batch.validate(full=True)
    return [row for batch in batches for row in batch.to_pylist()]


def well_formed(found: list[dict]) -> None:
    assert all(0 < before["line"] < after["line"] for before, after in itertools.pairwise(found))
    for row in found:
        assert len(row["raw"]) <= 8 * chunk.RAW
        if row["problem"] is None:
            assert row["kind"]
            assert row["messages"]
        else:
            assert not row["messages"]
            assert [row[name] for name in ("kind", "rejected", "desirable", "tools", "images", "key", "date")] == [
                None
            ] * 7


@pytest.mark.parametrize("name", SPECS)
def test_any_bytes_become_rows_or_a_refusal(name: str, tmp_path: Path) -> None:
    @QUICK
    @given(BYTES)
    @example(b"")
    def check(content: bytes) -> None:
        path = tmp_path / "file"
        path.write_bytes(content)
        try:
            found = read(path, SPECS[name], task="text" if SPECS[name].content == "text" else "classification")
        except GraftError:
            return
        well_formed(found)

    check()


@pytest.mark.parametrize(
    "name", ["csv", "csv-utf-16", "csv-gb18030", "csv-unquoted", "jsonl", "json", "txt", "paragraphs"]
)
def test_rows_do_not_depend_on_how_much_is_read_at_a_time(name: str, tmp_path: Path, monkeypatch) -> None:
    @QUICK
    @given(BYTES, st.integers(1, 50), st.integers(1, 5))
    def check(content: bytes, size: int, batch: int) -> None:
        path = tmp_path / "file"
        path.write_bytes(content)
        whole = read(path, SPECS[name])
        with monkeypatch.context() as patched:
            patched.setattr(chunk, "TEXT", size)
            patched.setattr(arrow, "BATCH", batch)
            parts = read(path, SPECS[name])
        assert parts == whole

    check()


@pytest.mark.parametrize("spec", [TABLE, SPECS["txt"]], ids=["jsonl", "txt"])
def test_every_line_that_is_not_blank_is_one_row(spec: FileSpec, tmp_path: Path) -> None:
    @QUICK
    @given(BYTES)
    def check(content: bytes) -> None:
        path = tmp_path / "file"
        path.write_bytes(content)
        text = io.StringIO(content.decode("utf-8", "replace").removeprefix("\ufeff"), newline="")
        numbers = [number for number, line in enumerate(text, 1) if line.strip()]
        assert [row["line"] for row in read(path, spec)] == numbers

    check()


def test_every_csv_line_is_in_exactly_one_row(tmp_path: Path) -> None:
    @QUICK
    @given(BYTES)
    def check(content: bytes) -> None:
        path = tmp_path / "file"
        path.write_bytes(content)
        text = list(io.StringIO(content.decode("utf-8", "replace").removeprefix("\ufeff"), newline=""))
        found = read(path, CSV, rows.Limits())
        starts = [row["line"] for row in found]
        for line, text_line in enumerate(text, 1):
            if text_line.strip(" \r\n") and line not in starts:  # inside the quotes of a row above
                above = max(start for start in starts if start < line)
                assert text_line.rstrip("\r\n") in found[starts.index(above)]["raw"]

    check()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@QUICK
@given(st.lists(VALUES, max_size=6))
def test_an_array_of_any_values_has_so_many_rows(tmp_path: Path, values: list) -> None:
    path = tmp_path / "file"
    for indent in (None, 2):
        path.write_text(json.dumps(values, indent=indent))
        found = read(path, SPECS["json"], rows.Limits())
        assert len(found) == len(values)
        huge = [isinstance(value, int) and abs(value) > 1e300 for value in values]
        assert [row["problem"] == "not a JSON object" for row in found] == [
            not isinstance(value, dict) and not big for value, big in zip(values, huge, strict=True)
        ]


@QUICK
@given(st.lists(st.fixed_dictionaries({"a": WORDS, "b": WORDS}), min_size=1, max_size=5))
def test_a_table_is_the_same_in_every_format(tmp_path: Path, items: list[dict]) -> None:
    table = pa.Table.from_pylist(items)
    (tmp_path / "jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (tmp_path / "json").write_text(json.dumps(items))
    parquet.write_table(table, tmp_path / "parquet")
    with pa.ipc.new_file(str(tmp_path / "arrow"), table.schema) as file:
        file.write_table(table)
    with pa.ipc.new_stream(str(tmp_path / "stream"), table.schema) as stream:
        stream.write_table(table)
    for name in ("jsonl", "json", "parquet", "arrow", "stream"):
        form = "arrow" if name == "stream" else name
        found = read(tmp_path / name, FileSpec(format=form, text="a", label="b"), rows.Limits())
        assert [[turn["content"] for turn in row["messages"]] for row in found] == [[i["a"], i["b"]] for i in items]


@QUICK
@given(st.data())
def test_damaged_columnar_files_become_rows_or_a_refusal(tmp_path: Path, data: st.DataObject) -> None:
    table = pa.table({"a": ["x" * 9, "é", None] * 9, "b": [["u"], [], None] * 9})
    path = tmp_path / "file"
    form = data.draw(st.sampled_from(["parquet", "arrow"]))
    if form == "parquet":
        parquet.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(GraftError):
        well_formed(read(path, SPECS[form]))


CONTENTS = st.sampled_from(["alpaca", "sharegpt", "messages", "preference", "kto", "text"])
NAMES = st.sampled_from(
    ["instruction", "input", "output", "system", "history", "messages", "conversations", "tools", "images", "chosen",
     "rejected", "label", "prompt", "text", "role", "content", "from", "value", "type", "weight", "tool_calls", "name",
     "function", "arguments", "user", "assistant", "human", "gpt", "image_url", "url"]
)  # fmt: skip
ROWS = st.dictionaries(
    NAMES,
    st.recursive(
        st.none() | st.booleans() | st.integers(-1, 2) | NAMES | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=6,
)


@settings(QUICK, max_examples=300)
@given(CONTENTS, st.lists(ROWS, max_size=4), st.sampled_from(["classification", "sft"]))
def test_any_values_become_rows_whatever_they_are_said_to_be(
    tmp_path: Path, content: str, items: list, task: str
) -> None:
    path = tmp_path / "file"
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    found = read(path, FileSpec(format="jsonl", content=content), rows.Limits(), task)
    assert len(found) == len(items)
    well_formed(found)


@QUICK
@given(BYTES)
def test_detection_answers_or_refuses(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    try:
        spec = detect.detect(path)
    except GraftError:
        return
    assert detect.task(path, spec)
    assert text_encoding.known_encoding(spec.encoding)
