"""What one answer costs to serve: latency and memory of a model, measured here and now."""

import contextlib
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

import torch

from pipeline.model import scoring

PROBES = 32  # prompts scored one by one, as a server gets them
WARM_UP = 3  # of them are run once before, unmeasured


def forget_peak() -> None:
    """Begin to watch memory anew: what was freed before does not count."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):  # Linux: 5 resets the peak resident set, proc(5)
        Path("/proc/self/clear_refs").write_text("5")


def measure(model: Any, prompts: Sequence[list[int]], labels: Sequence[list[int]]) -> dict[str, float]:
    """Latency of single items, spread evenly over the prompts, and peak memory since `forget_peak`.

    Returns:
        p50_ms and p95_ms in milliseconds; memory_gb in 10^9 bytes: the GPU's where there is one, else the process's.
        Nothing without prompts.
    """
    if not prompts:
        return {}
    chosen = prompts[:: max(1, len(prompts) // PROBES)][:PROBES]
    for prompt in chosen[:WARM_UP]:
        _seconds(model, prompt, labels)
    times = [_seconds(model, prompt, labels) for prompt in chosen]
    cuts = quantiles(times, n=20, method="inclusive") if len(times) > 1 else times * 19
    return {
        "p50_ms": round(cuts[9] * 1000, 3),
        "p95_ms": round(cuts[18] * 1000, 3),
        "memory_gb": round(_peak() / 1e9, 3),
    }


def _seconds(model: Any, prompt: list[int], labels: Sequence[list[int]]) -> float:
    started = time.perf_counter()
    scoring.label_scores(model, [prompt], labels, 1)  # its result is read, so a GPU has finished
    return time.perf_counter() - started


def _peak() -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
