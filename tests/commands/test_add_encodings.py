"""graft add: files in several encodings, and doing what the help says about them."""

from pathlib import Path

from tests.commands.test_add import refused
from tests.commands.test_add_formats import NAME, WORDS, question, spec
from tests.conftest import Clone


def test_a_named_encoding_is_for_the_files_that_need_it(fresh: Clone, tmp_path: Path) -> None:
    texts = {"a": ("Ágnes Ízű", "utf-8"), "b": ("Größe", "cp1252"), "c": ("Ágnes Ízű", "utf-16"), "d": ("", "ascii")}
    for name, (word, encoding) in texts.items():
        rows = "".join(f"{name} {question(n)} {word},{WORDS[n % 3]}\n" for n in range(60))
        (tmp_path / f"{name}.csv").write_bytes(f"title,category\n{rows}".encode(encoding))
    drop = [str(tmp_path / f"{name}.csv") for name in texts]
    said = refused(fresh, NAME, *drop, "--replace")
    assert "b.csv: the encoding is neither" in said
    assert "a.csv" not in said
    said = fresh.graft("add", NAME, *drop, "--replace", "--set", "encoding=cp1252")
    assert "240 records" in said
    assert "undecodable" not in said
    found = {name: spec(fresh)["files"][f"raw/{name}.csv"]["encoding"] for name in texts}
    assert found == {"a": "utf-8", "b": "cp1252", "c": "utf-16", "d": "cp1252"}
    fresh.graft("add", NAME, drop[0], "--replace", "--set", "encoding=latin-1")
    assert spec(fresh)["files"]["raw/a.csv"]["encoding"] == "latin-1"  # of one file it is meant
