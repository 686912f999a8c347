"""The sections of params.yaml, each with the dataclass that holds its keys and their defaults."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pipeline.chain.release.settings import ReleaseSettings
from pipeline.data.assemble.settings import AssembleSettings
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.evaluation.settings import EvaluateSettings
from pipeline.gate.settings import GateSettings
from pipeline.model.base.settings import BaseSettings
from pipeline.model.merged.settings import MergeSettings
from pipeline.settings import by_task, gate_rules
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


def fill(given: Mapping[str, Any], task: str | None = None) -> dict[str, Any]:
    """Every section with every key, of a params.yaml: what it says, and the defaults of all else, by the task.

    A mapping that is a default itself is filled at every level: `gate.rules` without `slices` has the default's, a
    rule without `may_drop` the default rule's; null in place of a default rule removes it, `{}` in place of all rules
    of a scope removes those. Unknown keys stay.
    """
    given = by_task.laid_below(given, task)
    filled = _filled(given, _over)
    written = given.get("gate")
    if isinstance(filled["gate"], dict):
        rules = written.get("rules") if isinstance(written, Mapping) else None
        filled["gate"]["rules"] = gate_rules.completed(filled["gate"].get("rules"), rules)
    return filled


def complete(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Every section with every key, of recorded values: a rule or bound that a record lacks was none.

    Keys that the record lacks, such as those of a later Graft, have their defaults; unknown keys stay.
    """
    return _filled(recorded, lambda default, given: {**default, **given})


def merged(below: Any, above: Any) -> Any:
    """A mapping with another one laid over it, key by key; the rules of the gate count as a whole."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {
        **below,
        **{key: value if key == "rules" else merged(below.get(key), value) for key, value in above.items()},
    }


def _filled(given: Mapping[str, Any], fill_mapping: Callable[[Any, Any], Any]) -> dict[str, Any]:
    filled = {name: _section(section, given.get(name), fill_mapping) for name, section in SECTIONS.items()}
    return {**filled, **{name: value for name, value in given.items() if name not in SECTIONS}}


def _over(default: Any, given: Any) -> Any:
    """A default with what is given laid over it, at every level; null removes a default that is a mapping."""
    if not isinstance(default, Mapping) or not isinstance(given, Mapping):
        return given
    over = {name: _over(default.get(name), value) for name, value in given.items()}
    return {
        name: value
        for name, value in {**default, **over}.items()
        if value is not None or not isinstance(default.get(name), Mapping)
    }


def _section(section: type, given: Any, fill_mapping: Callable[[Any, Any], Any]) -> Any:
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        return given  # the schema's business
    kinds, values = get_type_hints(section), {}
    for field in dataclasses.fields(section):
        name, default = field.name, _default(field)
        if dataclasses.is_dataclass(kinds[name]):
            values[name] = _section(kinds[name], given.get(name), fill_mapping)
        elif name in given and isinstance(default, dict) and isinstance(given[name], Mapping):
            values[name] = fill_mapping(default, given[name])
        else:
            values[name] = given.get(name, default)
    return {**values, **{name: value for name, value in given.items() if name not in values}}


def _default(field: "dataclasses.Field[Any]") -> Any:
    made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    return list(made) if isinstance(made, tuple) else made
