"""Examples: what a step learns from, made of records as the objective asks, none longer than `train.max_length`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.records import kinds
from pipeline.data.records.records import Record
from pipeline.model.chat.chat import Chat
from pipeline.training.examples import encoding, packing, tokens, truncation
from pipeline.training.examples.conversations import Encoded
from pipeline.training.examples.encoding import Variants
from pipeline.training.examples.example import Encoding, Example

_LABELLED = "classification"
MANY = 30  # problems named; the others are counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """Examples, and what became of the records that gave none."""

    examples: list[Example] = field(default_factory=list)
    cut: int = 0  # examples that lost a part; classifications, which keep their answer, aside
    lengths: list[int] = field(default_factory=list, compare=False)  # tokens of every record, whole
    dropped: int = 0  # too long, or with no answer to learn
    undesirable: int = 0  # of kind kto: sft has nothing to learn from them


def encode(chat: Chat, records: Sequence[Record], asked: Encoding) -> list[Example]:
    """Examples of records, in the order given; raises like `make`."""
    return make(chat, records, asked).examples


def make(chat: Chat, records: Sequence[Record], asked: Encoding, kept: Path | None = None, workers: int = 0) -> Made:
    """Examples of records, and how many gave none.

    Args:
        chat: renders and tokenises.
        records: in any order; their examples come in it.
        asked: how.
        kept: a scratch folder of tokens, see pipeline.training.examples.tokens.
        workers: processes that tokenise.

    Raises:
        GraftError: kinds that the objective does not take; or records that cannot be rendered or cut, each named.
    """
    kinds.refuse_others([record.kind for record in records], asked.objective)
    taken = [record for record in records if record.desirable is not False]
    whole = encoding.encode(chat, taken) if kept is None else tokens.encode(chat, taken, kept, workers)
    if asked.objective == "pretrain":
        return Made(examples=windows(taken, whole, asked.max_length))
    found, too_long = [], []
    for record, variants in zip(taken, whole, strict=True):
        try:
            found.append(of_record(chat, record, variants, asked))
        except truncation.TooLongError as error:
            too_long.append(f"{encoding.place(record)}: {error}")
    if too_long:
        _refuse(too_long, asked)
    pairs = list(zip(taken, found, strict=True))
    return Made(
        examples=[example for examples in found for example in examples],
        cut=sum(one.truncated for record, of in pairs if record.kind != _LABELLED for one in of),
        lengths=list(map(longest, whole)),
        dropped=sum(not examples for examples in found),
        undesirable=len(records) - len(taken),
    )


def longest(variants: Variants) -> int:
    """Tokens of a record's longest sequence, whole."""
    return max((len(one.tokens) for sequences in variants for one in sequences), default=0)


def of_record(chat: Chat, record: Record, variants: Variants, asked: Encoding) -> list[Example]:
    """A record's examples: one, one for each sequence of a conversation, or a pair.

    Raises:
        TooLongError: by `asked.truncation` it must not, or cannot, be cut.
    """
    if not all(variants):
        return []
    if record.kind == "preference":
        groups = [[variant[-1] for variant in variants]]  # of a rejected one that the template splits: its last
    else:
        groups = [[sequence] for sequence in variants[0]]
    fitted = [truncation.fit(chat, record, group, asked.max_length, asked.truncation) for group in groups]
    made = [_example(record, kept, kept != group) for kept, group in zip(fitted, groups, strict=True) if kept]
    return [replace(one, id=f"{one.id}/{number}") if number else one for number, one in enumerate(made[::-1])][::-1]


def windows(records: Sequence[Record], whole: Sequence[Variants], size: int) -> list[Example]:
    """Texts as windows of `size` tokens: see pipeline.training.examples.packing.

    They are packed in the order of their content hashes: all of them, then those that are drawn twice, and so on.
    """
    documents = sorted(
        (copy, record.id, variants[0][0].tokens)
        for record, variants in zip(records, whole, strict=True)
        for copy in range(max(1, round(record.weight or 1)))
    )
    return [
        Example(id=name, tokens=window, learned=[False] + [True] * (len(window) - 1))
        for name, window in packing.windows(((id_, tokens) for _, id_, tokens in documents), size)
    ]


def _example(record: Record, variants: list[Encoded], truncated: bool) -> Example:
    chosen, *others = variants
    return Example(
        id=record.id,
        tokens=chosen.tokens,
        learned=chosen.learned,
        truncated=truncated,
        weight=1.0 if record.weight is None else record.weight,
        rejected=_example(record, others, truncated) if others else None,
    )


def _refuse(too_long: list[str], asked: Encoding) -> None:
    more = [f"and {len(too_long) - MANY} more"] if len(too_long) > MANY else []
    what = "records are longer than" if asked.truncation == "error" else "answers fill"
    help_text = "raise train.max_length, or set train.truncation: end cuts answers, drop leaves records out"
    raise GraftError(f"train: {what} train.max_length", [*too_long[:MANY], *more], help=help_text)
