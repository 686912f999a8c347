"""Files that come together: each is read as its neighbours are, where by itself it would be read otherwise."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.data.detect import file_shape
from pipeline.data.detect.detect import detect_drop
from pipeline.data.detect.detect_rows import Wishes
from pipeline.data.reading.limits import Limits

LABELS = ["Lamps", "Rugs", "Chairs"]
PAIRS = [(f"maker{n} model {n * 7919 % 1000} gadget", LABELS[n % 3]) for n in range(160)]


def rows(pairs=PAIRS, delimiter=","):
    return "".join(f"{title}{delimiter}{label}\n" for title, label in pairs)


def drop(folder, contents, suffix=".csv", **wishes):
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}{suffix}" for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_text(content)
    return read(paths, **wishes)


def read(paths, **wishes):
    specs, problems = detect_drop({path: Wishes(**wishes) for path in paths}, Limits())
    counts = {path.stem: len(file_shape.sample(path, spec, Limits(), 10_000)) for path, spec in specs.items()}
    return {path.stem: spec for path, spec in specs.items()}, counts, problems


HEADED = f"foo,bar\n{rows()}"


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        pytest.param("foo,bar\n", 0, id="header-alone"),
        pytest.param("foo,bar\nRed new thing,Lamps\n", 1, id="one-row"),
        pytest.param("FOO,Bar\nRed new thing,Lamps\n", 1, id="one-row-and-another-case"),
        *(
            pytest.param("foo,bar\n" + "".join(f"Red thing {n},Lamps\n" for n in range(count)), count, id=f"{count}")
            for count in (4, 9, 30)
        ),
        pytest.param("foo,bar\nSome lamp,Lamps\nOther rug,Rugs\n", 2, id="two-rows"),
        pytest.param("Red thing,Lamps\nBlue thing,Lamps\n", 2, id="no-header"),
        pytest.param("Red thing,Rugs\n" + "".join(f"Thing {n},Lamps\n" for n in range(9)), 10, id="unclear-header"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ""])
def test_a_header_of_another_file_is_one_here(tmp_path, other, kept, suffix):
    mark = "\t" if suffix == ".tsv" else ","
    specs, counts, problems = drop(
        tmp_path, {"a": HEADED.replace(",", mark), "b": other.replace(",", mark)}, suffix=suffix
    )
    assert problems == []
    assert counts == {"a": len(PAIRS), "b": kept}
    assert {spec.label.casefold() for spec in specs.values()} == {"bar"}
    assert specs["b"].header is other.casefold().startswith("foo")


def test_a_shard_of_the_header_alone(tmp_path):
    shards = {f"p{n}": f"Product Title,Main Group\n{rows(PAIRS[n::8]) if n else ''}" for n in range(8)}
    specs, counts, problems = drop(tmp_path, shards)
    assert (problems, sum(counts.values())) == ([], len(PAIRS) - len(PAIRS[::8]))
    assert {(spec.header, spec.label) for spec in specs.values()} == {(True, "Main Group")}


@pytest.mark.parametrize("size", [1, 3, 9, 40])
@pytest.mark.parametrize("header", ["foo,bar\n", ""])
def test_one_class_in_each_file(tmp_path, size, header):
    shards = {kind: header + "".join(f"{kind} thing {n},{kind}\n" for n in range(size)) for kind in "ABC"}
    specs, counts, problems = drop(tmp_path, shards, label=header[4:7] or "c2", text=header[:3] or "c1")
    assert (problems, set(counts.values())) == ([], {size})
    specs, counts, problems = drop(tmp_path, shards)
    assert specs == {} or set(counts.values()) == {size}
    assert {spec.header for spec in specs.values()} <= {bool(header)}


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_parts_after_the_header_get_its_columns(tmp_path, parts):
    contents = {f"xa{n}": ("" if n else "foo,bar\n") + rows(PAIRS[n::parts]) for n in range(parts)}
    specs, counts, problems = drop(tmp_path, contents, suffix="")
    assert (problems, sum(counts.values())) == ([], len(PAIRS))
    assert [spec.header for spec in specs.values()] == [True] + [False] * (parts - 1)
    assert {(spec.columns, spec.label) for spec in specs.values()} == {(("foo", "bar"), "bar")}


def test_a_lone_class_in_the_first_row_of_a_part_is_data(tmp_path):
    odd = [("a rare thing", "Oddities"), *PAIRS]
    contents = {"a": rows(odd)}
    for place, name in enumerate("bcd", 7):
        contents[name] = rows([(f"{title} {name}", label) for title, label in PAIRS[place:] + odd[: place + 1]])
    specs, counts, problems = drop(tmp_path, contents)
    assert (problems, set(counts.values())) == ([], {len(odd)})
    assert {(spec.header, spec.columns) for spec in specs.values()} == {(False, ("c1", "c2"))}


def test_files_that_begin_alike_without_a_header(tmp_path):
    for again in (rows(PAIRS[:5]), rows(PAIRS), rows([PAIRS[0], *PAIRS[9:]])):
        _, counts, problems = drop(tmp_path, {"a": rows(), "b": again})
        assert (problems, counts) == ([], {"a": len(PAIRS), "b": again.count("\n")})


def objects(pairs=PAIRS):
    return [{"name": title, "type": label} for title, label in pairs]


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("schema", [None, ("name", "type"), ("other",)])
def test_a_parquet_file_without_rows(tmp_path, shards, schema):
    paths = [tmp_path / f"part-{n}.parquet" for n in range(shards + 1)]
    for path in paths[1:]:
        parquet.write_table(pa.Table.from_pylist(objects()), path)
    parquet.write_table(pa.table({name: pa.array([], pa.string()) for name in schema or ()}), paths[0])
    specs, counts, problems = read(paths)
    assert (problems, counts["part-0"], len(set(map(repr, specs.values())))) == ([], 0, 1)


@pytest.mark.parametrize("form", ["jsonl", "json", "wrapped"])
@pytest.mark.parametrize(
    "odd", ["", "\n", "[]", '{"data": []}', '{"total": 0, "data": []}', "{}\n" * 3, '{"error": "quota"}\n' * 3, "{}"]
)
def test_a_json_file_without_rows(tmp_path, form, odd):
    contents = {str(n): objects(PAIRS[n::5]) for n in range(4)}
    if form == "jsonl":
        texts = {name: "".join(json.dumps(item) + "\n" for item in items) for name, items in contents.items()}
    else:
        texts = {n: json.dumps(items if form == "json" else {"data": items}) for n, items in contents.items()}
    specs, counts, problems = drop(tmp_path, texts | {"odd": odd}, suffix=".json")
    assert problems == []
    assert {spec.label for spec in specs.values()} == {"type"}
    assert counts["odd"] <= max(1, odd.count("\n"))


def test_names_of_columns_in_another_case(tmp_path):
    contents = {}
    contents["a"] = "name,type,num\n" + "".join(f"thing {n},Lamps,{n * 31 % 9} sold\n" for n in range(60))
    contents["b"] = "Name,Type,Num\n" + "".join(f"other {n},{LABELS[n % 3]},{n * 31 % 9} sold\n" for n in range(60))
    specs, counts, problems = drop(tmp_path, contents)
    assert (problems, counts) == ([], {"a": 60, "b": 60})
    assert {name: (spec.text, spec.label) for name, spec in specs.items()} == {
        "a": ("name", "type"),
        "b": ("Name", "Type"),
    }
    upper = [{"Name": title, "Type": "Lamps", "Num": n % 3} for n, (title, _) in enumerate(PAIRS)]
    texts = {"a": objects(), "b": upper}
    texts = {name: "".join(json.dumps(item) + "\n" for item in items) for name, items in texts.items()}
    specs, counts, problems = drop(tmp_path, texts, suffix=".jsonl")
    assert problems == []
    assert {name: spec.label for name, spec in specs.items()} == {"a": "type", "b": "Type"}
    same = "".join(json.dumps({"text": title, "Text": "x", "label": label}) + "\n" for title, label in PAIRS)
    assert drop(tmp_path, {"a": same, "b": same}, suffix=".jsonl")[0]["a"].text == "text"


def test_numbers_of_columns_mean_the_same_in_tables_as_wide(tmp_path):
    wide = "".join(f"{n},{title},{n}.99,{label}\n" for n, (title, label) in enumerate(PAIRS))
    specs, _, problems = drop(tmp_path, {"a": rows(PAIRS * 2), "b": wide})
    assert problems == []
    assert (specs["a"].label, specs["b"].label, specs["b"].text) == ("c2", "c4", "c2")


@pytest.mark.parametrize(
    ("header", "broken"),
    [
        *((header, '"{0},{1}\n') for header in ("name,type\n", "foo,bar\n", "")),
        *((header, "{0}\n") for header in ("name,type\n", "foo,bar\n", "")),
        *((header, "{0},{1},more\n") for header in ("name,type\n", "foo,bar\n")),
    ],
)
def test_a_shard_of_mostly_broken_rows(tmp_path, header, broken):
    contents = {str(n): header + rows(PAIRS[n::4]) for n in range(4)}
    contents["odd"] = header + "".join((broken if n % 3 else "{0},{1}\n").format(f"x{n}", "Rugs") for n in range(40))
    specs, counts, problems = drop(tmp_path, contents)
    assert (problems, {spec.columns for spec in specs.values()}) == ([], {specs["0"].columns})
    assert counts["odd"] >= 14
