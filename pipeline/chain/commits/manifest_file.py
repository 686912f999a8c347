"""reports/manifest.json: path, size and SHA-256 of every output of a commit."""

import re
from pathlib import Path
from typing import Any

from pipeline.common import documents
from pipeline.common.errors import GraftError

PATH = Path("reports/manifest.json")
VERSION = 1
Digest = dict[str, Any]  # {"size": bytes, "sha256": 64 hex digits}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN = 10  # problems


def parse(content: bytes, where: str = str(PATH)) -> dict[str, Digest]:
    """The outputs that a manifest lists: path -> digest.

    Raises:
        GraftError: it is not JSON, of a newer format, or lists something else than digests of files.
    """
    document = documents.parse_object(content, where)
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise GraftError(
            f"{where}: $.version: {version} is newer than this Graft reads ({VERSION})",
            help="use the Graft that the commit's own pipeline/ holds",
        )
    outputs = document.get("outputs")
    if not isinstance(outputs, dict) or not outputs:
        raise GraftError(f"{where}: $.outputs: not an object that lists files", help=documents.RESTORE)
    problems = [f"$.outputs.{path}: {fault}" for path, digest in outputs.items() if (fault := _fault(path, digest))]
    if problems:
        raise GraftError(f"{where}: {problems[0]}", problems[1:_SHOWN], help="see schemas/manifest.schema.json")
    return outputs


def _fault(path: str, digest: Any) -> str | None:
    if not path or path.startswith("/") or ".." in path.split("/"):
        return "not a path below the repository"
    if not isinstance(digest, dict) or type(digest.get("size")) is not int or digest["size"] < 0:
        return "no size in bytes"
    sha256 = digest.get("sha256")
    return None if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else "no SHA-256 of 64 hex digits"
