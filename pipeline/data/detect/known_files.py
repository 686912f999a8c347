"""Files of other kinds, told by their first bytes: what they are, and what to do instead."""

import re
import zipfile
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.reading import source
from pipeline.data.reading.limits import Limits

_TABLE = "export it as CSV (UTF-8)"
_UNPACK = "unpack it and give the files in it"
_REPACK = "unpack it; gzip and zstd are read as they are"
_PICKLE = "pickles run code when they are read: export it as Parquet"
_POINTER = "{} in its repository brings the file"
_PROSE = "; to read it as prose, rename it to .txt"
_PAGE = f"download the data, not the page about it; or open it in a spreadsheet and save it as CSV (UTF-8){_PROSE}"
_KINDS = (  # first bytes, what it is, what to do
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Office file", _TABLE),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"BZh91AY&SY", "packed with bzip2", _REPACK),
    (b"\xfd7zXZ\x00", "packed with xz", _REPACK),
    (b"\x04\x22\x4d\x18", "packed with lz4", _REPACK),
    (b"%PDF-", "a PDF", "extract its text first"),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "export it as Parquet"),
    (b"\x93NUMPY", "a NumPy array", "export it as Parquet"),
    (b"Obj\x01", "an Avro file", "export it as Parquet or JSON lines"),
    (b"\x80\x02", "a pickle", _PICKLE),
    (b"\x80\x03", "a pickle", _PICKLE),
    (b"\x80\x04\x95", "a pickle", _PICKLE),
    (b"\x80\x05\x95", "a pickle", _PICKLE),
    (b"{\\rtf", "a rich text document", "save it as plain text"),
    (b"PK\x05\x06", "an empty zip archive", "bring it anew"),
    (b"\x1f\x9d", "packed with compress", _REPACK),
    (b"$FL2", "an SPSS file", "export it as CSV or Parquet"),
    (b"<stata_dta>", "a Stata file", "export it as CSV or Parquet"),
    (b"version https://git-lfs.github.com/spec/", "a git-lfs pointer, not the file", _POINTER.format("git lfs pull")),
    (b"outs:\n- ", "a DVC pointer, not the file", _POINTER.format("dvc pull")),
)
_BINARY = (  # as above, where text may begin so, too
    (b"ORC", "an ORC file", "export it as Parquet"),
    (b"FEA1", "a Feather file of version 1", "export it as Parquet or Arrow"),
    (b"RDX", "an R data file", "export it as CSV or Parquet"),
)
_MARKUP = (  # how a text begins and where it may have such names, what it is, what to do
    (re.compile(rb"(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|table)\b", re.I | re.S), "an HTML page", _PAGE),
    (re.compile(rb"<(?:\?xml|!doctype)\b", re.I), "an XML document", f"{_TABLE}, or as JSON lines{_PROSE}"),
)
_SQL = re.compile(  # the first statement behind comments
    rb"""(?:\s|--[^\n]*\n|/\*.*?\*/;?)*+
    (?: insert\s+(?:ignore\s+)?into\s | replace\s+into\s | (?:create|drop|alter)\s+(?:table|database|schema|type)\s
    | pragma\s+\w+\s*= | begin(?:\s+transaction)?\s*; | set\s+[@\w.]+\s*= | lock\s+tables\s
    | use\s+`?\w+`?; | copy\s+\S+\s*\( )""",
    re.I | re.S | re.X,
)
_MEMBERS = (  # a path in a zip archive, what it is, what to do
    ("xl/", "an Excel workbook", _TABLE),
    ("word/", "a Word document", "save it as plain text"),
    ("content.xml", "an OpenDocument file", _TABLE),
    ("data.pkl", "a PyTorch file", "weights are no data"),
    (".npy", "NumPy arrays", "export them as Parquet"),
    (".iwa", "a document of Apple's Numbers or Pages", _TABLE),
)
_TAR = 257  # where a tar archive's first header says ustar
_HEAD = 1 << 12  # bytes that are looked at
_UNLIMITED = Limits(max_bytes=1 << 62)  # no more than those are read


def refuse(path: Path) -> None:
    """Refuse a file of a kind that is known and not read.

    Raises:
        GraftError: names the kind and what to do.
    """
    try:
        compression = source.compression_of(path)
        with source.opened(path, compression, _UNLIMITED) as file:
            head = file.read(_HEAD)
    except GraftError:
        return  # said better where it is read
    found = _binary(path, head, packed=compression is not None) or _text(path, head, packed=compression is not None)
    if found:
        raise GraftError(f"{path}: {found[0]}", help=found[1])


def _binary(path: Path, head: bytes, *, packed: bool) -> tuple[str, str] | None:
    if head.startswith(b"PK\x03\x04"):
        return ("a zip archive, packed once more", _UNPACK) if packed else _zipped(path)
    if head[_TAR : _TAR + 5] == b"ustar":
        return "a tar archive", _UNPACK
    kinds = (*_KINDS, *(_BINARY if min(head, default=9) < 9 else ()))
    return next((kind[1:] for kind in kinds if head.startswith(kind[0])), None)


def _text(path: Path, head: bytes, *, packed: bool) -> tuple[str, str] | None:
    """HTML, XML, YAML and SQL, told by their first and last bytes; a table may have such texts in its cells."""
    name = path.name.casefold().removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".txt"):
        return None
    end = b"" if packed else _end(path)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if end.endswith(b">") or name.endswith((".html", ".htm", ".xml", ".xls", ".xlsx")):
        found = next((kind[1:] for kind in _MARKUP if kind[0].match(start)), None)
        if found:
            return found
    if name.endswith((".yaml", ".yml")) and not start.startswith((b"{", b"[")):
        return "YAML", f"convert it to JSON lines{_PROSE}"
    last = end.rpartition(b"\n")[2]
    if name.endswith(".sql") or (_SQL.match(start) and (last.endswith(b";") or last.startswith(b"--"))):
        return "SQL statements", "load it into a database, and export the table as CSV"
    return None


def _end(path: Path) -> bytes:
    """A file's last bytes, without white space."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _HEAD))
        return file.read(_HEAD).rstrip()


def _zipped(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "a zip archive, damaged", "bring it anew"
    kinds = (kind[1:] for kind in _MEMBERS if any(kind[0] in name for name in names))
    return next(kinds, ("a zip archive", _UNPACK))
