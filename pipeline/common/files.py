"""Reading, hashing and replacing files, so that a kill never leaves half of one."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from pipeline.common import documents

ROOT = Path(__file__).resolve().parents[2]  # of the code that runs, wherever the data is
CHUNK = 1 << 20  # bytes read at a time


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, 64 hex digits; memory stays at one chunk."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def md5(path: Path) -> str:
    """MD5 of a file's content, as DVC names objects, 32 hex digits; memory stays bounded."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def content(path: Path) -> bytes | None:
    """Bytes of a file; None where there is none."""
    return path.read_bytes() if path.is_file() else None


def write_bytes(path: Path, content: bytes | bytearray) -> None:
    """Replace a file in one step: readers see the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a UTF-8 text file in one step."""
    write_bytes(path, text.encode())


def dumps(value: Any) -> str:
    """JSON as all of Graft's files hold it: sorted keys, indent 2, final newline, no NaN."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step."""
    write_text(path, dumps(value))


def read_json(path: Path) -> Any:
    """Content of a JSON file; raises GraftError where it cannot be read (pipeline/common/documents.py)."""
    return documents.parse(path.read_bytes(), str(path))


def empty_dir(path: Path) -> Path:
    """Make `path` an empty folder: what an earlier, killed run left there is removed."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def files_below(path: Path) -> list[Path]:
    """Every file at or below `path`, sorted by its POSIX path; empty when nothing is there."""
    if path.is_file():
        return [path]
    return sorted((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.as_posix())
