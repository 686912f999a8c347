"""Memory at its peak: the GPU's where there is one, else the process's."""

import contextlib
import ctypes
import platform
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

DIGITS = 3


def peak_gb(models: Mapping[str, Any], name: str, work: Callable[[Any], object]) -> float:
    """Memory while a model works, in 10^9 bytes, without the weights of the other models that are loaded.

    Args:
        models: all that are in memory, by name.
        name: of the one that works.
        work: what it does.
    """
    own = {id(parameter) for parameter in models[name].parameters()}
    loaded = {id(p): p.nbytes for model in models.values() for p in model.parameters()}
    beside = int(sum(size for key, size in loaded.items() if key not in own))
    forget_peak()
    work(models[name])
    return round((_peak() - beside) / 1e9, DIGITS)


def forget_peak() -> None:
    """Begin to watch anew: what was freed before does not count."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)  # what pipeline.model.weights.allocator made it keep
    with contextlib.suppress(OSError):  # Linux: 5 resets the peak resident set, proc(5)
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Bytes."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
