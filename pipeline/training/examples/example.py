"""One example: what a step learns from, and how often; and what decides how a record becomes one. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One sequence as the model sees it."""

    id: str  # of its record; /1, /2, ... for further sequences of one record
    tokens: Sequence[int]  # the whole sequence
    learned: Sequence[bool]  # as long as tokens: is this token a target? The first never is
    truncated: bool = False
    weight: float = 1.0  # how often it is drawn in an epoch, on average
    rejected: "Example | None" = None  # dpo: `tokens` is prompt and chosen answer, this is prompt and rejected answer

    @property
    def targets(self) -> int:
        """How many tokens are learned."""
        return sum(self.learned)

    @property
    def size(self) -> int:
        """Tokens that the model sees."""
        return len(self.tokens) + (self.rejected.size if self.rejected else 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """How records become examples."""

    objective: str
    max_length: int  # tokens
    truncation: str  # of pipeline.training.examples.truncation
