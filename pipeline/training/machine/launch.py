"""train.machine.launch: the learning part of the stage runs in several processes, started by `accelerate launch`.

The stage itself stays one process: it starts them, passes signals on, and reads what they came to. Loads no torch.
"""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any

from pipeline.common import files, yaml
from pipeline.common.errors import GraftError

DRAFT = "GRAFT_DRAFT"  # environment: where the launched processes write; only they have it
OUTCOME, ERROR = "outcome.json", "error.json"
PLACES = ("LOCAL_MACHINE", None)
KINDS = ("MULTI_GPU", "FSDP", "DEEPSPEED")
LINES = 12  # of a launcher's log that are shown when it fails without a word of ours


def inside() -> Path | None:
    """The draft folder, in a process that was launched; None in the stage's own."""
    return Path(os.environ[DRAFT]) if DRAFT in os.environ else None


def run(config: Path, draft: Path) -> Any:
    """Launch this very command with a config of accelerate; returns what the main process handed to `report`.

    Raises:
        GraftError: the config cannot be used; or what a process raised; or it ended otherwise.
    """
    settings = read(config)
    log = draft.parent / "launch.log"
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--config_file", str(config)]
    command += [*overrides(os.environ), "-m", "pipeline.stages.train"]
    with log.open("w") as stderr:
        code = _wait(subprocess.Popen(command, env=_environment(settings, draft), stderr=stderr))
    error, outcome = draft / ERROR, draft / OUTCOME
    if error.exists():
        said = files.read_json(error)
        raise GraftError(said["message"], said["problems"], help=said["help"])
    if not code and os.environ.get("GRAFT_MACHINE_RANK", "0") != "0":
        raise GraftError("train: done; the result lies on the first machine", help="go on there with dvc repro")
    if code or not outcome.exists():
        last = log.read_text(errors="replace").splitlines()[-LINES:]
        raise GraftError(f"train: the launched processes ended with code {code}", last, help=f"all of it: {log}")
    made = files.read_json(outcome)
    outcome.unlink()
    return made


def read(config: Path) -> Mapping[str, Any]:
    """A config of accelerate, as far as the stage must know it.

    Raises:
        GraftError: it is missing, no such config, or of a kind that cannot be used here; all problems at once.
    """
    if not config.is_file():
        raise GraftError(
            f"train.machine.launch: {config}: no such file", help="configs/ holds some; accelerate config writes others"
        )
    found = yaml.load_unchecked(config)
    if problems := list(_problems(found)):
        raise GraftError(f"train.machine.launch: {config}", problems, help="see configs/ and docs/how-to/many-gpus.md")
    return dict(found)


@contextmanager
def reporting(draft: Path, *, main: bool) -> Iterator[None]:
    """Around a launched process's work: only the main one prints; what goes wrong reaches the stage."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(sys.stdout if main else nowhere):
        try:
            yield
        except GraftError as error:
            if not (draft / ERROR).exists():
                said = {"message": error.message, "problems": list(error.problems), "help": error.help}
                files.write_json(draft / ERROR, said)
            raise SystemExit(1) from None


def report(draft: Path, made: Any) -> None:
    """Hand the main process's result to the stage."""
    files.write_json(draft / OUTCOME, made)


def is_main() -> bool:
    """Is this launched process the first of all? Known before torch is loaded."""
    return os.environ.get("RANK", "0") == "0"


def _problems(found: Any) -> Iterator[str]:
    if not isinstance(found, Mapping):
        yield "no mapping of keys"
        return
    if found.get("compute_environment") not in PLACES:
        yield f"compute_environment: {found.get('compute_environment')}: only LOCAL_MACHINE"
    kind = found.get("distributed_type")
    if kind not in KINDS:
        yield f"distributed_type: {kind}: one of {', '.join(KINDS)}"
    if found.get("mixed_precision", "no") != "no":
        yield "mixed_precision: train.machine.precision says it; leave it at no"
    if not isinstance(found.get("num_processes"), int) or found["num_processes"] < 2:
        yield f"num_processes: {found.get('num_processes')!r}: 2 or more"
    fsdp = found.get("fsdp_config") or {}
    if kind == "FSDP" and fsdp.get("fsdp_version") != 2:
        yield f"fsdp_config.fsdp_version: {fsdp.get('fsdp_version')}: only 2"
    if kind == "FSDP" and fsdp.get("fsdp_cpu_ram_efficient_loading") is not False:
        yield "fsdp_config.fsdp_cpu_ram_efficient_loading: false; else all but one process begin with empty weights"
    if kind == "DEEPSPEED" and importlib.util.find_spec("deepspeed") is None:
        yield "distributed_type: DEEPSPEED: the package deepspeed is not installed; configs/fsdp2.yaml needs none"


def overrides(environment: Mapping[str, str]) -> list[str]:
    """What differs from machine to machine of one training comes from the environment."""
    options = {
        "GRAFT_MACHINES": "--num_machines",
        "GRAFT_MACHINE_RANK": "--machine_rank",
        "GRAFT_PROCESSES": "--num_processes",
        "GRAFT_MAIN_IP": "--main_process_ip",
        "GRAFT_MAIN_PORT": "--main_process_port",
    }
    return [
        word for name, option in options.items() if environment.get(name) for word in (option, str(environment[name]))
    ]


def _environment(settings: Mapping[str, Any], draft: Path) -> dict[str, str]:
    more = {DRAFT: str(draft.resolve())}
    if settings.get("use_cpu"):  # the launcher tells GPU processes only
        more |= {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **more}


def _wait(launched: "subprocess.Popen[bytes]") -> int:
    """Its exit code; SIGTERM is passed on, so that the processes save and end."""

    def pass_on(number: int, _: FrameType | None) -> None:
        launched.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        return launched.wait()
    except KeyboardInterrupt:  # the terminal sent it to all of them
        return launched.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
