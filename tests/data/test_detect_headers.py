"""Which row of a table names its columns."""

import pytest

from pipeline.common.errors import GraftError
from pipeline.data.detect import file_shape
from pipeline.data.detect.detect import detect
from pipeline.data.reading.limits import Limits

LABELS = ["Lamps", "Rugs", "Chairs"]
PAIRS = [(f"maker{n} model {n * 7919 % 1000} gadget", LABELS[n % 3]) for n in range(90)]
ROWS = "".join(f"{title},{label}\n" for title, label in PAIRS)
FEW = "".join(f"{title},{label}\n" for title, label in PAIRS[:24])
NUMBERED = "".join(f"{n},{title},{label}\n" for n, (title, label) in enumerate(PAIRS, 1))
TRAILING = "".join(f"{title},{label},\n" for title, label in PAIRS)
ONE_CLASS = "".join(f"{title},Lamps\n" for title, _ in PAIRS)


def found(tmp_path, content, **wishes):
    path = tmp_path / "file.csv"
    path.write_text(content)
    spec = detect(path, **wishes)
    return spec, file_shape.sample(path, spec, Limits(), 10_000)


@pytest.mark.parametrize("rows", [ROWS, FEW], ids=["many", "few"])
@pytest.mark.parametrize(
    ("above", "skip"),
    [
        pytest.param("Export of products, winter\n\n", 2, id="title"),
        pytest.param("Export of products, winter\n\nGenerated on 2026-01-01\n\n", 4, id="two-titles"),
        pytest.param("Report,Products\nFrom,2026-01-01\nTo,2026-02-01\n\n", 4, id="keys-and-values"),
        pytest.param("From,2026-01-01\nTo,2026-02-01\n", 2, id="keys-and-values-without-blank-line"),
        pytest.param("// exported by tool, v1\n// 2026-01-01\n", 2, id="slashes"),
        pytest.param("% exported by tool v1\n% cols, follow\n", 2, id="percent"),
        pytest.param("; exported by tool, v1\n", 1, id="semicolon"),
        pytest.param("-- exported by tool, v1\n", 1, id="dashes"),
        pytest.param("".join(f"# note {n}, of many\n" for n in range(45)), 45, id="45-comments"),
    ],
)
def test_what_stands_above_a_header_is_none(tmp_path, rows, above, skip):
    for header in ("title,category", "product name,category"):
        spec, read = found(tmp_path, f"{above}{header}\n{rows}")
        assert (spec.header, spec.skip, spec.columns) == (True, skip, tuple(header.split(",")))
        assert (spec.label, len(read)) == ("category", rows.count("\n"))


def test_titles_in_columns_above_wider_tables(tmp_path):
    spec, _ = found(tmp_path, f"Shop: ACME,Period: Q1,Currency: EUR\nid,title,category\n{NUMBERED}")
    assert (spec.skip, spec.columns) == (1, ("id", "title", "category"))
    rows = ROWS.replace(",", ";")
    assert found(tmp_path, f"Bericht; Stand 1.1.2026\ntitle;category\n{rows}")[0].skip == 1
    assert found(tmp_path, f"Export of products, winter\n\nfoo,bar\n{ROWS}")[0].columns == ("foo", "bar")
    assert found(tmp_path, f"Export of products, winter\n\nfoo,bar\n{ROWS}", header=True)[0].columns == ("foo", "bar")


def test_usual_names_among_the_rows_are_data(tmp_path):
    for first in ("foo,bar\n", ""):
        spec, read = found(tmp_path, f"{first}{PAIRS[0][0]} new,Rugs\nName,Label\n{ROWS}")
        assert (bool(spec.header), spec.skip, len(read)) == (bool(first), None, len(PAIRS) + 2)


@pytest.mark.parametrize("wishes", [{}, {"text": "title", "label": "category"}, {"header": True}])
@pytest.mark.parametrize(
    ("content", "columns"),
    [
        pytest.param(f"title,category\n{NUMBERED}", ("c1", "title", "category"), id="row-numbers"),
        pytest.param(f"title,category\n{TRAILING}", ("title", "category", "c3"), id="delimiter-behind-rows"),
        pytest.param(f"title,category,\n{ROWS}", ("title", "category"), id="delimiter-behind-header"),
        pytest.param(f"Export, winter\n\ntitle,category\n{NUMBERED}", ("c1", "title", "category"), id="title-above"),
    ],
)
def test_a_header_with_a_cell_fewer_or_more_than_the_rows(tmp_path, content, columns, wishes):
    spec, read = found(tmp_path, content, **wishes)
    assert (spec.header, spec.columns, spec.text, spec.label) == (True, columns, "title", "category")
    assert [(row["title"], row["category"]) for row in read] == PAIRS


def test_unusual_names_with_a_cell_fewer(tmp_path):
    assert found(tmp_path, f"foo,bar\n{NUMBERED}")[0].columns == ("c1", "foo", "bar")
    assert found(tmp_path, f"foo,bar\n{TRAILING}")[0].columns == ("foo", "bar", "c3")
    for broken in (f"another thing,Lamps\n{NUMBERED}", f"Lamps,another thing\n{NUMBERED}"):
        assert found(tmp_path, broken)[0].header is False


def test_a_row_above_one_class_names_the_columns(tmp_path):
    with pytest.raises(GraftError, match=r"(?s)which column holds the label.*bar: Lamps"):
        found(tmp_path, f"foo,bar\n{ONE_CLASS}")
    assert found(tmp_path, f"foo,bar\n{ONE_CLASS}", label="bar")[0].header is True
    with pytest.raises(GraftError, match=r"(?s)line 1: cannot tell whether this row names.*foo, bar"):
        found(tmp_path, "foo,bar\n" + "".join(ONE_CLASS.splitlines(keepends=True)[:9]))
