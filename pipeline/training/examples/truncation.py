"""What becomes of a sequence that is longer than `train.max_length`.

`start`: it loses its beginning. Of a conversation whole leading turns go first, and the system message and the tools
stay; if the last turn alone is too long, its prompt loses its first tokens. The last answer stays whole.
`end`: it loses its end; what is left of an answer is learned, without the end of its turn.
`fit`: `start`, and where the last answer does not fit, its first tokens after the prompt's last (for evaluation).
`drop`: it is left out. `error`: it is named, and nothing is trained.
A chosen and a rejected answer are cut alike: their prompts stay equal.
"""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.data.records.records import Record
from pipeline.model.chat.chat import Chat
from pipeline.training.examples import conversations, encoding
from pipeline.training.examples.conversations import Conversation, Encoded


class TooLongError(Exception):
    """A sequence that must not, or cannot, be cut."""


def fit(chat: Chat, record: Record, variants: list[Encoded], size: int, policy: str) -> list[Encoded]:
    """The variants of one sequence, at most `size` tokens each; nothing where nothing is left to learn.

    Raises:
        TooLongError: says how long the record, or its answer, is.
    """
    longest = max(len(one.tokens) for one in variants)
    if longest <= size or policy == "drop":
        return variants if longest <= size else []
    if policy == "error":
        raise TooLongError(f"{longest} tokens")
    if policy == "end":
        return _learnable([_end(one, size) for one in variants])
    shorter = _fewer_turns(chat, record, variants, size)
    cut = max(0, *(len(one.tokens) - size for one in shorter))
    kept = _learnable([_start(one, cut) for one in shorter])
    if not kept and policy == "start":
        raise TooLongError(f"{max(_answer(one) for one in variants)} tokens")
    return kept or [_middle(one, size) for one in variants]


def _start(one: Encoded, cut: int) -> Encoded:
    tokens, learned = one.tokens[cut:], one.learned[cut:]
    if learned and learned[0]:  # cut inside an answer, or right before it, with nothing to answer to
        whole = learned.index(False) if False in learned else len(learned)
        learned = [False] * whole + learned[whole:]
    return replace(one, tokens=tokens, learned=learned)


def _end(one: Encoded, size: int) -> Encoded:
    return replace(one, tokens=one.tokens[:size], learned=one.learned[:size])


def _middle(one: Encoded, size: int) -> Encoded:
    begin = max(0, len(one.tokens) - _answer(one) - size // 2)
    return replace(one, tokens=one.tokens[begin : begin + size], learned=one.learned[begin : begin + size])


def _learnable(variants: list[Encoded]) -> list[Encoded]:
    return variants if all(any(one.learned) for one in variants) else []


def _answer(one: Encoded) -> int:
    """Tokens of the last answer."""
    backwards = one.learned[::-1]
    return backwards.index(False) if False in backwards else len(backwards)


def _fewer_turns(chat: Chat, record: Record, variants: list[Encoded], size: int) -> list[Encoded]:
    """The variants without as many leading turns as they must lose, or without all but the last."""
    asked = [_cut(one, variant) for one, variant in zip(encoding.asked(record), variants, strict=False)]
    while max(len(one.tokens) for one in variants) > size and asked:
        asked = [shorter for one in asked if (shorter := _without_first_turn(one))]
        if asked:
            variants = [sequences[-1] for sequences in conversations.encode(chat, asked)]
    return variants


def _cut(conversation: Conversation, variant: Encoded) -> Conversation:
    """The part of a conversation that a sequence holds."""
    last = variant.answers[-1]
    return replace(conversation, messages=conversation.messages[: last + 1], learned=variant.answers)


def _without_first_turn(conversation: Conversation) -> Conversation | None:
    """A conversation without its first question and what answers it; None where there is no second one."""
    messages = conversation.messages
    turns = [position for position, message in enumerate(messages) if message["role"] == "user"]
    if len(turns) < 2:
        return None
    gone = range(turns[0], turns[1])
    return replace(
        conversation,
        messages=[message for position, message in enumerate(messages) if position not in gone],
        learned=_moved(conversation.learned, gone),
    )


def _moved(positions: Sequence[int], gone: range) -> list[int]:
    return [position - len(gone) for position in positions if position not in gone]
