"""Several processes train as one does: real gloo processes, started by accelerate, on the tiny base."""

import shutil
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file

from pipeline.common import files, yaml
from pipeline.common.errors import GraftError
from pipeline.training.examples.example import Example
from pipeline.training.machine import memory
from pipeline.training.machine.memory import Micro
from pipeline.training.machine.processes import Group
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


def attempts(rank: int, folder: Path) -> None:
    """One of two processes, of which the second has room for two examples; the sizes that it tries."""
    rendezvous = f"file://{folder}/rendezvous"
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    tried: list[int | None] = []

    def compute(micro: Micro) -> None:
        tried.append(micro.size)
        if rank == 1 and (micro.size or 8) > 2:
            raise MemoryError

    memory.with_less(Micro(size=None), 7, None, compute, Group(rank=rank, size=2))
    files.write_json(folder / f"{rank}.json", tried)


def test_where_one_process_runs_out_of_memory_all_begin_again_with_less(tmp_path: Path) -> None:
    both = [get_context("spawn").Process(target=attempts, args=(rank, tmp_path), daemon=True) for rank in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [files.read_json(tmp_path / f"{rank}.json") for rank in (0, 1)] == [[None, 4, 2]] * 2


def test_a_batch_that_does_not_fit_while_weights_are_shared_is_an_error_with_the_size_to_set() -> None:
    def compute(_: Micro) -> None:
        raise MemoryError

    batch = [Example(id=str(number), tokens=[5, 6], learned=[False, True]) for number in range(15)]
    group = Group(rank=1, size=2, shares_weights=True)
    with pytest.raises(GraftError, match=r"out of memory in process 1[\s\S]*train\.machine\.micro_batch: 4 or less"):
        memory.with_less(Micro(size=None), group.most(batch), None, compute, group)


@pytest.mark.slow  # 20 s of starting processes
def test_two_processes_give_the_result_of_one(candidate: Path, tmp_path: Path) -> None:
    one, two = pair(candidate, tmp_path, "configs/cpu2.yaml", train__batch_size=7, train__learning_rate=1e-3)
    said = train(two)
    compare(one, two)
    assert said.count("train: 48 records; loading torch") == 1  # the main process alone speaks


@pytest.mark.slow
def test_shared_weights_give_the_result_of_one_process(candidate: Path, tmp_path: Path) -> None:
    params = {"train__batch_size": 7, "train__learning_rate": 1e-3, "train__machine": machine(candidate, micro_batch=3)}
    one, two = pair(candidate, tmp_path, "configs/fsdp2-cpu.yaml", **params)
    shared = (CONFIGS / "fsdp2.yaml").read_text()
    shared = shared.replace("num_processes: 8", "num_processes: 2").replace("use_cpu: false", "use_cpu: true")
    (two / "configs/fsdp2-cpu.yaml").write_text(shared)
    train(two)
    compare(one, two)
