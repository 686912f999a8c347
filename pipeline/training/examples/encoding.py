"""Records -> sequences of tokens, whole: nothing is cut here, so that they can be kept for any `max_length`."""

from collections.abc import Sequence
from itertools import islice

from pipeline.common.errors import GraftError
from pipeline.data.records.records import Messages, Record
from pipeline.model.chat.chat import Chat
from pipeline.training.examples import conversations
from pipeline.training.examples.conversations import Conversation, Encoded

# Per record its variants: one, or of a preference two, chosen and rejected; per variant its sequences.
Variants = list[list[Encoded]]


def encode(chat: Chat, records: Sequence[Record]) -> list[Variants]:
    """The sequences of every record, in the order given.

    Raises:
        GraftError: what cannot be rendered or learned, each named.
    """
    labelled = iter(_classifications(chat, [record for record in records if record.kind == "classification"]))
    texts = iter(_texts(chat, [record for record in records if record.kind == "text"]))
    variants = [asked(record) for record in records]
    spoken = iter(conversations.encode(chat, [one for many in variants for one in many]))
    ways = {"classification": labelled, "text": texts}
    return [
        [[next(ways[record.kind])]] if record.kind in ways else list(islice(spoken, len(many)))
        for record, many in zip(records, variants, strict=True)
    ]


def asked(record: Record) -> list[Conversation]:
    """The conversations of a record and which answers are learned; none of a classification or a text.

    Raises:
        GraftError: there are images; or a message has a weight that is neither 0 nor 1, or one that no answer has.
    """
    if record.kind in ("classification", "text"):
        return []
    if record.kind == "preference":
        return [_preferred(record, record.messages[-1:]), _preferred(record, record.rejected or [])]
    if record.images:
        raise GraftError(f"{place(record)}: holds images, and only text is learned", help="remove the record")
    for message in record.messages:
        weight = message.get("weight")
        if weight not in (None, 0, 1) or (weight and message["role"] != "assistant"):
            raise GraftError(
                f"{place(record)}: a message of {message['role']} with weight {weight:g}",
                help="answers are learned (1) or not (0); other messages never are",
            )
    answers = [n for n, message in enumerate(record.messages) if message["role"] == "assistant"]
    learned = [position for position in answers if record.messages[position].get("weight") != 0]
    return [Conversation(place=place(record), messages=record.messages, learned=learned, tools=record.tools)]


def place(record: Record) -> str:
    """Where a record comes from, such as winter/raw/a.jsonl:3."""
    return f"{record.increment}/{record.file}:{record.line}"


def _preferred(record: Record, answer: Messages) -> Conversation:
    messages = [*record.prompt, *answer]
    learned = [n for n, message in enumerate(messages) if n >= len(record.prompt) and message["role"] == "assistant"]
    return Conversation(place=place(record), messages=messages, learned=learned, tools=record.tools)


def prompts(chat: Chat, records: Sequence[Record]) -> list[list[int]]:
    """Token ids of what each record asks, all but its last answer; raises as `conversations.prompts`."""
    asked = [
        Conversation(place=place(record), messages=record.prompt, learned=[], tools=record.tools) for record in records
    ]
    return conversations.prompts(chat, asked)


def _classifications(chat: Chat, records: Sequence[Record]) -> list[Encoded]:
    questions = prompts(chat, records)
    answers = chat.answers([record.answer for record in records])
    return [
        Encoded(tokens=prompt + answer, learned=[False] * len(prompt) + [True] * len(answer))
        for prompt, answer in zip(questions, answers, strict=True)
    ]


def _texts(chat: Chat, records: Sequence[Record]) -> list[Encoded]:
    """Documents as the tokenizer begins them, each with the end of text."""
    found = chat.documents([record.answer for record in records])
    return [Encoded(tokens=tokens, learned=[False] + [True] * (len(tokens) - 1)) for tokens in found]
