import json
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.common.errors import GraftError
from pipeline.data.detect import detect as guess
from pipeline.data.detect.detect import detect, detect_drop
from pipeline.data.detect.detect_rows import Wishes
from pipeline.data.prepare.rows import READERS
from pipeline.data.reading.increment import FileSpec
from pipeline.data.reading.limits import Limits

SHARED = Path(__file__).parents[3] / "shared" / "data"
TITLES = [f"maker{n} model {n * 7919 % 1000} gadget" for n in range(40)]
LABELS = ["Phones", "Fridges", "Freezers"]
ROWS = "".join(f"{title},{LABELS[n % 3]}\n" for n, title in enumerate(TITLES * 2))
NUMBERED = "".join(f"{n},{title},{LABELS[n % 3]}\n" for n, title in enumerate(TITLES * 2))


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
    whole = table(header=HEADER).replace("maker1 ", "måker ").encode()
    assert found(tmp_path, whole + b"9,caf\xe9 maker,1.99,Phones\n").encoding == "utf-8"


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
        pytest.param(b"PK\3\4" + bytes(range(256)) * 9, {}, "a zip archive, damaged", id="zip"),
        pytest.param("just some words\n" * 9, {}, "no delimiter splits", id="prose"),
        pytest.param(table(header=HEADER), {"text": "titel"}, r"(?s)no column 'titel'.*columns: id, title", id="text"),
        pytest.param(table(), {"label": "category"}, r"(?s)no column 'category'.*columns: c1, c2", id="label"),
        pytest.param(table(), {"columns": ["a", "b"]}, "4 columns, but 2 names: a, b", id="number-of-columns"),
        pytest.param(table(), {"delimiter": "ab"}, "the delimiter is one character", id="delimiter"),
        pytest.param(table(), {"encoding": "utf-9"}, "no encoding that Python knows", id="unknown-encoding"),
        pytest.param(
            f"900,Odd,Oddities\n{NUMBERED}", {}, r"(?s)line 1: cannot tell.*900, Odd.*--no-header", id="unclear-header"
        ),
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


@pytest.mark.parametrize(
    ("content", "columns", "skip"),
    [
        pytest.param(f",title,category\n{NUMBERED}", ("c1", "title", "category"), None, id="pandas-index"),
        pytest.param(",title,category\n0,Red lamp 0,Chairs\n", ("c1", "title", "category"), None, id="one-row"),
        pytest.param(f",foo,bar\n{NUMBERED}", ("c1", "foo", "bar"), None, id="index-and-unusual-names"),
        pytest.param(f"2024,name,bar\n{NUMBERED}", ("2024", "name", "bar"), None, id="numeric-cell"),
        pytest.param(f"name,name,class\n{NUMBERED}", ("name", "name_2", "class"), None, id="repeated-cell"),
        pytest.param(f"Titel,Warengruppe\n{ROWS}", ("Titel", "Warengruppe"), None, id="german"),
        pytest.param(f"productTitle,main_category\n{ROWS}", ("productTitle", "main_category"), None, id="joined"),
        pytest.param(f"Export of May\n\ntitle,category\n{ROWS}", ("title", "category"), 2, id="title-above"),
        pytest.param(f"Export of May,\ntitle,category\n{ROWS}", ("title", "category"), 1, id="title-as-wide"),
        pytest.param(f"# by the shop, monthly\n# v2\nfoo,bar\n{ROWS}", ("foo", "bar"), 2, id="comments-above"),
        pytest.param("sep=;\r\n" + f"title,category\n{ROWS}".replace(",", ";"), ("title", "category"), 1, id="sep"),
    ],
)
def test_rows_that_name_columns(tmp_path, content, columns, skip):
    spec = found(tmp_path, content)
    assert (spec.header, spec.columns, spec.skip) == (True, columns, skip)
    assert spec.label == columns[-1]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(NUMBERED, id="numbers"),
        pytest.param(f"#1 Dad mug,Phones\n{ROWS}", id="hash-in-a-title"),
    ],
)
def test_first_rows_that_are_data(tmp_path, content):
    assert (found(tmp_path, content).header, found(tmp_path, content).skip) == (False, None)


def test_a_row_that_holds_the_column_asked_for_is_the_header(tmp_path):
    rows = "".join(f"{title},{n},{LABELS[n % 3]}\n" for n, title in enumerate(TITLES))
    assert found(tmp_path, f"a,1,b\n{rows}", text="a", label="b").header is True
    assert found(tmp_path, f"a,1,b\n{rows}", key="1", label="b", text="a").header is True


def test_tables_in_txt(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("".join(f"{title}\t{n % 10}\n" for n, title in enumerate(TITLES)))
    assert (detect(path).format, detect(path).text, detect(path).label) == ("csv", "c1", "c2")
    path.write_text("".join(f"{n % 2}\t{title}, and more\n" for n, title in enumerate(TITLES)))
    assert (detect(path).text, detect(path).label) == ("c2", "c1")
    path.write_text("".join(f"__label__{LABELS[n % 3]} {title} , more\n" for n, title in enumerate(TITLES)))
    assert (detect(path).format, detect(path).text, detect(path).label) == ("fasttext", "text", "label")


@pytest.mark.parametrize("values", [[0, 1, 2], [True, False, True]])
@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_labels_that_are_no_text(tmp_path, values, form):
    items = [{"id": f"n{n}", "words": title, "y": values[n % 3]} for n, title in enumerate(TITLES)]
    path = tmp_path / "file"
    if form == "parquet":
        parquet.write_table(pa.Table.from_pylist(items), path)
    else:
        path.write_text(json.dumps(items) if form == "json" else "".join(json.dumps(item) + "\n" for item in items))
    assert (detect(path).text, detect(path).label) == ("words", "y")


@pytest.mark.parametrize("key", ["data", "rows", "items"])
def test_rows_inside_of_a_document(tmp_path, key):
    items = [{"title": title, "category": LABELS[n % 3]} for n, title in enumerate(TITLES)]
    path = tmp_path / "file.json"
    for indent in (None, 2):
        path.write_text(json.dumps({"version": {"data": [1]}, key: items, "more": ["no row"]}, indent=indent))
        assert (detect(path).format, detect(path).rows, detect(path).text) == ("json", key, "title")
        assert len(guess.file_shape.sample(path, detect(path), Limits(), 99)) == len(items)
    for orient in (
        {"title": {"0": "x", "1": "y"}, "category": {"0": "a", "1": "b"}},
        {"a": ["x", "y"], "b": ["z", "u"]},
    ):
        path.write_text(json.dumps(orient))
        with pytest.raises(GraftError, match=r"(?s)JSON of columns.*orient='records'"):
            detect(path)


@pytest.mark.parametrize("encoding", ["iso2022_jp", "hz"])
def test_encodings_that_look_like_ascii(tmp_path, encoding):
    titles = "".join(
        f"家用大容量冰箱 {n},{['冰箱', '手机'][n % 2] if encoding == 'hz' else '家電'}\n" for n in range(40)
    )
    assert found(tmp_path, f"title,category\n{titles}".encode(encoding)).encoding == encoding


def test_few_accents_of_another_encoding_are_not_lost(tmp_path):
    content = (table(header=HEADER) * 9 + "9,Café crème,1.99,Phones\n").encode("cp1252")
    with pytest.raises(GraftError, match=r"(?s)as cp1252 a line reads: 9,Café crème.*--set encoding=NAME"):
        found(tmp_path, content)
    assert found(tmp_path, content, encoding="cp1252").encoding == "cp1252"


def test_one_nul_is_not_utf16(tmp_path):
    spec = found(tmp_path, table(header=HEADER).encode() + b"41,Bad\0 one,1.99,Phones\n")
    assert (spec.encoding, spec.columns) == ("utf-8", HEADER)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\xfd7zXZ\0", "packed with xz"),
        (b"\x80\x04\x95", "a pickle"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, head, message):
    with pytest.raises(GraftError, match=f"(?s){message}.*help: "):
        found(tmp_path, head + b"x" * 600)


@pytest.mark.parametrize(("member", "message"), [("xl/workbook.xml", "an Excel workbook"), ("a.csv", "a zip archive")])
def test_archives_are_named_by_what_they_hold(tmp_path, member, message):
    with zipfile.ZipFile(tmp_path / "file.xlsx", "w") as archive:
        archive.writestr(member, "x")
    with pytest.raises(GraftError, match=message):
        detect(tmp_path / "file.xlsx")


# --- files that come together -------------------------------------------------------------------------------


def drop(tmp_path: Path, **contents: str):
    for name, content in contents.items():
        (tmp_path / f"{name}.csv").write_text(content)
    specs, problems = detect_drop({tmp_path / f"{name}.csv": Wishes() for name in contents}, Limits())
    return {path.stem: spec for path, spec in specs.items()}, problems


def shard(kinds, start=0):
    rows = [f"{title} {start},{n % 7} sold,{kinds[n % len(kinds)]}\n" for n, title in enumerate(TITLES)]
    return "name,num,type\n" + "".join(rows)


def test_files_with_the_same_columns_have_the_same_roles(tmp_path):
    specs, problems = drop(tmp_path, a=shard(LABELS), b=shard(["Phones"]), c=shard(LABELS, 9))
    assert problems == []
    assert {(spec.text, spec.label) for spec in specs.values()} == {("name", "type")}


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param("", id="empty"),
        pytest.param("name,num,type\n", id="header-alone"),
        pytest.param("name,num,type\none; two; three; four,3 sold,Phones\n", id="another-delimiter-inside"),
        pytest.param("a single row; of; many; marks,2 sold,Phones\n", id="no-header"),
    ],
)
def test_one_odd_shard_is_read_as_the_others(tmp_path, odd):
    specs, problems = drop(tmp_path, a=shard(LABELS), b=shard(LABELS, 1), c=odd, d=shard(LABELS, 2))
    assert problems == []
    assert {(spec.delimiter, spec.columns, spec.label) for spec in specs.values()} == {
        (",", ("name", "num", "type"), "type")
    }
    assert specs["c"].header is not odd.startswith("a single")


def test_parts_of_one_table_of_which_the_first_has_the_header(tmp_path):
    first, *rest = (shard(LABELS, n) for n in range(3))
    specs, problems = drop(tmp_path, a=first, b=rest[0].split("\n", 1)[1], c=rest[1].split("\n", 1)[1])
    assert problems == []
    assert [specs[name].header for name in "abc"] == [True, False, False]
    assert {spec.columns for spec in specs.values()} == {("name", "num", "type")}


def test_tables_of_their_own_stay_so(tmp_path):
    other = "sku,title,category\n" + "".join(f"{n},{title},{LABELS[n % 3]}\n" for n, title in enumerate(TITLES))
    specs, problems = drop(tmp_path, a=shard(LABELS), b=shard(LABELS, 1), c=other)
    assert problems == []
    assert (specs["c"].columns, specs["c"].text) == (("sku", "title", "category"), "title")


def two(kinds, start=0, rows=None):
    """Rows of two columns, without a header."""
    return "".join(f"{title} {start},{kinds[n % len(kinds)]}\n" for n, title in enumerate(TITLES[:rows]))


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param({"a": "Main Name,Main Group\n" + two(LABELS), "b": "Main Name,Main Group\n"}, id="no-row-below"),
        pytest.param({"a": "foo,bar\n" + two(LABELS), "b": "foo,bar\n" + two(["Phones"], 1, 1)}, id="one-row-below"),
        pytest.param({"a": "foo,bar\n" + two(LABELS), "b": "foo,bar\n" + two(["Beds"], 1, 4)}, id="one-class-below"),
        pytest.param({name: "foo,bar\n" + two([name], place) for place, name in enumerate(LABELS)}, id="class-a-file"),
    ],
)
def test_a_header_that_several_files_have_is_none_of_their_rows(tmp_path, contents):
    specs, problems = drop(tmp_path, **contents)
    assert problems == []
    assert {spec.header for spec in specs.values()} == {True}
    assert len({(spec.text, spec.label) for spec in specs.values()}) == 1


def test_the_first_part_has_the_header_of_all_and_no_later_one_has(tmp_path):
    parts = {"xab": two(LABELS, 1), "xac": two(LABELS, 2), "xad": "A lone lamp,Lamps\n" + two(LABELS, 3)}
    specs, problems = drop(tmp_path, xaa="foo,bar\n" + two(LABELS), **parts)
    assert problems == []
    assert [specs[name].header for name in ("xaa", "xab", "xac", "xad")] == [True, False, False, False]
    assert {(spec.text, spec.label) for spec in specs.values()} == {("foo", "bar")}


def test_first_rows_of_copies_are_no_headers(tmp_path):
    specs, _ = drop(tmp_path, a=two(LABELS), b=two(LABELS))
    assert [spec.header for spec in specs.values()] == [False, False]


@pytest.mark.parametrize(
    ("above", "skip"),
    [
        ("Export of products, winter\n\n", 2),
        ("From,2026-01-01\nTo,2026-02-01\n", 2),
        ("// exported by tool, v1\n", 1),
        ("% columns, follow\n", 1),
        ("; exported, v1\n", 1),
        ("".join(f"# note, {n}\n" for n in range(25)), 25),
    ],
)
def test_what_stands_above_a_header_may_be_as_wide_as_it(tmp_path, above, skip):
    spec = found(tmp_path, f"{above}title,category\n{ROWS}")
    assert (spec.header, spec.skip, spec.text, spec.label) == (True, skip, "title", "category")


@pytest.mark.parametrize(
    ("row", "wishes", "columns"),
    [
        ("{n},{title},{label}", {}, ("c1", "title", "category")),
        ("{title},{label},", {}, ("title", "category", "c3")),
        ("{n},{title},{label}", {"text": "title", "label": "category"}, ("c1", "title", "category")),
        ("{n},{title},{label}", {"header": True}, ("c1", "title", "category")),
    ],
)
def test_a_header_may_lack_a_cell(tmp_path, row, wishes, columns):
    rows = [row.format(n=n, title=title, label=LABELS[n % 3]) for n, title in enumerate(TITLES)]
    spec = found(tmp_path, "title,category\n" + "\n".join(rows) + "\n", **wishes)
    assert (spec.columns, spec.text, spec.label) == (columns, "title", "category")
    values = [row for chunk in READERS["csv"](tmp_path / "file.csv", spec, Limits()) for row in chunk.values]
    assert (len(values), values[0]["title"]) == (len(TITLES), TITLES[0])


def test_columns_that_differ_in_case_have_the_same_roles(tmp_path):
    other = shard(LABELS, 2).replace("name,num,type", "Name,Num,Type")
    specs, problems = drop(tmp_path, a=shard(["Phones"], 1), b=other)
    assert problems == []
    assert [(spec.text, spec.label) for spec in specs.values()] == [("name", "type"), ("Name", "Type")]


def test_files_that_join_others_have_their_roles(tmp_path):
    first, _ = drop(tmp_path, a=shard(LABELS))
    (tmp_path / "b.csv").write_text(shard(["Phones"], 4))
    specs, problems = detect_drop({tmp_path / "b.csv": Wishes()}, Limits(), earlier=first.values())
    assert problems == []
    assert (specs[tmp_path / "b.csv"].text, specs[tmp_path / "b.csv"].label) == ("name", "type")


@pytest.mark.parametrize(
    ("suffix", "odd"),
    [
        ("jsonl", "{}\n" * 3),
        ("jsonl", '{"error": "quota"}\n' * 3),
        ("json", "[]"),
        ("csv", "title,category\n" + two(LABELS, 9, 10) + "one,cell,more\n" * 30),
    ],
)
def test_an_odd_file_does_not_stop_a_drop(tmp_path, suffix, odd):
    for place in range(4):
        rows = [{"title": f"{title} {place}", "category": LABELS[n % 3]} for n, title in enumerate(TITLES)]
        table = "title,category\n" + two(LABELS, place)
        text = {"json": json.dumps(rows), "jsonl": "\n".join(map(json.dumps, rows)), "csv": table}[suffix]
        (tmp_path / f"{place}.{suffix}").write_text(text)
    (tmp_path / f"odd.{suffix}").write_text(odd)
    specs, problems = detect_drop({path: Wishes() for path in sorted(tmp_path.iterdir())}, Limits())
    assert problems == []
    assert {(spec.text, spec.label) for spec in specs.values()} == {("title", "category")}


ITEMS = [{"title": title, "category": LABELS[n % 3]} for n, title in enumerate(TITLES)]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"products": ITEMS}, "products"),
        ({"count": 300, "products": ITEMS, "next": None}, "products"),
        ({"response": {"docs": ITEMS, "start": 0}}, "response.docs"),
        ({"schema": {"fields": [{"name": "title"}]}, "data": ITEMS}, "data"),
    ],
)
def test_rows_are_in_the_only_array_of_objects_whatever_its_key(tmp_path, content, key):
    spec = found(tmp_path, json.dumps(content, indent=1))
    assert (spec.format, spec.rows, spec.text, spec.label) == ("json", key, "title", "category")
    assert len(guess.file_shape.sample(tmp_path / "file.csv", spec, Limits(), 99)) == len(ITEMS)


def test_several_arrays_of_objects_are_named_and_one_is_asked_for(tmp_path):
    content = json.dumps({"validation": ITEMS[:5], "train": ITEMS, "about": "x"})
    with pytest.raises(GraftError, match=r"(?s)several arrays.*validation: 5 elements.*train: 40.*--set rows=KEY"):
        found(tmp_path, content)
    assert found(tmp_path, content, rows="train").rows == "train"


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "row", [{"data": [{"title": "no row", "category": "x"}]}, {"records": [{"x": 1}], "documents": [{"y": 2}]}]
)
def test_an_array_of_objects_in_each_row_is_no_wrapper(tmp_path, row, indent):
    spec = found(tmp_path, "\n".join(json.dumps(item | row, indent=indent) for item in ITEMS))
    assert (spec.rows, spec.text, spec.label) == (None, "title", "category")
    assert len(guess.file_shape.sample(tmp_path / "file.csv", spec, Limits(), 99)) == len(ITEMS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps({"data": []}), "holds no array of objects; its keys: data"),
        (json.dumps([["a", "b"]] * 900), "JSON, but no objects"),
        ("\n".join(map(repr, ITEMS)), "lines in braces that are no JSON"),
        (json.dumps({"columns": ["title"], "index": [0], "data": [["x"]]}), "orient='records'"),
    ],
)
def test_json_that_holds_no_rows_is_named(tmp_path, content, said):
    with pytest.raises(GraftError) as refused:
        found(tmp_path, content)
    assert said in str(refused.value)


def test_numbers_that_are_none_are_null(tmp_path):
    spec = found(tmp_path, "\n".join(json.dumps(item | {"price": float("nan")}) for item in ITEMS))
    values = [row for chunk in READERS[spec.format](tmp_path / "file.csv", spec, Limits()) for row in chunk.values]
    assert [row["price"] for row in values] == [None] * len(ITEMS)


@pytest.mark.parametrize(
    "more", [lambda n: {"topic": (0, 5, 10, 77)[n % 4]}, lambda n: {"a": n % 3, "b": n % 2},
             lambda n: {"number": 10**18 + n % 3}],
)  # fmt: skip
def test_texts_beside_what_may_be_labels_are_unclear(tmp_path, more):
    rows = [{"text": f"{title} {n}"} | more(n) for n, title in enumerate(TITLES * 2)]
    content = "\n".join(map(json.dumps, rows))
    with pytest.raises(GraftError, match=r"(?s)which column holds the label.*--set content=text"):
        found(tmp_path, content)
    assert detect(tmp_path / "file.csv", content="text").content == "text"


def test_labels_in_fasttexts_notation_may_stand_in_a_table(tmp_path):
    rows = "".join(f"__label__{LABELS[n % 3]},{title}\n" for n, title in enumerate(TITLES))
    spec = found(tmp_path, f"label,text\n{rows}")
    assert (spec.format, spec.header, spec.label) == ("csv", True, "label")
    lines_of_it = "".join(f"__label__{LABELS[n % 3]} {title}, new\n" for n, title in enumerate(TITLES))
    assert found(tmp_path, lines_of_it).format == "fasttext"


def test_tabs_make_a_table_of_a_txt_though_some_lines_lack_them(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("".join(f"{title}" + (f"\t{LABELS[n % 3]}\n" if n % 5 else "\n") for n, title in enumerate(TITLES)))
    assert (detect(path).format, detect(path).delimiter) == ("csv", "\t")
