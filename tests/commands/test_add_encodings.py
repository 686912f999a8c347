"""graft add: files in several encodings, and doing what the help says about them."""

from pathlib import Path

from tests.commands.test_add import refused
from tests.commands.test_add_formats import NAME, WORDS, question, spec
from tests.conftest import Clone


def test_a_named_encoding_is_for_the_files_that_need_it(fresh: Clone, tmp_path: Path) -> None:
    words = {
        "a": ("Ágnes Ízű", "utf-8"), "b": ("Größe", "cp1252"), "c": ("Ágnes Ízű", "utf-16"), "d": ("", "ascii"),
        "e": ("木製の椅子", "iso2022_jp"), "f": ("家用大容量冰箱手机", "gb18030"), "g": ("椅子", "utf-16-le"),
    }  # fmt: skip
    for name, (word, encoding) in words.items():
        rows = "".join(f"{name} {question(n)} {word},{WORDS[n % 3]}\n" for n in range(60))
        (tmp_path / f"{name}.csv").write_bytes(f"title,category\n{rows}".encode(encoding))
    drop = [str(tmp_path / f"{name}.csv") for name in words]
    said = refused(fresh, NAME, *drop, "--replace")
    assert "b.csv: the encoding is neither" in said
    assert "a.csv" not in said
    said = fresh.graft("add", NAME, *drop, "--replace", "--set", "encoding=cp1252")
    assert "420 records" in said
    assert "undecodable" not in said
    found = {name: spec(fresh)["files"][f"raw/{name}.csv"]["encoding"] for name in words}
    assert found == {name: encoding for name, (_, encoding) in words.items()} | {"d": "cp1252"}
    fresh.graft("add", NAME, drop[0], "--replace", "--set", "encoding=latin-1")
    assert spec(fresh)["files"]["raw/a.csv"]["encoding"] == "latin-1"  # of one file it is meant


def test_rows_in_another_encoding_name_it_in_the_help(fresh: Clone, tmp_path: Path) -> None:
    rows = [f"{question(n)} Größe,{WORDS[n % 3]}\n".encode("utf-8" if n % 5 > 1 else "cp1252") for n in range(60)]
    (tmp_path / "a.csv").write_bytes(b"title,category\n" + b"".join(rows))
    said = refused(fresh, NAME, str(tmp_path / "a.csv"), "--replace")
    assert "undecodable characters: 24" in said
    assert "encoding (graft add: --set encoding=NAME), or raise prepare.max_reject_share" in said


def test_blank_in_any_script_is_blank_and_a_nul_in_a_header_is_no_name(fresh: Clone, tmp_path: Path) -> None:
    blank = ["\u3000,\u00a0\n", "\u3000\n", '"\u00a0","\u3000"\n', "\u2003,\ufeff\n", '"\u200b",\n']
    rows = "".join(f"{question(n)},{WORDS[n % 3]}\n{blank[n % 5]}" for n in range(60))
    (tmp_path / "a.csv").write_text(f"ti\0tle,category\u202e\n{rows}", encoding="utf-8")
    said = fresh.graft("add", NAME, str(tmp_path / "a.csv"), "--replace", "--header")
    assert "60 rows, 60 records" in said
    assert list(spec(fresh)["files"]["raw/a.csv"]["columns"]) == ["title", "category"]
    (tmp_path / "a.csv").write_text(f"ti\0tle,category\n{rows}", encoding="utf-8")
    assert "header, text 'title'" in fresh.graft("add", NAME, str(tmp_path / "a.csv"), "--replace")


def test_a_broken_byte_beside_utf8_costs_one_row(fresh: Clone, tmp_path: Path) -> None:
    for name, word in {"a": "plain", "b": "größe"}.items():
        rows = "".join(f"{name} {question(n)} {word},{WORDS[n % 3]}\n" for n in range(60)).encode()
        (tmp_path / f"{name}.csv").write_bytes(b"title,category\n" + rows.replace(b"plain", b"pl\xffain", 1))
    drop = [str(tmp_path / f"{name}.csv") for name in "ab"]
    assert "120 rows, 119 records (1 undecodable characters)" in fresh.graft("add", NAME, *drop, "--replace")
    assert "a.csv: the encoding is neither" in refused(fresh, NAME, drop[0], "--replace")


def test_ebcdic_is_named(fresh: Clone, tmp_path: Path) -> None:
    rows = "".join(f"{question(n)},{WORDS[n % 3]}\n" for n in range(60))
    (tmp_path / "a.csv").write_bytes(f"title,category\n{rows}".encode("cp037"))
    assert "EBCDIC" in refused(fresh, NAME, str(tmp_path / "a.csv"), "--replace")
