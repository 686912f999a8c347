import random
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.data import readers
from pipeline.data.increment import FileSpec
from pipeline.errors import GraftError

CSV = FileSpec(format="csv", encoding="utf-8", delimiter=",", header=False, columns=("a", "b"), text="a", label="b")
JSONL = FileSpec(format="jsonl", encoding="utf-8", text="a", label="b")


def spec(**changes):
    return replace(CSV, **changes)


def read(tmp_path: Path, content: bytes, how: FileSpec):
    path = tmp_path / "file"
    path.write_bytes(content)
    return [
        (row.line, row.problem or (tuple(row.values.values()) if how.format == "csv" else row.values))
        for row in readers.rows(path, how)
    ]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param(b"x,1\ny,2\n", [(1, ("x", "1")), (2, ("y", "2"))], id="plain"),
        pytest.param(b"x,1\r\ny,2", [(1, ("x", "1")), (2, ("y", "2"))], id="crlf-and-no-final-newline"),
        pytest.param(b"x,1\ry,2\r", [(1, ("x", "1")), (2, ("y", "2"))], id="old-mac"),
        pytest.param(b"\n\nx,1\n  \ny,2\n", [(3, ("x", "1")), (5, ("y", "2"))], id="blank-lines-are-no-rows"),
        pytest.param(b'"x, y",1\n', [(1, ("x, y", "1"))], id="quoted-delimiter"),
        pytest.param(b'"12"" tv",1\n', [(1, ('12" tv', "1"))], id="doubled-quote"),
        pytest.param(b'12" tv,1\n', [(1, ('12" tv', "1"))], id="inch-sign-is-no-quote"),
        pytest.param(
            b'w,0\n"x\ny\r\nz",1\nlast,2\n',
            [(1, ("w", "0")), (2, ("x\ny\r\nz", "1")), (5, ("last", "2"))],
            id="quoted-newlines",
        ),
        pytest.param(
            b'w,0\n"open,1\ny,2\nz,3\n',
            [(1, ("w", "0")), (2, "not CSV"), (3, ("y", "2")), (4, ("z", "3"))],
            id="open-quote-costs-its-own-line",
        ),
        pytest.param(
            b'"open,1\ny,2\n"open,3\nz,4\n',
            [(1, "not CSV"), (2, ("y", "2")), (3, "not CSV"), (4, ("z", "4"))],
            id="two-open-quotes-do-not-swallow-what-is-between",
        ),
        pytest.param(b'"x" y,1\nz,2\n', [(1, "not CSV"), (2, ("z", "2"))], id="text-after-closing-quote"),
        pytest.param(b"x\ny,2\nz,3,3\n", [(1, "too few fields"), (2, ("y", "2")), (3, "too many fields")], id="ragged"),
        pytest.param(b"x\0y,1\n", [(1, ("x\0y", "1"))], id="nul-is-a-character"),
        pytest.param(b"\xef\xbb\xbfx,1\n", [(1, ("x", "1"))], id="byte-order-mark"),
        pytest.param(b"caf\xe9,1\ny,2\n", [(1, ("caf\ufffd", "1")), (2, ("y", "2"))], id="undecodable-byte"),
        pytest.param(b"", [], id="empty"),
    ],
)
def test_csv_rows(tmp_path, content, rows):
    assert read(tmp_path, content, CSV) == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param(b'{"a": "x", "b": "1"}\n\n{"a": 2}\n', [(1, {"a": "x", "b": "1"}), (3, {"a": 2})], id="plain"),
        pytest.param(b'{"a": "x"\n{"a": "y"}\n', [(1, "not JSON"), (2, {"a": "y"})], id="cut-off"),
        pytest.param(b'[1]\n"x"\n', [(1, "not a JSON object"), (2, "not a JSON object")], id="no-object"),
        pytest.param(b'{"a": NaN}\n', [(1, "not JSON")], id="nan-is-no-json"),
        pytest.param(b'\xef\xbb\xbf{"a": "x"}', [(1, {"a": "x"})], id="byte-order-mark"),
        pytest.param(b"[" * 100_000, [(1, "not JSON")], id="deeply-nested"),
        pytest.param(b'{"a": ' + b"1" * 10_000 + b"}", [(1, "not JSON")], id="huge-number"),
        pytest.param('{"a": "x\u2028y"}'.encode(), [(1, {"a": "x\u2028y"})], id="line-separator-ends-no-line"),
    ],
)
def test_json_rows(tmp_path, content, rows):
    assert read(tmp_path, content, JSONL) == rows


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "gb18030", "big5", "utf-8-sig"])
def test_declared_encoding(tmp_path, encoding):
    assert read(tmp_path, "冰箱,家電\n電話,手機\n".encode(encoding), spec(encoding=encoding)) == [
        (1, ("冰箱", "家電")),
        (2, ("電話", "手機")),
    ]


def test_delimiter(tmp_path):
    assert read(tmp_path, b"x,y\t1\n", spec(delimiter="\t")) == [(1, ("x,y", "1"))]


def test_header_is_no_row(tmp_path):
    assert read(tmp_path, b"a,b\nx,1\n", spec(header=True)) == [(2, ("x", "1"))]


def test_other_header_than_declared_is_refused(tmp_path):
    with pytest.raises(GraftError, match=r"line 1: the header is not the columns"):
        read(tmp_path, b"b,a\nx,1\n", spec(header=True))


def test_overlong_line_is_one_reject_and_the_next_line_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "LINE", 10)
    assert read(tmp_path, b"x" * 1000 + b"\ny,2\n", CSV) == [(1, "line too long"), (2, ("y", "2"))]
    assert read(tmp_path, b"x" * 1000 + b'\n{"a": 1}\n', JSONL) == [(1, "line too long"), (2, {"a": 1})]


def test_raw_text_is_capped_and_writable(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (row,) = readers.rows(tmp_path / "file", CSV)
    assert row.raw == "x" * readers.RAW
    assert readers.shown("a\ud800\n") == "a\\ud800"


def test_column_names_are_unique_and_never_empty():
    assert readers.column_names(["a", " b  c ", "", "a"]) == ("a", "b c", "c3", "a_4")


@pytest.mark.parametrize(
    ("path", "encoding", "message"),
    [
        pytest.param("absent", "utf-8", "No such file", id="missing"),
        pytest.param(".", "utf-8", "Is a directory", id="directory"),
        pytest.param("file", "utf-16", "cannot be read as utf-16", id="utf-16-without-mark"),
        pytest.param("file", "rot13", "cannot be read as rot13", id="no-text-encoding"),
    ],
)
def test_unreadable_file_is_an_error_in_words(tmp_path, path, encoding, message):
    (tmp_path / "file").write_bytes(b"x,1\n")
    with pytest.raises(GraftError, match=message):
        list(readers.lines(tmp_path / path, encoding))


@pytest.mark.parametrize("how", [CSV, spec(header=False, encoding="gb18030"), spec(encoding="utf-16-le"), JSONL])
def test_random_bytes_never_raise_and_every_line_is_accounted_for(tmp_path, how):
    source = random.Random(7)  # noqa: S311
    alphabet = [b'"', b",", b"\n", b"\r", b"\0", b"a", b"{", b"}", b":", b"\xff", b"\xc3", b"\x81", b"\xd8", b"1"]
    for _ in range(300):
        content = b"".join(source.choices(alphabet, k=source.randrange(200)))
        (tmp_path / "file").write_bytes(content)
        rows = list(readers.rows(tmp_path / "file", how))
        text = [line for _, line in readers.lines(tmp_path / "file", how.encoding)]
        starts = [row.line for row in rows]
        assert starts == sorted(set(starts))
        blank = {number for number, line in enumerate(text, 1) if not line.strip()}
        inside_quotes = sum(row.raw.count("\n") + row.raw.count("\r") for row in rows)
        assert len(rows) + inside_quotes + len(blank) >= len(text)
