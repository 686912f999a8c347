"""The shipped configs are what accelerate reads; others are refused with every problem; errors reach the stage."""

from pathlib import Path

import pytest

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.training.machine import launch
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_config_is_read_whole_by_accelerate(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    found = load_config_from_file(str(path))
    kinds = {"ddp": "MULTI_GPU", "cpu2": "MULTI_GPU", "fsdp2": "FSDP", "zero3": "DEEPSPEED"}
    assert found.distributed_type == kinds[path.stem]
    parser = launch_command_parser()
    known = {action.dest for action in parser._actions}
    assert {key if key.startswith("fsdp") else f"fsdp_{key}" for key in found.fsdp_config} <= known
    assert set(found.deepspeed_config) <= known
    if path.stem != "zero3":  # accelerate itself asks for the package
        args, _, _ = _validate_launch_command(parser.parse_args(["--config_file", str(path), "train.py"]))
        assert (args.multi_gpu, args.use_fsdp) == (kinds[path.stem] == "MULTI_GPU", path.stem == "fsdp2")
        assert args.num_processes == (2 if path.stem == "cpu2" else 8)
        assert args.mixed_precision == "no"


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.stem != "zero3"], ids=lambda path: path.stem)
def test_shipped_config_is_taken(path: Path) -> None:
    assert launch.read(path)["num_processes"] >= 2


def test_zero3_names_the_package_that_it_needs() -> None:
    with pytest.raises(GraftError) as raised:
        launch.read(ROOT / "configs/zero3.yaml")
    assert "the package deepspeed is not installed" in raised.value.problems[0]


def test_every_problem_of_a_config_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "compute_environment: AMAZON_SAGEMAKER\ndistributed_type: FSDP\nmixed_precision: bf16\nnum_processes: 1\n"
        "fsdp_config: {fsdp_version: 1}\n"
    )
    with pytest.raises(GraftError) as raised:
        launch.read(path)
    assert [problem.partition(":")[0] for problem in raised.value.problems] == [
        "compute_environment", "mixed_precision", "num_processes", "fsdp_config.fsdp_version",
        "fsdp_config.fsdp_cpu_ram_efficient_loading",
    ]  # fmt: skip


def test_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraftError, match=r"train\.machine\.launch: .*none\.yaml: no such file"):
        launch.read(tmp_path / "none.yaml")


def test_what_goes_wrong_in_a_launched_process_reaches_the_stage(tmp_path: Path) -> None:
    def work() -> None:
        with launch.reporting(tmp_path, main=False):
            print("not heard")
            raise GraftError("train: no", ["because"], help="do")

    with pytest.raises(SystemExit):
        work()
    assert files.read_json(tmp_path / launch.ERROR) == {"message": "train: no", "problems": ["because"], "help": "do"}


def test_several_machines_are_named_by_the_environment() -> None:
    assert launch.overrides({"GRAFT_MACHINES": "2", "GRAFT_MACHINE_RANK": "1", "GRAFT_MAIN_IP": "10.0.0.1"}) == [
        "--num_machines", "2", "--machine_rank", "1", "--main_process_ip", "10.0.0.1",
    ]  # fmt: skip
    assert launch.overrides({}) == []
