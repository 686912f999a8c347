"""What a training drew, by increment: so that the share of replay is known exactly."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

from pipeline.training import batches
from pipeline.training.examples.example import Example
from pipeline.training.settings import TrainSettings

PACKED = "packed"  # windows of text, which hold several records


def tokens(
    examples: Sequence[Example], increments: Mapping[str, str], asked: TrainSettings, steps: int
) -> dict[str, int]:
    """Tokens of a training's first `steps` steps, by the increment that brought them.

    Args:
        examples: what was learned.
        increments: id of a record -> its increment.
        asked: section `train`.
        steps: how many there were.
    """
    found: Counter[str] = Counter()
    for batch in islice(batches.epochs(examples, batches.Order.of(asked)), steps):
        for example in batch:
            found[increments.get(example.id, PACKED)] += example.size
    return dict(sorted(found.items()))
