"""Folder listings are hashed before they are believed, wherever they are read."""

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.chain.store import listing
from tests.garbage.conftest import Team, names, path_of, spoiled

FILES = [{"md5": "a" * 32, "relpath": "adapter.bin"}, {"md5": "b" * 32, "relpath": "sub/config.json"}]
TEXT = json.dumps(FILES).encode()


def named(text: bytes) -> str:
    return f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"


def test_right_listing_gives_its_files() -> None:
    assert listing.parse(named(TEXT), TEXT).files == {"adapter.bin": "a" * 32, "sub/config.json": "b" * 32}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TEXT.replace(b"aaaa", b"aaab", 1), id="one-digit"),
        pytest.param(TEXT.replace(b": ", b":"), id="other-white-space"),
        pytest.param(TEXT[:40], id="truncated"),
        pytest.param(b"", id="empty"),
        pytest.param(json.dumps(FILES[:1]).encode(), id="of-another-folder"),
    ],
)
def test_listing_under_another_name_is_not_believed(text: bytes) -> None:
    there = listing.parse(named(TEXT), text)
    assert (there.files, bool(there.problem)) == ({}, True)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "", "a//b", "./x"])
def test_path_out_of_the_folder_is_not_believed_even_with_the_right_hash(path: str) -> None:
    text = json.dumps([{"md5": "a" * 32, "relpath": path}]).encode()
    assert "no file below the folder" in listing.parse(named(text), text).problem


def flipped(path: Path) -> None:
    """One hex digit of the listing becomes another: still a listing, of a file that nothing has."""
    text = path.read_bytes()
    at = text.index(b'"md5": "') + 8
    spoiled(path, text[:at] + (b"1" if text[at : at + 1] == b"0" else b"0") + text[at + 1 :])


@pytest.mark.parametrize(
    ("where", "path"),
    [
        *((where, "models/adapter") for where in ("cache", "remote", "both", "absent")),
        ("absent", "models/merged"),  # the stages could make it again, and the release keeps it whole
    ],
)
def test_gc_believes_no_corrupt_listing(team: Team, where: str, path: str) -> None:
    md5 = team.md5("v1.3.0", path)
    places = {"cache": [team.cache], "remote": [team.remote]}.get(where, [team.cache, team.remote])
    needed = {item["md5"] for item in json.loads(path_of(team.cache, md5).read_bytes())}
    for place in places:
        path_of(place, md5).unlink() if where == "absent" else flipped(path_of(place, md5))
    before = names(team.cache), names(team.remote)
    said = team.clone.graft("gc", "--keep", "1", "--remote", "--apply", code=0 if len(places) == 1 else 1)
    assert md5 in said
    if len(places) == 1:
        assert f"{where}: folder listing {md5} is corrupt" in said
        assert needed <= names(team.cache) & names(team.remote)
    else:
        assert ("neither in the cache nor in a remote" if where == "absent" else "is corrupt in cache") in said
        assert "help:" in said
        assert (names(team.cache), names(team.remote)) == before
