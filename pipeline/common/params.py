"""reports/params.json, which the stage `settings` writes: every effective value, as the dataclass of one section."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pipeline.common import documents
from pipeline.common.errors import GraftError

PATH = Path("reports/params.json")
HELP = "dvc repro settings writes it from params.yaml"
Section = TypeVar("Section")


def load(name: str, section: type[Section]) -> Section:
    """One section, as a stage reads it.

    Args:
        name: the section's name, which is its stage's.
        section: frozen dataclass whose fields are the section's keys.

    Raises:
        GraftError: the file is missing, damaged, or of another Graft.
    """
    return build(section, load_all().get(name) or {})


def build(section: type[Section], values: Mapping[str, Any]) -> Section:
    """A dataclass of plain values; fields that are dataclasses themselves are sections within the section.

    Raises:
        GraftError: a key that the section does not have.
    """
    kinds = get_type_hints(section)
    if unknown := sorted(values.keys() - kinds.keys()):
        raise GraftError(f"{PATH}: no setting of this Graft: {', '.join(unknown)}", help=HELP)
    return section(**{k: build(kinds[k], v) if dataclasses.is_dataclass(kinds[k]) else v for k, v in values.items()})


def load_all() -> dict[str, dict[str, Any]]:
    """Every section as plain values; raises like `load`."""
    if not PATH.is_file():
        raise GraftError(f"{PATH}: no such file", help=HELP)
    return documents.parse_object(PATH.read_bytes(), str(PATH), help=HELP)
