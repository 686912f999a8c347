"""A base in a folder: which of its files are the base, and what cannot be one."""

import json
from pathlib import Path

import pytest

from pipeline.chain.candidate import base_resolve
from pipeline.chain.lock.lockfile import Resolved
from pipeline.common.errors import GraftError
from tests.hub_server import model, sha256


def write(folder: Path, content: dict[str, bytes]) -> str:
    folder.mkdir(exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return f"path:{folder}"


def without(*names: str) -> dict[str, bytes]:
    return {name: data for name, data in model().items() if name not in names}


def test_folder_is_pinned_by_its_model_files(tmp_path: Path) -> None:
    source = write(tmp_path, model() | {"training_args.bin": b"", "modeling.py": b"", "README.md": b""})
    write(tmp_path / "checkpoint-1", model())
    hashes = {name: sha256(data) for name, data in model().items()}
    assert base_resolve.resolve(source, None) == Resolved(revision=None, sha256=hashes)


def test_builtin_is_examples_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").mkdir()
    write(tmp_path / "examples/base", model())
    assert set(base_resolve.resolve("builtin", None).sha256) == set(model())


def test_one_file_of_weights_is_taken_before_shards(tmp_path: Path) -> None:
    index = {"model.safetensors.index.json": json.dumps({"weight_map": {"w": "part.safetensors"}}).encode()}
    source = write(tmp_path, model() | index | {"part.safetensors": b""})
    assert set(base_resolve.resolve(source, None).sha256) == set(model())
    (tmp_path / "model.safetensors").unlink()
    expected = set(without("model.safetensors")) | {"part.safetensors", "model.safetensors.index.json"}
    assert set(base_resolve.resolve(source, None).sha256) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(without("model.safetensors"), "neither model.safetensors nor", id="no-weights"),
        pytest.param(without("model.safetensors") | {"a.bin": b"", "b.pt": b""}, "a.bin, b.pt: a pickle", id="pickle"),
        pytest.param(without("config.json"), "no config.json", id="no-config"),
        pytest.param(without("tokenizer.json"), "no tokenizer", id="no-tokenizer"),
        pytest.param(model() | {"adapter_config.json": b"{}"}, "adapter_config.json: an adapter", id="adapter"),
        pytest.param(
            without("model.safetensors") | {"model.safetensors.index.json": b"[]"}, "no weight_map", id="broken-index"
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused(tmp_path: Path, content: dict[str, bytes], said: str) -> None:
    with pytest.raises(GraftError, match=said):
        base_resolve.resolve(write(tmp_path, content), None)


def test_every_reason_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(GraftError) as refusal:
        base_resolve.resolve(write(tmp_path, {"README.md": b""}), None)
    assert len(refusal.value.problems) == 3


def test_folder_has_no_revision(tmp_path: Path) -> None:
    with pytest.raises(GraftError, match=r"base\.revision: path:.* has no revisions"):
        base_resolve.resolve(write(tmp_path, model()), "main")


def test_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraftError, match="none: no such folder"):
        base_resolve.resolve(f"path:{tmp_path}/none", None)
