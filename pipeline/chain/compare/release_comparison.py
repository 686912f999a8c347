"""Two releases side by side, from what their commits and predictions say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.chain.compare.pairs import PairedItem, Slice


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """One value that differs."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Diff:
    """What `graft diff --json` holds."""

    before: str
    after: str
    params: list[Changed]
    lock: list[Changed]  # base, parent, anchor, increment, toolchain
    data: list[Changed]  # rows, records by fate, rejects by reason, labels
    training: list[Changed]  # records, steps, tokens, ...
    bytes: list[Changed]  # per output
    slices: list[Slice]
    fixed: list[PairedItem]
    broken: list[PairedItem]
    notes: list[str]  # what could not be compared, and why


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Changed]:
    """Every leaf that differs between two nested mappings, by dotted name; None where it is absent."""
    old, new = _flat(before), _flat(after)
    return [
        Changed(name=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix.removesuffix("."): value}
    return {name: leaf for key, item in value.items() for name, leaf in _flat(item, f"{prefix}{key}.").items()}
