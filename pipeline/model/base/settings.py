"""Settings of the stage `base`."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseSettings:
    """Section `base` of params.yaml."""

    source: str = "builtin"  # builtin | hf:ORG/NAME | path:DIR
    revision: str | None = None  # hf: branch, tag or commit
    store: str = "cache"  # cache | dvc
    two_readings: str = "refuse"  # refuse (for a first release) | allow: AutoTokenizer reads tokenizer.json otherwise
    corpus: Sequence[str] = ("examples/corpus",)  # what `make base` builds the embedded base from
