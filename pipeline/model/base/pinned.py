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
    name: str  # as adapter_config.json names it: a hub's ORG/NAME, or a folder in a form that no hub takes for one
    revision: str | None  # hub only: commit, 40 hex digits
    sha256: Mapping[str, str]  # of each file in the folder, weights included
    fingerprint: str  # SHA-256 over the names and hashes of its files, 64 hex digits
    embedded: bool = False  # is it the one of examples/base?


def load(pin_dir: Path = base_files.PIN_DIR) -> Base:
    """The base that the stage `base` pinned.

    Raises:
        GraftError: a file of it is missing or corrupt.
    """
    pin = base_files.read_pin(pin_dir)
    return Base(
        folder=base_files.locate(pin_dir),
        name=reference(pin.source),
        revision=pin.revision,
        sha256=pin.sha256,
        fingerprint=hashlib.sha256(json.dumps(pin.sha256, sort_keys=True).encode()).hexdigest(),
        embedded=pin.source == "builtin",
    )


def reference(source: str) -> str:
    """What other programs are told of a base: a hub's ORG/NAME, or a folder.

    A relative folder begins with "./" or "../": where there is no such folder, a plain "examples/base" would be asked
    of the hub, and whoever owns that name there would supply the base.
    """
    if source.startswith("hf:"):
        return source.removeprefix("hf:")
    folder = base_files.BUILTIN.as_posix() if source == "builtin" else source.removeprefix("path:")
    return folder if folder.startswith(("/", "./", "../", "~")) else f"./{folder}"
