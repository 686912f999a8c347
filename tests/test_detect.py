import os
from pathlib import Path

import pytest

from pipeline.data.detect import detect
from pipeline.data.increment import FileSpec
from pipeline.errors import GraftError

SHARED = Path(__file__).parents[2] / "shared" / "data"
TITLES = [f"maker{n} model {n * 7919 % 1000} gadget" for n in range(40)]
LABELS = ["Phones", "Fridges", "Freezers"]


def table(delimiter=",", header=None, order=("id", "title", "price", "category")):
    cells = [
        {"id": str(n), "title": title, "price": f"{n}.99", "category": LABELS[n % 3]} for n, title in enumerate(TITLES)
    ]
    rows = [delimiter.join(row[name] for name in order) for row in cells]
    return "\n".join(([delimiter.join(header)] if header else []) + rows) + "\n"


def found(tmp_path: Path, content, **wishes) -> FileSpec:
    path = tmp_path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return detect(path, **wishes)


HEADER = ("id", "title", "price", "category")


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_table_with_header(tmp_path, delimiter):
    assert found(tmp_path, table(delimiter, HEADER)) == FileSpec(
        format="csv",
        encoding="utf-8",
        delimiter=delimiter,
        header=True,
        columns=HEADER,
        text="title",
        label="category",
    )


@pytest.mark.parametrize(
    ("content", "header", "text", "label"),
    [
        pytest.param(table(), False, "c2", "c4", id="no-header"),
        pytest.param(table(order=("title", "category")), False, "c1", "c2", id="no-header-and-no-numbers"),
        pytest.param(table(header=("nr", "foo", "cost", "bar")), True, "foo", "bar", id="unusual-names"),
        pytest.param(table(header=("foo", "bar"), order=("title", "category")), True, "foo", "bar", id="no-numbers"),
        pytest.param(table(header=("标题", "类别"), order=("title", "category")), True, "标题", "类别", id="chinese"),
        pytest.param(table(header=("ID", "Title", "Price", "Class")), True, "Title", "Class", id="capitals"),
    ],
)
def test_header_and_columns(tmp_path, content, header, text, label):
    spec = found(tmp_path, content)
    assert (spec.header, spec.text, spec.label) == (header, text, label)


def test_delimiter_inside_titles_does_not_mislead(tmp_path):
    rows = [f"{title}, black, {n}{', new' * (n % 3)}\t{LABELS[n % 3]}" for n, title in enumerate(TITLES)]
    spec = found(tmp_path, "\n".join(rows))
    assert (spec.delimiter, len(spec.columns)) == ("\t", 2)


def test_broken_rows_do_not_mislead(tmp_path):
    content = table(header=HEADER) + '41,"open,1.99,Phones\n42\n43,a,b,c,d,e\n'
    assert found(tmp_path, content).columns == HEADER


def test_json_lines(tmp_path):
    content = "".join(
        f'{{"sku": {n}, "title": "{title}", "category": "{LABELS[n % 3]}"}}\n' for n, title in enumerate(TITLES)
    )
    assert found(tmp_path, content + "{broken\n") == FileSpec(
        format="jsonl", encoding="utf-8", text="title", label="category"
    )


def test_json_lines_take_no_notice_of_options_for_csv(tmp_path):
    spec = found(tmp_path, '{"title": "x", "category": "y"}\n', delimiter=";", header=False, columns=["a", "b"])
    assert (spec.format, spec.text) == ("jsonl", "title")


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("gb18030", "gb18030"),
    ],
)
def test_encoding(tmp_path, encoding, name):
    content = "标题,类别\n" + "".join(f"美的家用大容量冰箱 {n} 升,{['冰箱', '手机'][n % 2]}\n" for n in range(40))
    spec = found(tmp_path, content.encode(encoding))
    assert (spec.encoding, spec.columns) == (name, ("标题", "类别"))


def test_a_few_damaged_lines_leave_utf8(tmp_path):
    assert found(tmp_path, table(header=HEADER).encode() * 5 + b"9,caf\xe9 maker,1.99,Phones\n").encoding == "utf-8"


def test_wishes_win(tmp_path):
    names = ["nr", "words", "cost", "kind"]
    spec = found(tmp_path, table(), columns=names, text="kind", label="words")
    assert (spec.header, spec.columns, spec.text, spec.label) == (False, tuple(names), "kind", "words")
    assert found(tmp_path, table(header=HEADER), columns=list(HEADER)).header is True
    assert found(tmp_path, table("\t"), delimiter="\\t").delimiter == "\t"
    assert found(tmp_path, "café,Phones\nthé,Teas\n".encode("cp1252") * 9, encoding="cp1252", text="c1", label="c2")


@pytest.mark.parametrize(
    ("content", "wishes", "message"),
    [
        pytest.param(b"", {}, "the file is empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf \r\n\n", {}, "the file is empty", id="blank"),
        pytest.param(b"\x7fELF\0\0\1" * 99, {}, "binary file: it holds NUL bytes", id="nul-bytes"),
        pytest.param(bytes(range(1, 32)) * 99, {}, "binary file: mostly control bytes", id="control-bytes"),
        pytest.param("a,b\n".encode("utf-32") * 9, {}, "binary file", id="utf-32"),
        pytest.param("é à la carte, thé\n".encode("cp1252") * 99, {}, "neither UTF-8 nor UTF-16", id="cp1252"),
        pytest.param("日本語のカメラ,家電\n".encode("euc-jp") * 99, {}, "neither UTF-8 nor UTF-16", id="euc-jp"),
        pytest.param(b'[{"title": "x"}]', {}, "JSON, but not one object a line", id="json-array"),
        pytest.param(b'{\n  "title": "x"\n}\n', {}, "JSON, but not one object a line", id="json-over-lines"),
        pytest.param("just some words\n" * 9, {}, "no delimiter splits", id="prose"),
        pytest.param(table(header=HEADER), {"text": "titel"}, r"(?s)no column 'titel'.*columns: id, title", id="text"),
        pytest.param(table(), {"label": "category"}, r"(?s)no column 'category'.*columns: c1, c2", id="label"),
        pytest.param(table(), {"columns": ["a", "b"]}, "4 columns, but 2 names: a, b", id="number-of-columns"),
        pytest.param(table(), {"delimiter": "ab"}, "the delimiter is one character", id="delimiter"),
        pytest.param(table(), {"encoding": "utf-9"}, "no encoding that Python knows", id="unknown-encoding"),
        pytest.param(table(), {"text": "c2", "label": "c2"}, "cannot be both", id="one-column-for-both"),
    ],
)
def test_refused(tmp_path, content, wishes, message):
    with pytest.raises(GraftError, match=message):
        found(tmp_path, content, **wishes)


def test_unclear_label_asks_and_shows_samples(tmp_path):
    rows = [f"{title},{LABELS[n % 3]},{['red', 'blue'][n % 2]}" for n, title in enumerate(TITLES)]
    with pytest.raises(GraftError, match=r"(?s)which column holds the label.*c2: Phones.*c3: red.*--label COLUMN"):
        found(tmp_path, "\n".join(rows))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_file_without_permission(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("a,b\n")
    path.chmod(0)
    with pytest.raises(GraftError, match="Permission denied"):
        detect(path)


def test_missing_file(tmp_path):
    with pytest.raises(GraftError, match="No such file"):
        detect(tmp_path / "absent.csv")


@pytest.mark.skipif(not SHARED.exists(), reason="the real titles are not beside this checkout")
def test_real_titles_without_header():
    spec = detect(SHARED / "pricerunner" / "pricerunner_aggregate.csv")
    assert (spec.header, spec.text, spec.label, len(spec.columns)) == (False, "c2", "c7", 7)
