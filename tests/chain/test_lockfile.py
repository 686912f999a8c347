"""models.lock: one text for one lock, and no half-understood one."""

import json
from pathlib import Path

import pytest

from pipeline.chain.commits import outputs
from pipeline.chain.lock import lockfile
from pipeline.common.errors import GraftError

STATE = {path: {"md5": "a" * 32} for path in outputs.STATE}
PARENT = {"release": "v1.0.0", "commit": "c" * 40, "state": STATE}
TEXT = json.dumps(
    {
        "version": 1,
        "base": {
            "requested": {"source": "builtin", "revision": None},
            "resolved": {"revision": None, "sha256": {"model.safetensors": "0" * 64}},
        },
        "parent": PARENT,
        "anchor": None,
        "increment": "data/increments/2026-01-winter",
        "toolchain": {"torch": "2.13.0"},
    }
)


def test_a_lock_survives_the_round_trip() -> None:
    lock = lockfile.parse(TEXT.encode())
    assert lockfile.parse(lockfile.dumps(lock).encode()) == lock


def test_text_is_sorted_indented_and_ends_in_a_newline() -> None:
    text = lockfile.dumps(lockfile.parse(TEXT.encode()))
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_the_shipped_lock_is_what_graft_would_write() -> None:
    text = Path("models.lock").read_text()
    assert lockfile.dumps(lockfile.parse(text.encode())) == text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param('"version": 1', '"version": 2', "newer than this Graft reads", id="newer-version-refused"),
        pytest.param('"v1.0.0"', '"1.0"', "$.parent.release", id="not-a-release-named"),
        pytest.param("data/increments/2026-01-winter", "../outside", "$.increment", id="path-leaving-the-folder"),
        pytest.param("models/adapter", "../../adapter", "$.parent.state", id="state-path-leaving-the-folder"),
        pytest.param("{", "<<<<<<< HEAD\n{", "not JSON", id="merge-conflict-named"),
        pytest.param('"anchor": null, ', "", "the key 'anchor' is missing", id="missing-key-named"),
    ],
)
def test_a_bad_lock_is_refused_with_its_key(old: str, new: str, said: str) -> None:
    with pytest.raises(GraftError, match=said.replace("$", r"\$")):
        lockfile.parse(TEXT.replace(old, new, 1).encode())
