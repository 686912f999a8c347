"""graft plan's memory and time: from the base's config.json, for this tree's settings, without torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.chain.lock import lockfile
from pipeline.commands import plan_memory
from pipeline.common.errors import GraftError
from pipeline.settings import effective
from tests.conftest import ROOT
from tests.model.test_footprint import LLAMA31_8B, QWEN_7B
from tests.stages.conftest import set_params

SMALL_BATCH = {"micro_batch": 1, "gradient_checkpointing": True}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this repository's params, schemas and the embedded base's config.json."""
    for name in ("params.yaml", "models.lock", "examples/base/config.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "schemas").symlink_to(ROOT / "schemas")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(gpu: str | None = None, config: dict[str, Any] | None = None, here: str = "none") -> plan_memory.Memory | None:
    path = Path("other.json") if config is not None else None
    if path:
        path.write_text(json.dumps(config))
    return plan_memory.work_out(lockfile.load(), effective.load()["train"], gpu, path, here)


def machine(**values: Any) -> dict[str, Any]:
    return {**effective.load()["train"]["machine"], **values}


def test_embedded_base_is_counted_exactly(tree: Path) -> None:
    found = ask()
    assert found is not None
    assert (found.family, found.asked["precision"]) == ("qwen2", "float32")
    from safetensors import safe_open

    with safe_open(ROOT / "examples/base/model.safetensors", "np") as file:
        sizes = [file.get_tensor(name).size for name in file.keys()]  # noqa: SIM118
    assert found.parameters == sum(sizes)
    assert found.gpu is None


def test_another_model_is_planned_for_before_it_is_pinned(tree: Path) -> None:
    set_params(tree, train__max_length=2048, train__rank=64, train__machine=machine(**SMALL_BATCH))
    found = ask("80GB", QWEN_7B)
    assert found is not None
    assert found.parameters == 7_721_324_544
    assert found.peak_gb == pytest.approx(23.8, rel=0.1)
    assert found.gpu is not None
    assert found.gpu["fits"] is True
    assert found.gpu["suggestions"] == []


def test_what_does_not_fit_comes_with_settings_that_do(tree: Path) -> None:
    set_params(tree, train__max_length=2048, train__batch_size=8)
    found = ask("24GB", LLAMA31_8B)
    assert found is not None
    assert found.gpu is not None
    assert found.gpu["fits"] is False
    for offered in found.gpu["suggestions"]:
        for key in offered["set"]:
            assert (
                key.partition(".")[2] in machine() if key.startswith("machine.") else key in effective.load()["train"]
            )
        if not any(key in offered["set"] for key in ("machine.launch", "max_length")):
            plain = {key: value for key, value in offered["set"].items() if not key.startswith("machine.")}
            nested = {k.removeprefix("machine."): v for k, v in offered["set"].items() if k.startswith("machine.")}
            set_params(
                tree, train__method=plain.get("method", "lora"), train__machine=machine(**nested)
            )  # what the plan advised is what fits
            again = ask("24GB", LLAMA31_8B)
            assert again is not None
            assert again.gpu is not None
            assert again.gpu["fits"] is True
            assert again.peak_gb == pytest.approx(offered["peak_gb"], abs=0.06)
    assert found.gpu["rules_of_thumb"] == ["7B full: 80 GB", "7B LoRA, rank 8: 24 GB", "7B QLoRA: 12 GB"]
    words = list(plan_memory.lines(found, "24GB"))
    assert "24GB: it does not fit 1 card of 24 GB" in words
    assert any(line.startswith("fits with train.machine.micro_batch: ") for line in words)


def test_labels_need_logits_at_few_positions(tree: Path) -> None:
    all_of_them = ask("24GB", QWEN_7B)
    folder = tree / lockfile.load().increment
    folder.mkdir(parents=True)
    shutil.copy2(ROOT / "data/increments/2026-01-winter/increment.yaml", folder)
    few = ask("24GB", QWEN_7B)
    assert few is not None
    assert all_of_them is not None
    assert few.parts_gb["logits"] * 8 == pytest.approx(all_of_them.parts_gb["logits"], abs=0.01)  # 32 of 256 tokens


def test_named_cards_have_a_pace(tree: Path) -> None:
    one, two, unknown = ask("a100-80", QWEN_7B), ask("2xa100-80", QWEN_7B), ask("80GB", QWEN_7B)
    assert one is not None
    assert two is not None
    assert unknown is not None
    assert one.tokens_per_second is not None
    assert two.tokens_per_second == pytest.approx(2 * one.tokens_per_second, rel=0.001)
    assert unknown.tokens_per_second is None


def test_family_that_is_not_known_leaves_the_plan_whole(tree: Path) -> None:
    (tree / "examples/base/config.json").write_text(json.dumps({"model_type": "mamba"}))
    assert ask() is None
    assert "known once the base is here" in next(plan_memory.lines(None, None))
    with pytest.raises(GraftError, match="mamba"):
        ask("24GB")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"text_config": "qwen2"}', None])
def test_file_that_is_no_config_is_refused(tree: Path, text: str | None) -> None:
    if text is not None:
        Path("broken.json").write_text(text)
    with pytest.raises(GraftError, match=r"broken\.json"):
        plan_memory.work_out(lockfile.load(), effective.load()["train"], None, Path("broken.json"), "none")


def test_planner_loads_no_torch() -> None:
    code = (
        "import sys, pipeline.commands.plan; print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
