"""Cleaning in one call: rows -> rows, each step in its turn. No state: a batch's rows never depend on others'."""

from collections.abc import Callable

import pyarrow as pa

from pipeline.data.clean import normalize, pii, quality, unusable
from pipeline.data.clean.settings import CleaningSettings

Step = Callable[[pa.RecordBatch], pa.RecordBatch]


def steps(options: CleaningSettings) -> dict[str, Step]:
    """The steps by name, in the order in which they run."""
    return {
        "normalize": lambda batch: normalize.apply(batch, options.normalize),
        "unusable": unusable.apply,
        "pii": lambda batch: pii.apply(batch, options.pii),
        "length": lambda batch: quality.length(batch, options.quality, options.min_chars, options.max_chars),
        "tokens": lambda batch: quality.token_bounds(batch, options.quality, options.tokenizer),
        "quality": lambda batch: quality.apply(batch, options.quality),
    }


def clean(batch: pa.RecordBatch, options: CleaningSettings) -> pa.RecordBatch:
    """A batch of ROWS after every step; a row that fails one has its reason in `problem` and no messages.

    Rows that come with a problem pass untouched, and none is added, lost or moved.
    """
    for step in steps(options).values():
        batch = step(batch)
    return batch


def text(value: str, options: CleaningSettings) -> str:
    """One line of text as `clean` leaves it: for items kept by hand that must equal cleaned ones."""
    return pii.scrub(normalize.line(value, options.normalize), options.pii, title=True)[0]
