"""Files of other kinds are named, with what to do; texts that only begin like them are read."""

import gzip
import io
import pickle
import tarfile
import zipfile

import pytest

from pipeline.common.errors import GraftError
from pipeline.data.detect.detect import detect

ROWS = "".join(f"Red desk lamp {n},{['Lamps', 'Rugs'][n % 2]}\n" for n in range(60))
PAGE = "<html>\n<body><table>\n" + "".join(f"<tr><td>Lamp {n}, red</td></tr>\n" for n in range(60))
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
DUMP = "-- MySQL dump 10.13\n\n/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `p`;\n"
INSERTS = "INSERT INTO `p` VALUES (1,'Lamp','Lamps');\n" * 60


def tar() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO())
    return target.getvalue()


def zipped(member: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        if member:
            archive.writestr(member, "x")
    return target.getvalue()


def named(value: str | bytes) -> str | None:
    """A part of a test's id: of no content, since archives hold the time, and each worker collects at its own."""
    return "content" if isinstance(value, bytes) or len(value) > 60 else None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.html", "<!DOCTYPE html>\n" + PAGE, "an HTML page.*help: download the data"),
        ("a.xls", PAGE, "an HTML page"),
        ("a.csv", "\ufeff<!-- old -->" + PAGE, "an HTML page"),
        ("a.csv.gz", gzip.compress(b"BZh91AY&SY" + bytes(99)), "packed with bzip2"),
        ("a.html.gz", gzip.compress(PAGE.encode()), "an HTML page"),
        ("a.xml", '<?xml version="1.0"?>\n<rows>\n<row a="1, 2"/>\n</rows>', "an XML document.*JSON lines"),
        ("a.csv", POINTER, "a git-lfs pointer.*help: git lfs pull"),
        ("a.csv.dvc", "outs:\n- md5: 3a\n  path: a.csv\n", "a DVC pointer.*help: dvc pull"),
        ("a.tar", tar(), "a tar archive"),
        ("a.tar.gz", gzip.compress(tar()), "a tar archive.*unpack it"),
        ("a.xlsx.gz", gzip.compress(zipped("xl/workbook.xml")), "packed once more"),
        ("a.orc", b"ORC\n\x03\0\0" + bytes(99), "an ORC file.*Parquet"),
        ("a.zip", zipped(""), "an empty zip archive"),
        ("a.npz", zipped("a.npy"), "NumPy arrays"),
        ("a.numbers", zipped("Index/Document.iwa"), "Apple's Numbers"),
        ("a.pkl", pickle.dumps(["a" * 300], 2), "a pickle"),
        ("a.yaml", "- title: Lamp\n  category: Lamps\n" * 60, "YAML.*JSON lines"),
        ("a.sql", INSERTS, "SQL statements.*export the table as CSV"),
        ("a.csv", DUMP + INSERTS + "-- Dump completed\n", "SQL"),
        ("a.csv", "SET client_encoding = 'UTF8';\nCREATE TABLE p (a int);\n", "SQL"),
    ],
    ids=named,
)
def test_other_kinds_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(GraftError) as refusal:
        detect(path)
    said = f"{refusal.value.message} help: {refusal.value.help}"
    assert message.partition(".*")[0] in said
    assert message.rpartition(".*")[2] in said


@pytest.mark.parametrize(
    "first",
    [
        "<html> tags,Rugs\n",
        "ORCHID pot,Rugs\n",
        "INSERT INTO t VALUES (1);,Rugs\n",
        "FEA1 cable,Rugs\n",
        "$5 lamp,Rugs\n",
    ],
)
def test_texts_that_begin_like_them_are_read(tmp_path, first):
    (tmp_path / "a.csv").write_text(first + ROWS)
    assert detect(tmp_path / "a.csv", header=False, text="c1", label="c2").columns == ("c1", "c2")
    (tmp_path / "a.txt").write_text(f"{first.split(',')[0]}\nsome words;\n")
    assert detect(tmp_path / "a.txt").format == "txt"
