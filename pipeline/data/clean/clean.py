"""Cleaning in one call: rows -> rows, each step in its turn. No state: a batch's rows never depend on others'."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from pipeline.data.clean import normalize, pii, quality, unusable
from pipeline.data.clean.normalize import NormalizeOptions
from pipeline.data.clean.pii import PiiOptions
from pipeline.data.clean.quality import QualityOptions

Step = Callable[[pa.RecordBatch], pa.RecordBatch]


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanOptions:
    """What section `prepare` of params.yaml says of cleaning."""

    min_chars: int  # of a classification's text
    max_chars: int
    normalize: NormalizeOptions = field(default_factory=NormalizeOptions)
    pii: PiiOptions = field(default_factory=PiiOptions)
    quality: QualityOptions = field(default_factory=QualityOptions)
    tokenizer: Path | None = None  # the base's tokenizer.json: counts what min_tokens and max_tokens bound

    @classmethod
    def of(cls, section: Mapping[str, Any], tokenizer: Path | None = None) -> Self:
        """The options of section `prepare`; a sub-section or key that is absent has its defaults."""
        return cls(
            min_chars=section["min_chars"],
            max_chars=section["max_chars"],
            normalize=NormalizeOptions.of(section.get("normalize") or {}),
            pii=PiiOptions.of(section.get("pii") or {}),
            quality=QualityOptions.of(section.get("quality") or {}),
            tokenizer=tokenizer,
        )


def steps(options: CleanOptions) -> dict[str, Step]:
    """The steps by name, in the order in which they run."""
    return {
        "normalize": lambda batch: normalize.apply(batch, options.normalize),
        "unusable": unusable.apply,
        "pii": lambda batch: pii.apply(batch, options.pii),
        "length": lambda batch: quality.length(batch, options.quality, options.min_chars, options.max_chars),
        "tokens": lambda batch: quality.token_bounds(batch, options.quality, options.tokenizer),
        "quality": lambda batch: quality.apply(batch, options.quality),
    }


def clean(batch: pa.RecordBatch, options: CleanOptions) -> pa.RecordBatch:
    """A batch of ROWS after every step; a row that fails one has its reason in `problem` and no messages.

    Rows that come with a problem pass untouched, and none is added, lost or moved.
    """
    for step in steps(options).values():
        batch = step(batch)
    return batch


def text(value: str, options: CleanOptions) -> str:
    """One line of text as `clean` leaves it: for items kept by hand that must equal cleaned ones."""
    return pii.scrub(normalize.line(value, options.normalize), options.pii)[0]
