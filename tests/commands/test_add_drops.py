"""graft add: many files at once, and files that join others, are read alike."""

import json
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tests.commands.test_add import refused
from tests.commands.test_add_formats import NAME, WORDS, question, spec
from tests.conftest import Clone

KINDS = ["lamp", "rug", "chair"]
PAIRS = [(question(n), KINDS[n % 3]) for n in range(90)]


def given(folder: Path, contents: dict[str, str]) -> list[str]:
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_text(content)
    return [str(folder / name) for name in contents]


def rows(pairs: list[tuple[str, str]]) -> str:
    return "".join(f"{title},{kind}\n" for title, kind in pairs)


def test_headers_are_told_by_the_whole_drop(fresh: Clone, tmp_path: Path) -> None:
    shards = {f"p{n}.csv": "Product Title,Main Group\n" + (rows(PAIRS[n::7]) if n else "") for n in range(7)}
    said = fresh.graft("add", NAME, *given(tmp_path / "a", shards), "--replace")
    assert "p0.csv ... p6.csv (7 files): csv, utf-8, delimiter comma, header, text 'Product Title'" in said
    assert "3 labels: " in said
    each = {f"{kind}.csv": "foo,bar\n" + rows([pair for pair in PAIRS if pair[1] == kind]) for kind in KINDS}
    said = fresh.graft("add", NAME, *given(tmp_path / "b", each), "--replace")
    assert "90 rows, 90 records, 3 labels: chair 30, lamp 30, rug 30" in said
    parts = {"xaa": "foo,bar\n" + rows(PAIRS[:40]), "xab": rows(PAIRS[40:70]), "xac": rows(PAIRS[70:])}
    said = fresh.graft("add", NAME, *given(tmp_path / "c", parts), "--replace")
    assert "90 rows" in said
    assert {file["label"] for file in spec(fresh)["files"].values()} == {"bar"}
    train, held = given(
        tmp_path / "d", {"train.csv": "foo,bar\n" + rows(PAIRS[:80]), "test.csv": "foo,bar\na b c,rug\n"}
    )
    fresh.graft("add", NAME, train, "--evaluation", held, "--replace")
    assert {file["label"] for file in spec(fresh)["files"].values()} == {"bar"}


def test_one_title_or_cell_fewer_above_a_table_costs_no_row(fresh: Clone, tmp_path: Path) -> None:
    numbered = "".join(f"{n},{title},{kind}\n" for n, (title, kind) in enumerate(PAIRS, 1))
    for number, content in enumerate(
        [
            "Export of products, winter\n\ntitle,category\n" + rows(PAIRS),
            "; exported by a tool, v1\ntitle,category\n" + rows(PAIRS),
            "title,category\n" + numbered,
            "title,category\n" + rows(PAIRS).replace("\n", ",\n"),
        ]
    ):
        said = fresh.graft("add", NAME, *given(tmp_path / str(number), {"drop.csv": content}), "--replace")
        assert "90 rows, 90 records, 3 labels: chair 30, lamp 30, rug 30" in said


def test_a_title_with_a_comma_stands_above_names_that_are_not_usual(fresh: Clone, tmp_path: Path) -> None:
    given(tmp_path / "a", {"drop.csv": "Sales report,Q1\nprod,grp\n" + rows(PAIRS)})
    said = fresh.graft("add", NAME, str(tmp_path / "a/drop.csv"), "--replace")
    assert "header below 1 line, text 'prod', label 'grp'" in said
    assert "90 rows, 90 records, 3 labels" in said
    given(tmp_path / "b", {"drop.csv": "Product Name,Main Group\n" + rows(PAIRS)})
    assert "text 'Product Name'" in fresh.graft("add", NAME, str(tmp_path / "b/drop.csv"), "--replace")


def test_a_shard_whose_cells_hold_the_delimiter_is_read_as_the_others(fresh: Clone, tmp_path: Path) -> None:
    shards = {
        f"p{n}.csv": "".join(
            f"{at},{title}{', with a comma' if n == 1 and at % 3 else ''},{kind}\n"
            for at, (title, kind) in enumerate(PAIRS[n * 30 : n * 30 + 30])
        )
        for n in range(3)
    }
    said = refused(fresh, NAME, *given(tmp_path / "a", shards), "--replace")
    assert "too many fields: 20 (raw/p1.csv:2, " in said


def test_labels_that_differ_in_spelling_alone_are_warned_of(fresh: Clone, tmp_path: Path) -> None:
    table = "text,label\n" + "".join(f"{title},{n % 2 == 0}\n" for n, (title, _) in enumerate(PAIRS[:45]))
    objects = [{"text": title, "label": n % 2 == 0} for n, (title, _) in enumerate(PAIRS[45:])]
    lines = "".join(json.dumps(row) + "\n" for row in objects)
    said = fresh.graft("add", NAME, *given(tmp_path / "a", {"a.csv": table, "b.jsonl": lines}), "--replace")
    assert "warning: labels that differ in spelling alone are learned as different ones: True, true" in said


def test_control_characters_in_keys_are_refused_by_name(fresh: Clone, tmp_path: Path) -> None:
    lines = "".join(json.dumps({"te\x07xt": title, "label": kind}) + "\n" for title, kind in PAIRS)
    said = refused(fresh, NAME, *given(tmp_path / "a", {"a.jsonl": lines}), "--replace")
    assert "a.jsonl: control characters in names of keys or columns\n  te␇xt" in said


def test_files_without_rows_or_with_broken_ones_do_not_stop_a_drop(fresh: Clone, tmp_path: Path) -> None:
    lines = {
        f"p{n}.jsonl": "".join(json.dumps({"name": t, "type": k}) + "\n" for t, k in PAIRS[n::4]) for n in range(4)
    }
    odd = {"q0.jsonl": "{}\n{}\n", "q1.jsonl": '{"error": "quota"}\n', "q2.jsonl": "", "q3.jsonl": "[]"}
    said = fresh.graft("add", NAME, *given(tmp_path / "a", lines | odd), "--replace")
    assert "90 records" in said
    assert {file["label"] for file in spec(fresh)["files"].values()} == {"type"}
    (tmp_path / "b").mkdir()
    for name, part in (("part-0", PAIRS[:0]), ("part-1", PAIRS)):
        columns = {"name": [title for title, _ in part], "type": [kind for _, kind in part]}
        table = pa.table(columns, pa.schema([("name", pa.string()), ("type", pa.string())]))
        parquet.write_table(table, tmp_path / f"b/{name}.parquet")
    files = [str(tmp_path / f"b/part-{n}.parquet") for n in range(2)]
    assert "90 rows, 90 records" in fresh.graft("add", NAME, *files, "--replace")
    shards = {f"p{n}.csv": "name,type\n" + rows(PAIRS[n::4]) for n in range(4)}
    shards["p9.csv"] = "name,type\nbroken\nbroken too\nA whole row about tin,lamp\n"
    said = fresh.graft("add", NAME, *given(tmp_path / "c", shards), "--replace")
    assert "91 records (2 too few fields)" in said


def test_a_file_that_joins_is_read_as_those_before_it(fresh: Clone, tmp_path: Path) -> None:
    def sold(kinds: list[str], first: int) -> str:
        lines = [f"{question(n)},{n % 7} sold,{kinds[n % len(kinds)]}\n" for n in range(first, first + 45)]
        return "name,num,type\n" + "".join(lines)

    one, two = given(tmp_path / "a", {"a.csv": sold(KINDS, 0), "b.csv": sold(["lamp"], 45)})
    fresh.graft("add", NAME, one, "--replace")
    fresh.graft("add", NAME, two)
    assert {file["label"] for file in spec(fresh)["files"].values()} == {"type"}
    short = given(tmp_path / "b", {"c.csv": f"Name,Num,Type\n{WORDS[3]} and {WORDS[4]},3 sold,rug\n"})
    fresh.graft("add", NAME, *short)
    assert spec(fresh)["files"]["raw/c.csv"]["label"] == "Type"
    fresh.graft("add", NAME, *given(tmp_path / "c", {"d.csv": sold(KINDS, 90)}), "--label", "num")
    assert spec(fresh)["files"]["raw/d.csv"]["label"] == "num"
