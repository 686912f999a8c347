"""Checkpoints of a training on disk: safetensors and JSON, whole or not there, the newest `keep` of them.

    .graft/train/checkpoints/FINGERPRINT/000000120.safetensors   every tensor of the run
                                         000000120.json          the rest, and the SHA-256 of both

The JSON is written last: without it, or with another hash in it, there is no such checkpoint.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline.common import files
from pipeline.common.errors import GraftError

FOLDER = Path("checkpoints")  # in the scratch folder


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedRun:
    """A run after a step: what it takes to go on as if nothing had happened."""

    step: int
    tensors: Mapping[str, torch.Tensor]
    plain: Mapping[str, Any]  # as JSON holds it


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointStore:
    """Where the checkpoints of one run lie."""

    folder: Path
    keep: int

    def save(self, saved: SavedRun) -> None:
        """Write a checkpoint, then remove those beyond `keep`; an older one is never touched before.

        Raises:
            GraftError: the disk is full, or it cannot be written for another reason.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self.folder, saved)
            self.prune()
        except (OSError, SafetensorError) as error:
            kept = self.steps()
            raise GraftError(
                f"train: the checkpoint of step {saved.step} could not be written: {_reason(error)}",
                [f"the one of step {kept[-1]} is whole" if kept else "there is none before it"],
                help="make room, then dvc repro goes on from the last one",
            ) from None

    def newest(self) -> SavedRun | None:
        """The newest whole checkpoint; damaged ones are named and skipped."""
        for step in reversed(self.steps()):
            try:
                return _read(self.folder, step)
            except (GraftError, OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
                print(f"train: the checkpoint of step {step} is damaged ({error}): the one before is taken", flush=True)
        return None

    def steps(self) -> list[int]:
        """Steps of which there is a checkpoint, whole or not, ascending."""
        return sorted(int(path.stem) for path in self.folder.glob("[0-9]*.json"))

    def prune(self) -> None:
        """Remove checkpoints beyond `keep`, and what killed writers left."""
        kept = {_name(step) for step in self.steps()[-self.keep :]}
        found = [path for path in self.folder.iterdir() if path.name[:1] in ".0123456789"]
        for path in sorted(found, key=lambda path: path.suffix != ".json"):  # its JSON first
            if path.stem not in kept or path.name.startswith("."):
                path.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Remove the checkpoints of every run."""
    shutil.rmtree(folder, ignore_errors=True)


def _name(step: int) -> str:
    return f"{step:09d}"


def names(step: int) -> tuple[str, str]:
    """File names of a checkpoint, in the order in which they are written."""
    return f"{_name(step)}.safetensors", f"{_name(step)}.json"


def _write(folder: Path, saved: SavedRun) -> None:
    tensors, plain = (folder / name for name in names(saved.step))
    draft = tensors.with_name(f".{tensors.name}.tmp")
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in saved.tensors.items()}, draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        digest = files.sha256(draft)
        draft.replace(tensors)
    finally:
        draft.unlink(missing_ok=True)
    files.write_json(plain, {"plain": saved.plain, "plain_sha256": _digest(saved.plain), "tensors_sha256": digest})


def _read(folder: Path, step: int) -> SavedRun:
    tensors, plain = (folder / name for name in names(step))
    found = files.read_json(plain)
    if _digest(found["plain"]) != found["plain_sha256"] or files.sha256(tensors) != found["tensors_sha256"]:
        raise ValueError("its SHA-256 is another")
    return SavedRun(step=step, tensors=load_file(tensors), plain=found["plain"])


def _digest(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(files.dumps(plain).encode()).hexdigest()


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
