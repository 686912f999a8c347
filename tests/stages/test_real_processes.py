"""Every train.method, quantisation, objective and machine switch in real processes, started as `dvc repro` does.

A test's own process has imported torch and more before a stage runs in it, and says nothing of how a stage starts.
Starting one takes seconds: switches that do not depend on each other share a case, `make test` takes some cases through
all stages and others through `train`, and `make soak` takes every case through all of them.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from pipeline.chain.lock import lockfile
from pipeline.common import files, yaml
from pipeline.model.base import base_files
from pipeline.model.embedded.base_build import Size, build
from pipeline.stages import evaluate, merge, train
from tests.conftest import ENVIRONMENT, ROOT, some
from tests.stages.conftest import set_params
from tests.stages.test_objectives import brings

THROUGH = ("train", "evaluate", "gate", "merge")
CLASSES = "classification"  # the records that the workspace has
SLOW = 1e-3  # learning rate of what needs a low one


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Params that are trained with, and the kind of records that are trained on."""

    train: dict[str, Any] = field(default_factory=dict)  # keys of section train
    machine: dict[str, Any] = field(default_factory=dict)  # keys of train.machine
    kind: str = CLASSES
    wide: bool = False  # on a base of 256 features


def other(method: str, *, wide: bool = False) -> Case:
    """A method of PEFT's by its own name."""
    targets = {"targets": ["q_proj", "o_proj"]} if wide else {}
    return Case(train={"method": method, "learning_rate": SLOW, **targets}, wide=wide)


QUANTISED = {
    "nf4-checkpointed": Case(train={"method": "qlora"}, machine={"gradient_checkpointing": True}),
    "int8-in-chunks": Case(train={"method": "qlora", "quantize": "int8"}, machine={"loss_chunk": 5}),
    "nf4-expand": Case(train={"method": "qexpand", "learning_rate": SLOW}, machine={"gradient_checkpointing": True}),
    "int8-expand": Case(train={"method": "qexpand", "quantize": "int8"}, machine={"padding_free": True}),
}
OURS = {
    "dora-offloaded": Case(train={"method": "dora"}, machine={"offload": True}),
    "rslora-lora-plus": Case(train={"rslora": True, "lora_plus": 4.0}, machine={"deterministic": False}),
    "pissa": Case(train={"init": "pissa", "dropout": 0.1}, machine={"gradient_checkpointing": True, "offload": True}),
    "olora": Case(train={"init": "olora"}, machine={"device_map": "cpu"}),
    "full-checkpointed": Case(
        train={"method": "full", "learning_rate": SLOW}, machine={"gradient_checkpointing": True, "offload": True}
    ),
    "freeze": Case(train={"method": "freeze", "layers": {"top": 1}, "learning_rate": SLOW}, machine={"micro_batch": 3}),
    "expand": Case(train={"method": "expand", "learning_rate": SLOW}, machine={"precision": "bfloat16"}),
    "texts-in-one-row": Case(
        kind="text", train={"objective": "pretrain"}, machine={"padding_free": True, "loss_chunk": 5}
    ),
    "preferences": Case(
        kind="preference",
        train={"objective": "dpo", "learning_rate": SLOW},
        machine={"gradient_checkpointing": True, "micro_batch": 2, "precision": "float32"},
    ),
    "judged-answers": Case(kind="kto", train={"method": "qlora"}, machine={"precision": "bfloat16"}),
}
PEFTS = (  # of docs/how-to/methods.md, those that fit a base of 96 features
    "deft", "fourierft", "frod", "gralora", "hira", "ln_tuning", "tinylora", "unilora", "vera", "waveft",
    "boft", "delora", "glora", "hra", "loha", "lokr", "miss", "osf", "peanut", "psoft", "shira", "supertuning",
)  # fmt: skip
WIDE_PEFTS = ("c3a", "road", "vblora")  # whose blocks divide 256 features and not 96
WIDE = Size(vocabulary=300, hidden=256, layers=1, heads=4, steps=3, batch=16, length=16, learning_rate=1e-3)
CASES = QUANTISED | OURS | {method: other(method) for method in PEFTS}
CASES |= {method: other(method, wide=True) for method in WIDE_PEFTS}
QUICK_THROUGH = ("nf4-checkpointed",)
QUICK_TRAIN = ("vera", "preferences", "full-checkpointed", "texts-in-one-row")


@pytest.fixture
def work(blank: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A candidate as a case wants it; it is the current folder."""
    case: Case = CASES[request.param]
    folder = tmp_path / "work"
    shutil.copytree(blank, folder)
    monkeypatch.chdir(folder)
    take_base(folder, wide=case.wide)
    if case.kind != CLASSES:
        brings(folder, case.kind, "sft")
    machine = yaml.load_unchecked(folder / "params.yaml")["train"]["machine"] | case.machine
    asked = {"max_steps": 2, "epochs": 1, **case.train, "machine": machine}
    set_params(folder, **{f"train__{name}": value for name, value in asked.items()})
    return folder


def take_base(folder: Path, *, wide: bool) -> None:
    """Put the embedded base, or a wide one, in place of the tiny one: too narrow for some kinds of PEFT's."""
    if wide:
        build([ROOT / "examples/corpus"], folder / "examples/base", threads=1, size=WIDE)
    else:
        shutil.copytree(ROOT / "examples/base", folder / "examples/base", dirs_exist_ok=True)
    sha256 = {path.name: files.sha256(path) for path in (folder / "examples/base").iterdir()}
    base_files.write_pin(
        base_files.Pin(source="builtin", revision=None, sha256=sha256, store="cache"), folder / "models/base"
    )
    lock = lockfile.load()
    base = replace(lock.base, resolved=lockfile.Resolved(revision=None, sha256=sha256))
    lockfile.save(replace(lock, base=base))


def process(stage: str) -> None:
    """Run a stage as `dvc repro` does."""
    command = [sys.executable, "-m", f"pipeline.stages.{stage}"]
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stdout + done.stderr


def outputs(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("work", QUICK_TRAIN, indirect=True)
def test_training_has_the_bytes_that_it_has_in_a_process_that_trained_before(work: Path) -> None:
    process("train")
    alone = outputs(train.ADAPTER)
    train.main()
    assert outputs(train.ADAPTER) == alone


@pytest.mark.parametrize(
    "work",
    some(CASES, quick=QUICK_THROUGH),
    indirect=True,
)
def test_every_stage_has_the_bytes_that_it_has_in_a_process_that_ran_others_before(work: Path) -> None:
    for stage in THROUGH:
        process(stage)
    predicted, alone = evaluate.PREDICTIONS.read_bytes(), outputs(train.ADAPTER, merge.MERGED)
    assert files.read_json(train.TRAINING)["steps"] > 0
    for stage in (train, evaluate, merge):
        stage.main()
    assert evaluate.PREDICTIONS.read_bytes() == predicted
    assert outputs(train.ADAPTER, merge.MERGED) == alone
    AutoModelForCausalLM.from_pretrained(merge.MERGED)
