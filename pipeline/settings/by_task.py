"""Defaults that follow from what the open increment teaches: its `task`, in increment.yaml.

Answers and pairs are longer than titles, and pairs need a far lower rate. What params.yaml states counts, whatever the
task; a classification has the defaults of the dataclasses.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from yaml import YAMLError

from pipeline.common import documents, yaml_values
from pipeline.common.errors import GraftError

CLASSIFICATION = "classification"
LONG = 1024  # tokens: of 999 instructions of Alpaca 97% fit, by the tokenizer of the embedded base
DPO_RATE = 5e-4  # the upper end of what suits LoRA: docs/how-to/objectives.md
DEFAULTS: Mapping[str, Mapping[str, Any]] = {  # of section `train`
    "sft": {"max_length": LONG, "truncation": "drop"},  # a few that are longer stop nothing: they are counted
    "kto": {"max_length": LONG, "truncation": "drop"},
    "preference": {"objective": "dpo", "max_length": LONG, "truncation": "drop", "learning_rate": DPO_RATE},
    "text": {"objective": "pretrain", "max_length": LONG},
}
_INCREMENT = re.compile(rb"data/increments/[A-Za-z0-9][A-Za-z0-9._-]*")


def laid_below(given: Mapping[str, Any], task: str | None) -> Mapping[str, Any]:
    """What params.yaml says, with the task's defaults for keys of `train` that it does not state.

    Args:
        given: its sections; of any shape, which the schema judges later.
        task: of the increment; None: not known.
    """
    own, train = DEFAULTS.get(task or "", {}), given.get("train") or {}
    if not own or not isinstance(train, Mapping):
        return given
    return {**given, "train": {**own, **train}}


def task(read: Callable[[str], bytes | None]) -> str | None:
    """The open increment's task; None where models.lock or increment.yaml does not tell, which others refuse.

    Args:
        read: path -> a file's content, of the working tree or of a commit; None: there is no such file.
    """
    folder = _folder(read("models.lock") or b"")
    return None if folder is None else _task(read(f"{folder}/increment.yaml") or b"")


def of_tree(path: str) -> bytes | None:
    """A file of the working tree, for `task`."""
    return Path(path).read_bytes() if Path(path).is_file() else None


@cache
def _folder(lock: bytes) -> str | None:
    try:
        found = documents.parse_object(lock, "models.lock").get("increment")
    except GraftError:
        return None
    return found if isinstance(found, str) and _INCREMENT.fullmatch(found.encode()) else None


@cache
def _task(content: bytes) -> str | None:
    try:
        found = yaml_values.load(content.decode())
    except (ValueError, RecursionError, YAMLError):
        return None
    told = found.get("task") if isinstance(found, dict) else None
    return told if isinstance(told, str) else None
