"""Which examples are the validation part: cut from what is trained on, by content hash. Loads no torch."""

import hashlib
import math
from collections.abc import Sequence

from pipeline.common.errors import GraftError
from pipeline.training.examples.example import Example


def split(examples: Sequence[Example], share: float) -> tuple[list[Example], list[Example]]:
    """(learned, held out): the lowest hashes of ids, whatever the order, increment or weight of the examples.

    Raises:
        GraftError: nothing would be left to learn, or to look at.
    """
    records = {_record(example) for example in examples}
    count = math.floor(share * len(records) + 0.5)
    if share and not 0 < count < len(records):
        raise GraftError(
            f"train.validation.share: {share:g} of {len(records)} records: one part would be empty",
            help="a larger share, more records, or 0",
        )
    held = set(sorted(records, key=_draw)[:count])
    return [e for e in examples if _record(e) not in held], [e for e in examples if _record(e) in held]


def _record(example: Example) -> str:
    """Id of its record: the sequences of one conversation stay together."""
    return example.id.partition("/")[0]


def _draw(name: str) -> bytes:
    return hashlib.sha256(f"validation/{name}".encode()).digest()
