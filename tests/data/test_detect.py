import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.common.errors import GraftError
from pipeline.data.detect import detect as guess
from pipeline.data.detect.detect import detect
from pipeline.data.reading.increment import FileSpec

SHARED = Path(__file__).parents[3] / "shared" / "data"
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


def objects(*keys, **values):
    return [dict.fromkeys(keys, f"words {n}") | {key: value(n) for key, value in values.items()} for n in range(40)]


def conversation(role, content, *roles):
    return lambda n: [{role: name, content: f"words {n}"} for name in roles]


@pytest.mark.parametrize(
    ("items", "content", "task"),
    [
        pytest.param(objects("instruction", "input", "output"), "alpaca", "sft", id="alpaca"),
        pytest.param(objects("prompt", "response"), "alpaca", "sft", id="prompt-response"),
        pytest.param(objects("prompt", "completion", "meta"), "alpaca", "sft", id="prompt-completion"),
        pytest.param(objects("question", "answer"), "alpaca", "sft", id="question-answer"),
        pytest.param(
            objects("instruction", "input", output=lambda n: LABELS[n % 3]),
            "alpaca",
            "classification",
            id="few-answers",
        ),
        pytest.param(
            objects(conversations=conversation("from", "value", "human", "gpt")), "sharegpt", "sft", id="sharegpt"
        ),
        pytest.param(
            objects("prompt", "prompt_id", messages=conversation("role", "content", "user", "assistant")),
            "messages",
            "sft",
            id="messages",
        ),
        pytest.param(objects("prompt", "chosen", "rejected"), "preference", "preference", id="preference"),
        pytest.param(
            objects(messages=conversation("role", "content", "user", "assistant"), label=lambda n: n % 2 == 0),
            "kto",
            "kto",
            id="kto",
        ),
        pytest.param(objects("prompt", "completion", kto_tag=lambda n: n % 2 == 0), "kto", "kto", id="kto-tag"),
        pytest.param(objects("text"), "text", "text", id="text-alone"),
        pytest.param(objects("url", "timestamp", text=lambda n: f"long {n} " * 99), "text", "text", id="long-texts"),
        pytest.param(objects("text", label=lambda n: LABELS[n % 3]), "table", "classification", id="table"),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "json", "pretty", "parquet", "arrow"])
def test_contents_of_objects(tmp_path, items, content, task, form):
    path = tmp_path / "file"
    table = pa.Table.from_pylist(items)
    if form == "jsonl":
        path.write_text("".join(json.dumps(item) + "\n" for item in items))
    elif form in ("json", "pretty"):
        path.write_text(json.dumps(items, indent=2 if form == "pretty" else None))
    elif form == "parquet":
        parquet.write_table(table, path)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)
    spec = detect(path)
    assert (spec.format, spec.content) == (form.replace("pretty", "json"), content)
    assert guess.task(path, spec) == task
    if content == "table":
        assert (spec.text, spec.label) == ("text", "label")


@pytest.mark.parametrize("names", [("instruction", "output"), ("prompt", "chosen", "rejected")])
def test_contents_of_csv(tmp_path, names):
    rows = [",".join(f"{name} {n}" for name in names) for n in range(40)]
    spec = found(tmp_path, "\n".join([",".join(names), *rows]))
    assert (spec.header, spec.columns) == (True, names)
    assert spec.content == ("preference" if "chosen" in names else "alpaca")


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_packed_files(tmp_path, name):
    path = tmp_path / "file.csv"
    with pa.CompressedOutputStream(str(path), name) as stream:
        stream.write(table(header=HEADER).encode())
    assert (detect(path).compression, detect(path).columns) == (name, HEADER)


def test_txt_is_texts_unless_it_is_clearly_a_table(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("\n".join(f"Some words, and {'more, ' * (n % 3)}words {n}." for n in range(40)))
    assert (detect(path).format, detect(path).content, detect(path).blocks) == ("txt", "text", None)
    assert detect(path, blocks="paragraphs").blocks == "paragraphs"
    path.write_text(table("\t", HEADER))
    assert (detect(path).format, detect(path).text) == ("csv", "title")
    assert detect(path, format="txt").format == "txt"


def test_template_takes_the_place_of_a_text_column(tmp_path):
    spec = found(tmp_path, table(header=HEADER), template="{title} for {price}")
    assert (spec.text, spec.template, spec.label) == (None, "{title} for {price}", "category")
    with pytest.raises(GraftError, match="no column 'brand'"):
        found(tmp_path, table(header=HEADER), template="{title} by {brand}")


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
        pytest.param(b'[{"title": "x"}]', {}, r"(?s)which column holds the label.*title: x", id="json-without-label"),
        pytest.param(b'["x", "y"]\n["z", "u"]\n', {}, "JSON, but no objects", id="json-lists"),
        pytest.param(b"[{x: 1}, {x: 2}]", {}, "JSON, but no objects", id="json-broken"),
        pytest.param("냉장고,가전제품\n휴대전화,통신기기\n".encode("euc-kr") * 99, {}, "neither UTF-8", id="euc-kr"),
        pytest.param("Холодильник,техника\n".encode("cp1251") * 99, {}, "neither UTF-8", id="cp1251"),
        pytest.param("Холодильник,техника\n".encode("koi8-r") * 99, {}, "neither UTF-8", id="koi8-r"),
        pytest.param("電冰箱,家用電器\n手機,通訊\n".encode("big5") * 99, {}, "neither UTF-8", id="big5"),
        pytest.param("冷蔵庫カメラ,家電\n".encode("shift_jis") * 99, {}, "neither UTF-8", id="shift-jis"),
        pytest.param("Kühlschrank,Geräte\n".encode("latin-1") * 99, {}, "neither UTF-8", id="latin-1"),
        pytest.param("ตู้เย็น,เครื่อง\n".encode("tis-620") * 99, {}, "neither UTF-8", id="thai"),
        pytest.param(b"PK\3\4" + bytes(range(256)) * 9, {}, "binary file", id="zip-or-excel"),
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
