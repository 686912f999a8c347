"""The pinned base as training, scoring and merging see it: where it lies, what it is called, what it is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model.base import base_files


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """A base whose files were verified."""

    folder: Path
    name: str  # as adapter_config.json names it: a hub's ORG/NAME or a folder
    revision: str | None  # hub only: commit, 40 hex digits
    sha256: Mapping[str, str]  # of each file in the folder, weights included
    fingerprint: str  # SHA-256 over the names and hashes of its files, 64 hex digits


def load(pin_dir: Path = base_files.PIN_DIR) -> Base:
    """The base that the stage `base` pinned.

    Raises:
        GraftError: a file of it is missing or corrupt.
    """
    pin = base_files.read_pin(pin_dir)
    return Base(
        folder=base_files.locate(pin_dir),
        name=pin.source.partition(":")[2] or base_files.BUILTIN.as_posix(),
        revision=pin.revision,
        sha256=pin.sha256,
        fingerprint=hashlib.sha256(json.dumps(pin.sha256, sort_keys=True).encode()).hexdigest(),
    )
