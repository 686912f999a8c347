"""The listing of a folder object: read as bytes, hashed against its name, and only then believed."""

import hashlib
import re
from dataclasses import dataclass

import orjson

_FILE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What one place holds under a folder's name."""

    md5: str  # the hash of the bytes there, without .dir
    files: dict[str, str]  # relative path -> MD5; empty when it is not believed
    problem: str  # what was found that is not right; empty when it is believed


def parse(name: str, text: bytes) -> Listing:
    """A folder's listing from its bytes; `name` is the folder's MD5 with .dir.

    Right bytes have the hash that names them, whatever else they say: other white space, a listing of another
    folder, a cut one are all corrupt. Paths that lead out of the folder are refused even with the right hash.
    """
    md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
    if md5 != name.removesuffix(".dir"):
        return Listing(md5=md5, files={}, problem=f"md5 {md5}")
    try:  # not by dvc_data's Tree: ten times slower, and a chain has thousands of listings
        files = {entry["relpath"]: entry["md5"] for entry in orjson.loads(text)}
        bad = [path for path, child in files.items() if not _is_inside(path) or not _FILE.fullmatch(child)]
    except (ValueError, KeyError, TypeError):
        return Listing(md5=md5, files={}, problem="bytes that are no folder listing")
    if bad:
        return Listing(md5=md5, files={}, problem=f"the path {bad[0]!r}, which is no file below the folder")
    return Listing(md5=md5, files=files, problem="")


def _is_inside(path: str) -> bool:
    """Whether a relative path stays below its folder."""
    return bool(path) and "\0" not in path and not {"", ".", ".."} & set(path.split("/"))
