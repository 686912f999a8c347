"""From a file to rows: what each reader takes, what it rejects, and what bounds it."""

import gzip
import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.common.errors import GraftError
from pipeline.data.prepare import rows
from pipeline.data.reading import chunk, delimited
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.records import arrow
from tests.conftest import ROOT
from tests.reading import CSV, JSONL, increment, pairs, read

JSON = replace(JSONL, format="json")
TXT = FileSpec(format="txt", content="text")


def found(tmp_path: Path, content: bytes, spec: FileSpec, **limits):
    path = tmp_path / "file"
    path.write_bytes(content)
    return pairs(read(path, spec, rows.Limits(**limits)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"x,1\ny,2\n", [(1, ("x", "1")), (2, ("y", "2"))], id="plain"),
        pytest.param(b"x,1\r\ny,2", [(1, ("x", "1")), (2, ("y", "2"))], id="crlf-and-no-final-newline"),
        pytest.param(b"x,1\ry,2\r", [(1, ("x", "1")), (2, ("y", "2"))], id="old-mac"),
        pytest.param(b"\n\nx,1\n  \ny,2\n", [(3, ("x", "1")), (5, ("y", "2"))], id="blank-lines-are-no-rows"),
        pytest.param(b'"x, y",1\n', [(1, ("x, y", "1"))], id="quoted-delimiter"),
        pytest.param(b'"12"" tv",1\n', [(1, ('12" tv', "1"))], id="doubled-quote"),
        pytest.param(b'"",1\n', [(1, ("", "1"))], id="quoted-nothing"),
        pytest.param(b'"{""type"": ""Point""}",1\n', [(1, ('{"type": "Point"}', "1"))], id="json-in-a-cell"),
        pytest.param("ʤ,1\n".encode(), [(1, ("ʤ", "1"))], id="utf-8"),
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
        pytest.param(b"x\0y,1\n", [(1, "a NUL character")], id="nul"),
        pytest.param(b"\xef\xbb\xbfx,1\n", [(1, ("x", "1"))], id="byte-order-mark"),
        pytest.param(b"caf\xe9,1\ny,2\n", [(1, ("caf\ufffd", "1")), (2, ("y", "2"))], id="undecodable-byte"),
        pytest.param(b'"' + b"x" * 200_000 + b'",1\n', [(1, ("x" * 200_000, "1"))], id="a-long-quoted-field"),
        pytest.param(b"", [], id="empty"),
    ],
)
def test_csv_rows(tmp_path, content, expected):
    assert found(tmp_path, content, CSV) == expected


def test_the_header_of_a_second_file_behind_the_first_is_no_row(tmp_path):
    content = b"title,kind\nx,1\ntitle,kind\ny,2\n"
    spec = FileSpec(format="csv", delimiter=",", header=True, columns=("title", "kind"), text="title", label="kind")
    assert found(tmp_path, content, spec) == [(2, ("x", "1")), (3, "header again"), (4, ("y", "2"))]


def test_a_quoted_row_may_lie_across_two_pieces_of_the_file(tmp_path, monkeypatch):
    content = b"".join(b'a%d,"one\ntwo"\n' % number for number in range(40))
    whole = found(tmp_path, content, CSV)
    assert len(whole) == 40
    for size in (7, 10, 23):
        monkeypatch.setattr(chunk, "TEXT", size)
        assert found(tmp_path, content, CSV) == whole


def test_quoted_row_of_too_many_lines_is_an_open_quote(tmp_path):
    content = b'"' + b"x\n" * delimited.SPAN + b'",1\n'
    assert found(tmp_path, content, CSV)[0] == (1, "not CSV")


def test_quotes_can_be_plain_characters_or_others(tmp_path):
    assert found(tmp_path, b'"x,1\n', replace(CSV, quote="")) == [(1, ('"x', "1"))]
    assert found(tmp_path, b"'x, y',1\n", replace(CSV, quote="'")) == [(1, ("x, y", "1"))]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b'{"a": "x", "b": "1"}\n\n{"a": "y", "b": "2"}\n', [(1, ("x", "1")), (3, ("y", "2"))], id="plain"),
        pytest.param(b'{"a": "x"\n{"a": "y"}\n', [(1, "not JSON"), (2, "no label")], id="cut-off"),
        pytest.param(b'[1]\n"x"\n', [(1, "not a JSON object"), (2, "not a JSON object")], id="no-object"),
        pytest.param(b'{"a": 1, "b": "x"}\n', [(1, "text is not a string")], id="text-no-string"),
        pytest.param(
            b'{"a": "x", "b": true}\n{"a": "x", "b": 7}\n{"a": "x", "b": 7.0}\n',
            [(1, ("x", "true")), (2, ("x", "7")), (3, ("x", "7"))],
            id="label-no-string",
        ),
        pytest.param(b'{"a": "x", "b": 0.5}\n', [(1, "label is not a string")], id="label-no-class"),
        pytest.param(b'{"a": "x", "b": "y"}, {"a": "x", "b": "y"}\n', [(1, "not JSON")], id="two-objects"),
        pytest.param('{"a": "x\u2028", "b": "\x85"}'.encode(), [(1, ("x\u2028", "\x85"))], id="separators-end-no-line"),
        pytest.param(b'\xef\xbb\xbf{"a": "x", "b": "y"}', [(1, ("x", "y"))], id="byte-order-mark"),
    ],
)  # fmt: skip
def test_json_lines(tmp_path, content, expected):
    assert found(tmp_path, content, JSONL) == expected


ACCEPTED = {  # value of "v" as JSON -> text that it becomes in a template
    '"\\u0060\\u012a\\u12AB"': "`Īካ",
    '"\\uD801\\udc37"': "\U00010437",
    '"\\ud83d\\ude39\\ud83d\\udc8d"': "😹💍",
    '"\\"\\\\\\/\\b\\f\\n\\r\\t"': '"\\/\b\f\n\r\t',
    '"\\\\u0000"': "\\u0000",
    '"\\u0000"': "a NUL character",
    '"\x7f"': "\x7f",
    '"\uffff"': "\uffff",
    '"\u2028"': "\u2028",
    '"\\uFFFE"': "\ufffe",
    '"\\ud800"': "\ufffd",  # a lone surrogate is lost, as a byte that cannot be decoded; cleaning rejects it
    '"\\uDd1e\\uD834"': "\ufffd\ufffd",
    '"\\\\ud800"': "\\ud800",
    "123e65": "1.23e+67",
    "0e+1": "0.0",
    "-0": "0",
    "1E-2": "0.01",
    "123.456789": "123.456789",
    "1, \"v\": 2": "2",  # a key twice: the last one counts
    "[[[[]]]]": "text is not a string",
    "{}": "text is not a string",
    "true": "text is not a string",
    "null": "no text",
}  # fmt: skip
REJECTED = [
    "NaN", "Infinity", "-Infinity", "nan", "+1", "01", "-01", "1.", ".5", "0x1", "1e", "1e+", "--1", "1 000", "２",
    "True", "nul", "undefined", "'x'", '"a', 'a"', '"\\x41"', '"\\u00A"', '"\\uD800\\u"', '"\t"', '"\x1f"', "\u00e5",
    "[1,]", "[,1]", "[1 2]", '{"a":1,}', "{a: 1}", '{"a" 1}', "[1}", '{"a":1]', "[1", "/* */ 1", "1 // x", "1e400",
    "1" * 10_000, "[" * 2_000 + "]" * 2_000, "[" * 100_000, '\\u0022x"', "\ufeff1", "",
]  # fmt: skip


@pytest.mark.parametrize("form", ["jsonl", "json", "array"])
@pytest.mark.parametrize("value", ACCEPTED)
def test_json_that_is_accepted(tmp_path, value, form):
    document = f'{{"v": {value}, "b": "y"}}'
    spec = FileSpec(format=form.replace("array", "json"), template="{v}", label="b")
    content = f"[{document}]" if form == "array" else document
    assert found(tmp_path, content.encode(), spec) in [[(1, (ACCEPTED[value], "y"))], [(1, ACCEPTED[value])]]


@pytest.mark.parametrize("form", ["jsonl", "array"])
@pytest.mark.parametrize("value", REJECTED, ids=lambda value: repr(value[:10]))
def test_json_that_is_rejected_costs_no_other_row(tmp_path, value, form):
    good = '{"a": "x", "b": "y"}'
    documents = [good, f'{{"a": {value}, "b": "y"}}', good]
    content = "\n".join(documents) if form == "jsonl" else "[" + ",\n".join(documents) + "]"
    result = found(tmp_path, content.encode(), replace(JSONL, format=form.replace("array", "json")))
    assert result[0] == (1, ("x", "y"))
    assert result[1] == (2, "no text" if value in ("NaN", "Infinity", "-Infinity") else "not JSON")  # these are null
    if form == "jsonl" or value not in ("[1", "[" * 100_000):  # whose end cannot be seen in an array
        assert result[-1][1] == ("x", "y")
        assert len(result) == (4 if form == "array" and value == "[1}" else 3)


X, Y = '{"a": "x", "b": "1"}', '{"a": "y", "b": "2"}'
ROW_X, ROW_Y = ("x", "1"), ("y", "2")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(f"[{X}, {Y}]", [ROW_X, ROW_Y], id="array"),
        pytest.param(f" \ufeff[\n{X}\n,\n{Y}\n]\n ", ["not JSON"], id="mark-that-is-not-first"),
        pytest.param(f"\ufeff[{X},{Y}]", [ROW_X, ROW_Y], id="byte-order-mark"),
        pytest.param(X, [ROW_X], id="one-object"),
        pytest.param(f"{X}\n{Y}{X}", [ROW_X, ROW_Y, ROW_X], id="objects-that-follow-each-other"),
        pytest.param("[]", [], id="empty-array"),
        pytest.param("", [], id="nothing"),
        pytest.param('"x"', ["not a JSON object"], id="a-string"),
        pytest.param("[1, [], {}]", ["not a JSON object", "not a JSON object", "no text"], id="other-values"),
        pytest.param(f"[{X},]", [ROW_X, "not JSON"], id="comma-too-many"),
        pytest.param(f"[{X},,{Y}]", [ROW_X, "not JSON", ROW_Y], id="element-missing"),
        pytest.param(f"[{X}", [ROW_X, "not JSON"], id="array-without-end"),
        pytest.param(f"[{X}, {Y[:-3]}", [ROW_X, "not JSON"], id="element-without-end"),
        pytest.param(f"[{X}] {Y}", [ROW_X, "not JSON"], id="more-after-the-end"),
        pytest.param(f"[{X}]]", [ROW_X, "not JSON"], id="bracket-too-many"),
        pytest.param(f'[{{"a": "x, "b": 1}}, {Y}, {X}]', ["not JSON", ROW_Y, ROW_X], id="quote-missing"),
        pytest.param(f'[{{"a": [1}}, {Y}]', ["not JSON", ROW_Y], id="bracket-missing"),
        pytest.param(f'[{{"a": 1], {Y}]', ["not JSON", ROW_Y], id="wrong-bracket"),
        pytest.param(f'[{{"a": "cut\n "b": 1}},\n{Y}]', ["not JSON", ROW_Y], id="string-ends-with-its-line"),
        pytest.param('[{"a": "]}, {\\"", "b": "1"}]', [(']}, {"', "1")], id="brackets-in-a-string"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_json_documents(tmp_path, monkeypatch, document, expected, size):
    monkeypatch.setattr(chunk, "TEXT", size)
    assert found(tmp_path, document.encode(), JSON) == list(enumerate(expected, 1))


def test_text_by_line_and_by_block(tmp_path):
    content = "one\ntwo  \n\n \nthree\r\n\r\nfour".encode("utf-16")
    lines = found(tmp_path, content, replace(TXT, encoding="utf-16"))
    assert lines == [(1, ("one",)), (2, ("two  ",)), (5, ("three",)), (7, ("four",))]
    blocks = found(tmp_path, content, replace(TXT, encoding="utf-16", blocks="paragraphs"))
    assert blocks == [(1, ("one\ntwo  ",)), (5, ("three",)), (7, ("four",))]


def test_parquet_and_arrow_rows_are_numbered_and_shown_as_json(tmp_path):
    table = pa.table({"a": ["x", None, "z"], "b": ["1", "2", "3"], "n": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "p", row_group_size=2)
    with pa.ipc.new_file(str(tmp_path / "f"), table.schema) as file:
        file.write_table(table)
    with pa.ipc.new_stream(str(tmp_path / "s"), table.schema) as stream:
        stream.write_table(table)
    for name, form in (("p", "parquet"), ("f", "arrow"), ("s", "arrow")):
        result = read(tmp_path / name, FileSpec(format=form, text="a", label="b"), about=increment(key="n"))
        assert pairs(result) == [(1, ("x", "1")), (2, "no text"), (3, ("z", "3"))]
        assert result[0]["raw"] == '{"a":"x","b":"1","n":1}'
        assert [row["key"] for row in result] == ["1", None, "3"]


def test_values_that_python_has_not_cost_their_own_row_at_most(tmp_path):
    whole = pa.array(["x", "xx", "z"]).buffers()
    broken = pa.Array.from_buffers(pa.string(), 3, [*whole[:2], pa.py_buffer(b"x\xff\xfez")])
    table = pa.table(
        {
            "a": broken,
            "b": ["1", "2", "3"],
            "d": pa.array([1, 2**60, None], pa.timestamp("ns")),
            "n": pa.array([[1], None, [2]], pa.list_(pa.duration("ns"))),
            "m": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int8())),
        }
    )
    parquet.write_table(table, tmp_path / "p")
    spec = FileSpec(format="parquet", text="a", label="b")
    result = read(tmp_path / "p", spec, about=increment(date="d"))
    assert [row["line"] for row in result] == [1, 2, 3]
    assert [row["problem"] for row in result][1] == "undecodable characters"
    clean = table.drop_columns(["a", "n"]).append_column("a", pa.array(["x", "y", "z"]))
    parquet.write_table(clean, tmp_path / "p")
    result = read(tmp_path / "p", spec, about=increment(date="d"))
    assert pairs(result) == [(1, ("x", "1")), (2, ("y", "2")), (3, ("z", "3"))]
    assert [row["date"] for row in result] == ["1970-01-01 00:00:00.000000001", "2006-07-14 23:58:24.606846976", None]


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "txt", "parquet", "arrow"])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_every_format_may_be_packed(tmp_path, form, compression):
    table = pa.table({"a": ["x", "y"], "b": ["1", "2"]})
    plain = tmp_path / "plain"
    if form == "parquet":
        parquet.write_table(table, plain)
    elif form == "arrow":
        with pa.ipc.new_file(str(plain), table.schema) as file:
            file.write_table(table)
    else:
        plain.write_text({"csv": "x,1\ny,2\n", "jsonl": f"{X}\n{Y}", "json": f"[{X},{Y}]", "txt": "x\ny"}[form])
    packed = tmp_path / "packed"
    with pa.CompressedOutputStream(str(packed), compression) as stream:
        stream.write(plain.read_bytes())
    spec = {"csv": CSV, "txt": TXT}.get(form, replace(JSONL, format=form))
    assert read(packed, replace(spec, compression=compression)) == [
        row | {"file": "raw/packed"} for row in read(plain, spec)
    ]
    whole = packed.read_bytes()
    for cut in (5, len(whole) // 2, len(whole) - 1):
        packed.write_bytes(whole[:cut])
        with pytest.raises(GraftError, match="cannot be read"):
            read(packed, replace(spec, compression=compression))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "gb18030", "big5", "utf-8-sig", "utf-32"])
def test_declared_encoding(tmp_path, encoding):
    content = "冰箱,家電\n電話,手機\n".encode(encoding)
    assert found(tmp_path, content, replace(CSV, encoding=encoding)) == [(1, ("冰箱", "家電")), (2, ("電話", "手機"))]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("shift_jis", "冷蔵庫カメラ"), ("euc-jp", "冷蔵庫カメラ"), ("iso2022_jp", "冷蔵庫"), ("euc-kr", "냉장고"),
        ("cp949", "똠방각하"), ("cp1251", "Холодильник"), ("koi8-r", "Холодильник"), ("cp1252", "Kühlschrank – 5 €"),
        ("latin-1", "réfrigérateur"), ("iso8859-15", "5 €"), ("cp1253", "ψυγείο"), ("cp1255", "מקרר"),
        ("cp1256", "ثلاجة"), ("tis-620", "ตู้เย็น"), ("mac-roman", "éclair"), ("hz", "冰箱"), ("utf-7", "冰箱"),
    ],
)  # fmt: skip
def test_legacy_encodings_are_read_when_declared(tmp_path, encoding, text):
    content = f"{text},1\n{text},2\n".encode(encoding)
    assert found(tmp_path, content, replace(CSV, encoding=encoding)) == [(1, (text, "1")), (2, (text, "2"))]


NAUGHTY = [
    "undefined", "null", "NaN", "1E+02", "0x0", "-1", "1/0", "Ω≈ç√∫˜µ≤≥÷", "田中さんにあげて下さい",
    "ヽ༼ຈل͜ຈ༽ﾉ", "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "１２３", "ثم نفس سقطت", "\u202etest\u202c", "Z̮̞̠a̟l̼g̙o̘", "˙ɐnbᴉlɐ",
    "<script>alert(1)</script>", "' OR 1=1 -- 1", "../../etc/passwd",
    "$HOME", "%s%n", "{0}", "${7*7}", "\\", "\\\\n", "\u00ad\u200b\ufeff", "\x01\x1f\x7f",
    "=cmd|' /C calc'!A0", "\ue000\U0010ffff",
]  # fmt: skip


def test_strings_that_break_things_pass_unchanged(tmp_path):
    items = [{"a": text, "b": "y"} for text in NAUGHTY]
    expected = [(number, (text, "y")) for number, text in enumerate(NAUGHTY, 1)]
    lines = "".join(json.dumps(item, ensure_ascii=number % 2 == 0) + "\n" for number, item in enumerate(items))
    assert found(tmp_path, lines.encode(), JSONL) == expected
    assert found(tmp_path, json.dumps(items, indent=1).encode(), JSON) == expected
    quoted = "".join('"' + text.replace('"', '""') + '",y\n' for text in NAUGHTY)
    assert found(tmp_path, quoted.encode(), CSV) == expected


def test_delimiter(tmp_path):
    assert found(tmp_path, b"x,y\t1\n", replace(CSV, delimiter="\t")) == [(1, ("x,y", "1"))]


def test_header_is_no_row(tmp_path):
    assert found(tmp_path, b"a,b\nx,1\n", replace(CSV, header=True)) == [(2, ("x", "1"))]
    assert found(tmp_path, b'"a",b\nx,1\n', replace(CSV, header=True)) == [(2, ("x", "1"))]


def test_other_header_than_declared_is_refused(tmp_path):
    with pytest.raises(GraftError, match=r"line 1: the header is not the columns"):
        found(tmp_path, b"b,a\nx,1\n", replace(CSV, header=True))


def test_overlong_row_is_one_reject_and_the_next_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(chunk, "TEXT", 64)
    long = b"x" * 1000
    assert found(tmp_path, long + b"\ny,2\n", CSV, max_line=30) == [(1, "line too long"), (2, ("y", "2"))]
    assert found(tmp_path, long + b"\r\ny,2\r\n", CSV, max_line=30) == [(1, "line too long"), (2, ("y", "2"))]
    assert found(tmp_path, long + b"\n" + Y.encode(), JSONL, max_line=30) == [(1, "line too long"), (2, ROW_Y)]
    element = b'{"a": "' + long + b'", "c": [{"d": 1}, {"d": 2}]}'
    assert found(tmp_path, b"[" + element + b"," + Y.encode() + b"]", JSON, max_line=30) == [
        (1, "line too long"),
        (2, ROW_Y),
    ]
    assert found(tmp_path, long + b"\n\nfine", TXT, max_line=30) == [(1, "line too long"), (3, ("fine",))]
    blocks = replace(TXT, blocks="paragraphs")
    assert found(tmp_path, b"x\n" * 99 + b"\nfine", blocks, max_line=30) == [(1, "line too long"), (101, ("fine",))]
    assert found(tmp_path, b"x" * 30 + b"\n", TXT, max_line=30) == [(1, ("x" * 30,))]


def test_file_over_the_limit_is_refused_before_it_is_read_and_a_packed_one_where_it_passes_it(tmp_path):
    (tmp_path / "file").write_bytes(b"x,1\n" * 100)
    with pytest.raises(GraftError, match=r"more than 300 bytes(.|\n)*prepare.max_bytes"):
        read(tmp_path / "file", CSV, rows.Limits(max_bytes=300))
    (tmp_path / "file").write_bytes(gzip.compress(b"x,1\n" * 1_000_000))
    batches = rows.batches(
        tmp_path / "file", "raw/file", replace(CSV, compression="gzip"), increment(), rows.Limits(max_bytes=3_500_000)
    )
    with pytest.raises(GraftError, match="more than 3,500,000 bytes"):
        list(batches)
    table = pa.table({"a": ["x" * 1000] * 9_000, "b": ["y"] * 9_000})
    parquet.write_table(table, tmp_path / "file")
    with pytest.raises(GraftError, match="more than 100,000 bytes"):
        read(tmp_path / "file", FileSpec(format="parquet", text="a", label="b"), rows.Limits(max_bytes=100_000))


@pytest.mark.slow
def test_memory_stays_bounded_with_a_row_of_200_megabytes_and_with_a_bomb(tmp_path):
    (tmp_path / "csv").write_bytes(b"x,1\n" + b"y" * 200_000_000 + b"\nz,3\n")
    (tmp_path / "quoted").write_bytes(b'x,1\n"' + b"yyyyyyy\n" * 25_000_000 + b'",2\n')
    (tmp_path / "json").write_bytes(b"[" + X.encode() + b', {"a": "' + b"y" * 200_000_000 + b'"}, ' + Y.encode() + b"]")
    with gzip.open(tmp_path / "bomb", "wb", compresslevel=1) as file:
        for _ in range(3_000):
            file.write(b"0" * 1_000_000)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tests.data.test_readers import CSV, JSON, rows, increment\n"
        "from dataclasses import replace\n"
        "from pipeline.common.errors import GraftError\n"
        "folder = Path(sys.argv[1])\n"
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "specs = {'csv': CSV, 'json': JSON, 'bomb': replace(CSV, compression='gzip')}\n"
        "for name, spec in specs.items():\n"
        "    count = 0\n"
        "    try:\n"
        "        for batch in rows.batches(folder / name, 'raw/x', spec, increment(), rows.Limits()):\n"
        "            count += batch.num_rows\n"
        "    except GraftError as error:\n"
        "        assert 'more than 2,000,000,000 bytes' in str(error)\n"
        "    assert count == (0 if name == 'bomb' else 3), (name, count)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200, "MiB"


def test_batches_are_of_one_size(tmp_path):
    (tmp_path / "file").write_bytes(b"x,1\n" * 25_000)
    batches = rows.batches(tmp_path / "file", "raw/file", CSV, increment(), rows.Limits())
    assert [batch.num_rows for batch in batches] == [arrow.BATCH, arrow.BATCH, 5_000]


def test_raw_text_is_capped_and_writable(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (row,) = read(tmp_path / "file", CSV)
    assert row["raw"] == "x" * chunk.RAW
    assert chunk.shown("a\ud800\n") == "a\\ud800"


def test_column_names_are_unique_and_never_empty():
    assert delimited.column_names(["a", " b  c ", "", "a"]) == ("a", "b c", "c3", "a_4")


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
        read(tmp_path / path, replace(CSV, encoding=encoding))


def test_key_and_date_are_texts(tmp_path):
    lines = [
        {"a": "x", "b": "y", "k": key, "d": day}
        for key, day in itertools.zip_longest(
            ["B0042", " 7 ", 42, 42.0, True, None, [1], "", 2**60], ["2026-01-02", 20260102], fillvalue=None
        )
    ]
    content = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "file").write_text(content)
    result = read(tmp_path / "file", JSONL, about=increment(key="k", date="d"))
    assert [row["key"] for row in result] == ["B0042", "7", "42", "42", None, None, None, None, str(2**60)]
    assert [row["date"] for row in result][:3] == ["2026-01-02", "20260102", None]


def test_rows_of_empty_cells_are_blank_lines(tmp_path):
    content = b'x,1\n,\n , \n"",""\n\t\ny,2\n'
    assert found(tmp_path, content, CSV) == [(1, ("x", "1")), (6, ("y", "2"))]


def test_lines_above_the_first_row_are_none(tmp_path):
    spec = replace(CSV, skip=2, header=True, columns=("a", "b"))
    assert found(tmp_path, b"Export\n# two\na,b\nx,1\n", spec) == [(4, ("x", "1"))]


def test_fasttext_lines(tmp_path):
    spec = FileSpec(format="fasttext", text="text", label="label")
    content = b"__label__tea green  leaf\n\nsome words __label__a\n__label__a __label__b both\nnone\n"
    assert found(tmp_path, content, spec) == [
        (1, ("green leaf", "tea")),
        (3, ("some words", "a")),
        (4, "several labels"),
        (5, "no label"),
    ]


def test_rows_under_a_key_end_with_their_array(tmp_path):
    spec = FileSpec(format="json", rows="data", text="a", label="b")
    content = b'{"x": {"data": [{}]}, "data": [{"a": "x", "b": "1"}, broken, {"a": "y", "b": "2"}], "more": [{"a": 1}]}'
    assert found(tmp_path, content, spec) == [(1, ("x", "1")), (2, "not JSON"), (3, ("y", "2"))]
    with pytest.raises(GraftError, match="no array under the key 'data'"):
        found(tmp_path, b'{"rows": []}', spec)
