"""Several processes train as one does: real gloo processes, started by accelerate, on the tiny base."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from pipeline import files, yaml
from tests.conftest import ENVIRONMENT, ROOT
from tests.stages.conftest import set_params

CONFIGS = ROOT / "configs"


def machine(folder: Path, **values: Any) -> dict[str, Any]:
    return {**yaml.load_unchecked(folder / "params.yaml")["train"]["machine"], **values}


def train(folder: Path, code: int = 0) -> str:
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pipeline.stages.train"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def pair(candidate: Path, tmp_path: Path, config: str, **params: Any) -> tuple[Path, Path]:
    """The same candidate trained by one process and by those of a config."""
    several = tmp_path / "several"
    set_params(candidate, train__epochs=1, **params)
    shutil.copytree(candidate, several)
    shutil.copytree(CONFIGS, several / "configs")
    set_params(several, train__machine=machine(several, launch=config))
    train(candidate)
    return candidate, several


def compare(one: Path, other: Path) -> None:
    """Adapters equal within rounding, and the same facts."""
    first, second = (load_file(folder / "models/adapter/adapter_model.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert abs(tensor - second[name]).max() < 2e-5 * max(1.0, abs(tensor).max()), name
    facts, others = (files.read_json(folder / "reports/training.json") for folder in (one, other))
    assert others["machine_class"].pop("processes") == 2
    assert others.pop("final_loss") == pytest.approx(facts.pop("final_loss"), abs=1e-4)
    assert others == facts
    assert sorted(path.name for path in (other / "models/adapter").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip


@pytest.mark.slow  # 20 s of starting processes
def test_two_processes_give_the_result_of_one(candidate: Path, tmp_path: Path) -> None:
    one, two = pair(candidate, tmp_path, "configs/cpu2.yaml", train__batch_size=7, train__learning_rate=1e-3)
    said = train(two)
    compare(one, two)
    assert said.count("train: 48 records; loading torch") == 1  # the main process alone speaks


@pytest.mark.slow
def test_shared_weights_give_the_result_of_one_process(candidate: Path, tmp_path: Path) -> None:
    params = {"train__batch_size": 7, "train__learning_rate": 1e-3}
    one, two = pair(candidate, tmp_path, "configs/fsdp2-cpu.yaml", **params)
    shared = (CONFIGS / "fsdp2.yaml").read_text()
    shared = shared.replace("num_processes: 8", "num_processes: 2").replace("use_cpu: false", "use_cpu: true")
    (two / "configs/fsdp2-cpu.yaml").write_text(shared)
    set_params(two, train__machine=machine(two, launch="configs/fsdp2-cpu.yaml", micro_batch=3))
    train(two)
    compare(one, two)
