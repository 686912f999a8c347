"""What a training draws, counted: so that the share of replay is known exactly."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.training import batches
from pipeline.training.examples import Example
from pipeline.training.settings import Params


def tokens(examples: Sequence[Example], increments: Mapping[str, str], asked: Params) -> dict[str, int]:
    """Tokens of all epochs, by the increment that brought them; weights count.

    Args:
        examples: what is learned.
        increments: id of a record -> its increment.
        asked: section `train`.
    """
    found: Counter[str] = Counter()
    for epoch in range(asked.epochs):
        for example in batches.drawn(examples, asked.seed, epoch):
            found[increments[example.id]] += len(example.tokens)
    return dict(sorted(found.items()))
