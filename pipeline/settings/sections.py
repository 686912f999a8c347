"""The sections of params.yaml, each with the dataclass that holds its keys and their defaults."""

import dataclasses
from collections.abc import Mapping
from typing import Any, get_type_hints

from pipeline.chain.release.settings import ReleaseSettings
from pipeline.data.assemble.settings import AssembleSettings
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.evaluation.settings import EvaluateSettings
from pipeline.gate.settings import GateSettings
from pipeline.model.base.settings import BaseSettings
from pipeline.model.merged.settings import MergeSettings
from pipeline.training.settings import TrainSettings

SECTIONS: Mapping[str, type] = {
    "base": BaseSettings,
    "prepare": PrepareSettings,
    "assemble": AssembleSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "gate": GateSettings,
    "merge": MergeSettings,
    "release": ReleaseSettings,
}


def fill(given: Mapping[str, Any]) -> dict[str, Any]:
    """Every section with every key: what is given, and the defaults of all else.

    A mapping that is a default itself is filled key by key, one level deep: `gate.rules` without `slices` has the
    default's. A section without a value is one without keys. Keys that this Graft does not know stay.
    """
    filled = {name: _section(section, given.get(name)) for name, section in SECTIONS.items()}
    return {**filled, **{name: value for name, value in given.items() if name not in SECTIONS}}


def merged(below: Any, above: Any) -> Any:
    """A mapping with another one laid over it, key by key; a rule of the gate counts as a whole."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}


def _section(section: type, given: Any) -> Any:
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        return given  # the schema's business
    kinds = get_type_hints(section)
    values = {
        field.name: _value(kinds[field.name], _default(field), given.get(field.name), field.name in given)
        for field in dataclasses.fields(section)
    }
    return {**values, **{name: value for name, value in given.items() if name not in values}}


def _value(kind: Any, default: Any, given: Any, is_given: bool) -> Any:
    if dataclasses.is_dataclass(kind):
        return _section(kind, given)  # type: ignore[arg-type]
    if not is_given:
        return default
    if isinstance(default, dict) and isinstance(given, Mapping):
        return {**default, **given}
    return given


def _default(field: "dataclasses.Field[Any]") -> Any:
    made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    return list(made) if isinstance(made, tuple) else made
