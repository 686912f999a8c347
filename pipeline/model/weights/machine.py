"""The machine class: within one, the same inputs give the same bytes."""

import os
import platform
import subprocess
from typing import Any

import torch

from pipeline.model.weights import allocator


def settle(threads: int, *, deterministic: bool = True) -> torch.device:
    """Make torch's arithmetic repeat, and choose where it runs: CUDA when there is one, else the CPU.

    Args:
        threads: train.threads. Never detected: 1 and 2 threads add up in another order.
        deterministic: only kernels that repeat; False is quicker on some GPUs, and the same tree then gives other
            bytes. `full_determinism` of transformers is not used: it would serialise every launch.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats only with a fixed workspace
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    allocator.keep()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def machine_class(device: torch.device) -> dict[str, Any]:
    """What two machines must share for their bytes to be equal; goes into training.json and the manifest."""
    if device.type == "cuda":
        return {
            "kind": "cuda",
            "gpu": torch.cuda.get_device_name(device),
            "driver": _driver(),
            "cuda": torch.version.cuda,
            "torch": torch.__version__,
        }
    return {
        "kind": "cpu",
        "capability": torch.backends.cpu.get_cpu_capability(),
        "architecture": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _driver() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
