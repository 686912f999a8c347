"""graft add --adopt: an adapter that another tool made is the first parent."""

import csv
import json
import subprocess
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.conftest import ENVIRONMENT, ROOT, Chain, Clone


@pytest.fixture
def adapter(chain: Chain, tmp_path: Path) -> Path:
    """v1.1.0's adapter as another tool would have saved it: half precision, other name of the base, no metadata."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    tensors = load_file(chain.work.path / "models/adapter/adapter_model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, folder / "adapter_model.safetensors")
    config = json.loads(chain.work.read("models/adapter/adapter_config.json"))
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "/mnt/models/tiny"}))
    return folder


def few_rows(sample: str, target: Path) -> Path:
    """The first rows of a shipped sample drop."""
    with (ROOT / f"examples/increments/{sample}/products.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[:150]
    with target.open("w", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return target


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    return few_rows("2026-01-winter", tmp_path / "drop.csv")


def edit_params(clone: Clone, **changes: str) -> None:
    text = clone.read("params.yaml")
    for key, value in changes.items():
        lines = [f"  {key}: {value}" if line.startswith(f"  {key}:") else line for line in text.splitlines()]
        text = "\n".join(lines) + "\n"
    (clone.path / "params.yaml").write_text(text)


NO_RULES = "{all: {}, each_slice: {}, slices: {}}"


def drop_rules(clone: Clone) -> None:
    """Let the gate pass whatever it measures."""
    before, _, rest = clone.read("params.yaml").partition("  rules:")
    more = rest[rest.index("\n  critical:") :]
    (clone.path / "params.yaml").write_text(f"{before}  rules: {NO_RULES}{more}")


def test_adopted_adapter_is_continued_compared_released_and_verified_elsewhere(
    fresh: Clone, tmp_path: Path, adapter: Path, drop: Path
) -> None:
    subprocess.run(["git", "clone", "-q", "--bare", fresh.path, tmp_path / "origin.git"], check=True, env=ENVIRONMENT)
    fresh.git("remote", "set-url", "origin", str(tmp_path / "origin.git"))
    (tmp_path / "storage").mkdir()
    fresh.dvc("remote", "add", "--default", "storage", str(tmp_path / "storage"))
    edit_params(fresh, epochs="1", **{"  items": "0"})  # variants to score: none
    drop_rules(fresh)
    said = fresh.graft("add", "2026-05-own", str(drop), "--replace", "--adopt", str(adapter))
    assert "warning" in said
    assert "/mnt/models/tiny" in said
    fresh.dvc("repro")
    training = json.loads(fresh.read("reports/training.json"))
    assert training["continued_from"] is not None
    metrics = json.loads(fresh.read("reports/metrics.json"))
    assert metrics["parent"]["all"]["items"] == metrics["candidate"]["all"]["items"] > 0
    assert metrics["parent"]["all"]["accuracy"] > 0.5  # what the other tool had taught it
    fresh.commit("Own titles, on the adapter that we had")
    assert "tagged: v1.0.0" in fresh.graft("release", "--push")
    assert "on adopted" in fresh.graft("log")
    assert "adopted adapter, not a release" in fresh.graft("diff", code=1)
    subprocess.run(["git", "clone", "-q", tmp_path / "origin.git", tmp_path / "second"], check=True, env=ENVIRONMENT)
    second = Clone(tmp_path / "second")
    second.dvc("pull", "-q")
    assert "every SHA-256 as released" in second.graft("verify", "v1.0.0", "--remote", "--chain")


def test_every_mismatch_is_named_at_once_and_nothing_is_changed(fresh: Clone, adapter: Path) -> None:
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"r": 4, "use_dora": True, "modules_to_save": ["lm_head"]}))
    tensors = load_file(adapter / "adapter_model.safetensors")
    names = sorted(tensors)
    tensors[names[0]] = tensors[names[0]][:1].clone()
    tensors["base_model.model.other.lora_A.weight"] = tensors.pop(names[1])
    save_file(tensors, adapter / "adapter_model.safetensors")
    said = fresh.graft("add", "--adopt", str(adapter), code=1)
    for problem in (
        "train.rank: 8 asked for, this one has 4",
        "use_dora is True",
        "modules_to_save is ['lm_head']",
        f"{names[0]}: shape",
        f"{names[1]}: missing",
        "other.lora_A.weight: no such module",
    ):
        assert problem in said
    assert "models.lock" not in fresh.git("status", "--porcelain")


def test_pickled_adapter_is_refused(fresh: Clone, adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "a pickle runs code" in fresh.graft("add", "--adopt", str(adapter), code=1)


def test_nothing_is_adopted_after_a_release(chain: Chain, tmp_path: Path, adapter: Path) -> None:
    clone = chain.clone(tmp_path / "clone")
    assert "the chain has releases (v1.1.0)" in clone.graft("add", "--adopt", str(adapter), code=1)
    assert clone.git("status", "--porcelain") == ""
