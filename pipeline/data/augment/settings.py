"""Settings of augmentation: section `assemble.augment`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Scheme = Literal["none", "inverse", "effective"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentSettings:
    """Section `assemble.augment` of params.yaml."""

    max_share: float = 0.0  # records added, at most, as a share of the training records; 0: none
    synonyms: str | None = None  # a dictionary's path
    typos: bool = False
    dropout: bool = False
    swap: bool = False
    paraphrases: Sequence[str] = ()  # instructions in place of a record's own; {text} stands for its text
    rare_below: int = 0  # labels with fewer records are filled up by recombination; 0: none
    key_samples: bool = False  # only rare, long and hardly told records are varied
    predictions: str | None = None  # JSON Lines that tell the margins
    weights: Scheme = "none"
    max_weight: float = 5.0
