"""What `train.max_length` and the chat template would take from an increment: said before anything is trained."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError

SAMPLE = 2_000  # records, by content hash: enough to tell a share, and some seconds at most
_LABELLED = "classification"  # its answer is kept whatever is cut, so nothing is loaded for it


def lines(train: Any, asked: Mapping[str, Any], base: Path | None) -> Iterator[str]:
    """How many examples are longer than `train.max_length`, and whether the template shows what they hold.

    Args:
        train: pa.Table of the records to train on.
        asked: section `train`, effective values.
        base: folder of the pinned base; None: it is not here, and nothing can be said.
    """
    import pyarrow.compute as pc

    from pipeline.data.records import arrow

    chosen = train.filter(pc.not_equal(train["kind"], _LABELLED)) if train.num_rows else train
    if base is None or not chosen.num_rows or asked["objective"] == "pretrain":
        return
    part = chosen.take(pc.sort_indices(chosen["id"])[:SAMPLE])
    records = arrow.records_of(part)
    try:
        lengths = _lengths(records, asked, base)
    except GraftError as error:
        yield f"warning: {error.message}"
        yield from (f"  {problem}" for problem in error.problems[:3])
        yield f"  help: {error.help}"
        return
    from pipeline.training.examples import lengths as said

    seen = f", of a sample of {len(records):,}" if chosen.num_rows > len(records) else ""
    if told := said.words(lengths, asked["max_length"]):
        yield f"{told}{seen}: train.max_length is {asked['max_length']:,}"
    else:
        yield f"every example fits {asked['max_length']:,} tokens{seen}"
    if held := [name for name, there in _held(records).items() if there]:
        yield f"the chat template shows {' and '.join(held)}"


def _lengths(records: Any, asked: Mapping[str, Any], base: Path) -> list[int]:
    """Tokens of each record's longest sequence; raises like `encoding.encode`."""
    from pipeline.model.chat import chat, templates
    from pipeline.training.examples import encoding, examples

    talk = chat.load(base, templates.text(asked["chat_template"]))
    taken = [record for record in records if record.desirable is not False]
    return [examples.longest(variants) for variants in encoding.encode(talk, taken)]


def _held(records: Any) -> dict[str, bool]:
    """What of conversations a template may leave out, and whether any record has it."""
    return {
        "system turns": any(message["role"] == "system" for record in records for message in record.messages),
        "tools": any(record.tools is not None for record in records),
    }
