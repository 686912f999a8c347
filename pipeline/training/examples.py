"""Records -> examples: the token ids that the model sees, and which of them it learns."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.data.records import Record
from pipeline.errors import GraftError
from pipeline.model.chat import Chat, keep_end


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One record as the model sees it."""

    id: str
    tokens: Sequence[int]
    learned: Sequence[bool]  # of each token: is it a target? The first never is
    truncated: bool = False  # something of the record was cut
    weight: float = 1.0  # how often it is drawn in an epoch, on average

    @property
    def targets(self) -> int:
        """How many tokens are learned."""
        return sum(self.learned)


def encode(chat: Chat, records: Sequence[Record], max_length: int) -> list[Example]:
    """Examples of every record, at most `max_length` tokens each; an answer is always whole.

    Raises:
        GraftError: answers that leave no room for a prompt, each named.
    """
    prompts = chat.prompts([record.prompt for record in records])
    answers = chat.answers([record.answer for record in records])
    too_long = [
        f"{record.increment}/{record.file}:{record.line}: {len(answer)} tokens"
        for record, answer in zip(records, answers, strict=True)
        if len(answer) >= max_length
    ]
    if too_long:
        raise GraftError("train: answers fill train.max_length", too_long, help="raise train.max_length")
    return [
        _example(record, prompt, answer, max_length)
        for record, prompt, answer in zip(records, prompts, answers, strict=True)
    ]


def _example(record: Record, prompt: list[int], answer: list[int], max_length: int) -> Example:
    kept = keep_end(prompt, max_length - len(answer))
    return Example(
        id=record.id,
        tokens=kept + answer,
        learned=[False] * len(kept) + [True] * len(answer),
        truncated=len(kept) < len(prompt),
        weight=1.0 if record.weight is None else record.weight,
    )
