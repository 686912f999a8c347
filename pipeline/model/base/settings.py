"""Settings of the stage `base`."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseSettings:
    """Section `base` of params.yaml."""

    source: str = "builtin"  # builtin | hf:ORG/NAME | path:DIR
    revision: str | None = None  # hf: branch, tag or commit
    store: str = "cache"  # cache | dvc
    two_readings: str = "refuse"  # refuse | allow: a tokenizer.json that AutoTokenizer reads in another way
    corpus: Sequence[str] = ("examples/corpus",)  # what `make base` builds the embedded base from
