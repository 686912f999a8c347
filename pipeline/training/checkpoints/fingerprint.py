"""What a training is the result of, as one hash: a checkpoint of another one is never gone on from."""

import dataclasses
import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.common import files, sources
from pipeline.training.settings import TrainSettings

CODE = files.ROOT / "pipeline"
# Sections and keys that change no byte of what a finished training leaves.
NEUTRAL = ("checkpoint", "checkpoint_url", "trackers", "workers", "watch")
PACKAGES = ("accelerate", "bitsandbytes", "numpy", "peft", "safetensors", "tokenizers", "torch", "transformers")


def fingerprint(asked: TrainSettings, inputs: Sequence[Path], base: str, machine: Mapping[str, Any]) -> str:
    """SHA-256 over inputs, settings, code, versions and machine class; 64 hex digits.

    Args:
        asked: section `train`; keys that change no byte do not count.
        inputs: files or folders, by content; one that is not there counts as such.
        base: fingerprint of the base.
        machine: its class.
    """
    named = [Path(name) for name in (asked.chat_template, asked.machine.launch) if name]
    parts = {
        "inputs": [_content(path) for path in [*inputs, *named]],
        "base": base,
        "params": {key: value for key, value in dataclasses.asdict(asked).items() if key not in NEUTRAL},
        "code": [_content(CODE)],
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": dict(machine),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()


def _content(path: Path) -> dict[str, str]:
    """SHA-256 by name, but for what tools leave beside code."""
    return {file.relative_to(path).as_posix(): files.sha256(file) for file in sources.source_files(path, files.ROOT)}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
