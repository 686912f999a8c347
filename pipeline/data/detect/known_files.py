"""Files of other kinds, told by their first bytes: what they are, and what to do instead."""

import zipfile
from pathlib import Path

from pipeline.common.errors import GraftError

_TABLE = "export it as CSV (UTF-8)"
_UNPACK = "unpack it and give the files in it"
_REPACK = "unpack it; gzip and zstd are read as they are"
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
    (b"\x80\x04\x95", "a pickle", "pickles run code when they are read: export it as Parquet"),
    (b"\x80\x05\x95", "a pickle", "pickles run code when they are read: export it as Parquet"),
    (b"{\\rtf", "a rich text document", "save it as plain text"),
)
_MEMBERS = (  # a path in a zip archive, what it is, what to do
    ("xl/", "an Excel workbook", _TABLE),
    ("word/", "a Word document", "save it as plain text"),
    ("content.xml", "an OpenDocument file", _TABLE),
    ("data.pkl", "a PyTorch file", "weights are no data"),
)
_TAR = 257  # where a tar archive's first header says ustar


def refuse(path: Path) -> None:
    """Refuse a file of a kind that is known and not read.

    Raises:
        GraftError: names the kind and what to do.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return  # said better where it is read
    found = next((kind[1:] for kind in _KINDS if head.startswith(kind[0])), None)
    if head.startswith(b"PK\x03\x04"):
        found = _zipped(path)
    if head[_TAR : _TAR + 5] == b"ustar":
        found = ("a tar archive", _UNPACK)
    if found:
        raise GraftError(f"{path}: {found[0]}", help=found[1])


def _zipped(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "a zip archive, damaged", "bring it anew"
    kinds = (kind[1:] for kind in _MEMBERS if any(kind[0] in name for name in names))
    return next(kinds, ("a zip archive", _UNPACK))
