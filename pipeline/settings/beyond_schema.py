"""What a JSON Schema cannot say of params.yaml: values that do not fit each other, and files that are not there."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.common import documents, params, schema, sources
from pipeline.common.errors import GraftError
from pipeline.model.adapter import unfit_settings
from pipeline.settings import gate_rules
from pipeline.training.settings import TrainSettings

_CUSTOM = re.compile(r"metrics(\.[A-Za-z_]\w*)+:([A-Za-z_]\w*)")
_ORDERED = (("prepare", "min_chars", "max_chars"), ("prepare.quality", "min_tokens", "max_tokens"))
_FILES = (
    "train.machine.launch", "train.chat_template", "assemble.suspects", "assemble.augment.synonyms",
    "assemble.augment.predictions", "evaluate.judge.prompt",
)  # fmt: skip
_LATER = ("evaluate.judge.ratings",)  # `make judge` writes it
_OTHER_PEFT = (  # methods of PEFT that Graft does not train
    "adalora", "adamss", "adaption_prompt", "beft", "cartridge", "cpt", "ia3", "lily", "multitask_prompt_tuning", "oft",
    "p_tuning", "poly", "prefix_tuning", "prompt_tuning", "pvera", "randlora", "shadow", "trainable_tokens", "xlora",
)  # fmt: skip
_NO_FILE = ("chatml", "plain")  # templates that Graft has itself

Values = Mapping[str, Any]


def problems(filled: Values, whole: Values) -> list[schema.Fault]:
    """Values that do not fit each other.

    Args:
        filled: every effective value.
        whole: the schema.
    """
    return [*_crossed(filled), *_custom(filled), *_rules(filled, whole), *_adapter(filled)]


def reworded(fault: schema.Fault, given: Values, whole: Values) -> schema.Fault:
    """A problem of the schema, with what only the whole of params.yaml tells: the section that a key belongs to."""
    path, words = fault
    method = documents.at_dotted(given, "train.method")
    if path == ["train", "method"] and str(method).lower() in _OTHER_PEFT:
        return path, f"is {method!r}, a method of PEFT that Graft does not train: see docs/how-to/methods.md"
    if words.startswith("unknown key") and (places := _places(str(path[-1]), whole)):
        return path, f"unknown key here; did you mean {' or '.join(map(repr, places))}?"
    return fault


def _places(name: str, part: Values, path: tuple[str, ...] = ()) -> list[str]:
    """Where keys of this name are, with dots."""
    found = []
    for key, inner in part.get("properties", {}).items():
        if isinstance(inner, Mapping):
            found += [".".join((*path, key))] if key.casefold() == name.casefold() else []
            found += _places(name, inner, (*path, key))
    return found


def missing_files(filled: Values) -> list[schema.Fault]:
    """Files that the settings name and that are not in the working tree."""
    needed = _named(filled, _FILES) + [(["evaluate", "custom"], _module(spec)) for spec in _specs(filled)]
    needed = [(path, name) for path, name in needed if name is not None and name not in _NO_FILE]
    left = [
        (path, f"{name} is named as what editors leave, which DVC does not see: rename it")
        for path, name in needed + _named(filled, _LATER)
        if name is not None and sources.is_leaving(name)
    ]
    return left + [(path, f"no such file: {name}") for path, name in needed if not Path(name).is_file()]


def _named(filled: Values, keys: tuple[str, ...]) -> list[tuple[list[Any], Any]]:
    return [(key.split("."), documents.at_dotted(filled, key)) for key in keys]


def _crossed(filled: Values) -> Iterator[schema.Fault]:
    for section, low, high in _ORDERED:
        bounds = [documents.at_dotted(filled, f"{section}.{name}") for name in (low, high)]
        if None not in bounds and bounds[0] > bounds[1]:
            yield [*section.split("."), low], f"{bounds[0]} is more than {high}, {bounds[1]}"
    scale = documents.at_dotted(filled, "evaluate.judge.scale")
    if scale and scale[0] >= scale[1]:
        yield ["evaluate", "judge", "scale"], f"{scale}: the lowest score comes first, then the highest"
    if filled["train"]["parent"]["average"] and not filled["train"]["validation"]["share"]:
        words = "chooses by the validation part: $.train.validation.share must be above 0"
        yield ["train", "parent", "average"], words
    if filled["gate"]["unchecked"] == "accept" and not filled["gate"]["unchecked_reason"]:
        yield ["gate", "unchecked"], "is 'accept', and gate.unchecked_reason is empty: say why, every report shows it"
    for name in ("targets", "modules"):
        if isinstance(pattern := filled["train"][name], str):
            try:
                re.compile(pattern)
            except re.error as error:
                yield ["train", name], f"{pattern!r} is no regular expression: {error}"


def _custom(filled: Values) -> Iterator[schema.Fault]:
    for spec in _specs(filled):
        if not _CUSTOM.fullmatch(spec):
            yield (
                ["evaluate", "custom"],
                f"{spec!r} must be metrics.FILE:FUNCTION, such as metrics.price:price_error for metrics/price.py",
            )


def _rules(filled: Values, whole: Values) -> Iterator[schema.Fault]:
    metrics = list(whole["$defs"]["rules"]["properties"])
    own = [spec.rpartition(":")[2] for spec in _specs(filled)]
    yield from gate_rules.problems(filled["gate"]["rules"], metrics, own)


def _adapter(filled: Values) -> Iterator[schema.Fault]:
    """Settings for which the method has no use, each with its key."""
    try:
        unfit_settings.refuse_unfit(params.build(TrainSettings, filled["train"]).lora)
    except GraftError as error:
        for problem in error.problems:
            keys, _, words = problem.partition(": ")
            yield ["train", keys.partition(",")[0].removeprefix("train.")], words


def _specs(filled: Values) -> list[str]:
    asked = filled["evaluate"]["custom"]
    return [] if asked is None else [asked] if isinstance(asked, str) else list(asked)


def _module(spec: str) -> str | None:
    return f"{spec.partition(':')[0].replace('.', '/')}.py" if _CUSTOM.fullmatch(spec) else None
