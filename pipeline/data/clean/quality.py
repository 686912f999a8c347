"""Step `quality`: rows that are too long or short, repeat themselves, or are no prose of the wanted script.

Titles are short, full of digits, and no sentences: what published filters say of web pages counts only for texts of
`long_from` characters and more, and every share that would hurt titles is off until params turn it on.
"""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.clean import characters, echo, message_texts, repetition, token_counts
from pipeline.data.clean.message_texts import Bools, Contents
from pipeline.data.clean.settings import QualitySettings


def length(batch: pa.RecordBatch, options: QualitySettings, min_chars: int, max_chars: int) -> pa.RecordBatch:
    """The batch without texts of a classification, and records of other kinds, out of the bounds on characters."""
    found = message_texts.contents(batch)
    chars = pc.fill_null(pc.utf8_length(found.values), 0).to_numpy(zero_copy_only=False)
    title = found.lines & ~found.labels
    reasons = [
        ("text too short", message_texts.rows_of(found, title & (chars < min_chars), batch.num_rows)),
        ("text too long", message_texts.rows_of(found, title & (chars > max_chars), batch.num_rows)),
    ]
    if options.max_record_chars is not None and not found.lines.all():
        total = np.bincount(found.rows, weights=np.where(found.lines, 0, chars), minlength=batch.num_rows)
        reasons.append(("record too long", total > options.max_record_chars))
    return message_texts.reject(batch, reasons)


def token_bounds(batch: pa.RecordBatch, options: QualitySettings, tokenizer: Path | None) -> pa.RecordBatch:
    """The batch without records of fewer or more tokens than params say."""
    if tokenizer is None or (options.min_tokens is None and options.max_tokens is None):
        return batch
    found = message_texts.contents(batch)
    few, many = token_counts.outside(found, batch.num_rows, tokenizer, options.min_tokens, options.max_tokens)
    live = message_texts.bools(batch.column("problem").is_null())
    return message_texts.reject(batch, [("too few tokens", few & live), ("too many tokens", many)])


def apply(batch: pa.RecordBatch, options: QualitySettings) -> pa.RecordBatch:
    """The batch without rows whose text is none worth learning, by what `options` bounds."""
    found = message_texts.contents(batch)
    learned = _learned(found)
    checks = [
        *_by_class(found, learned, options),
        *echo.found(found, options.placeholders, options.echo, options.boilerplate, options.lorem_ipsum),
        *_repeating(found, learned, options),
    ]
    return message_texts.reject(
        batch, ((reason, message_texts.rows_of(found, hits, batch.num_rows)) for reason, hits in checks)
    )


def _learned(found: Contents) -> Bools:
    """What the model learns to say or to name: titles, plain text and answers; no instruction, no label."""
    role = message_texts.bools(pc.is_in(found.roles, value_set=pa.array(["assistant", "text"])))
    texts: Bools = ~found.labels & (found.lines | role)
    return texts


def _by_class(found: Contents, learned: Bools, options: QualitySettings) -> Iterator[tuple[str, Bools]]:
    bounds = (options.min_letter_share, options.max_digit_share, options.max_sign_share, options.scripts)
    if all(bound is None for bound in bounds):
        return
    shares = characters.shares(found.values, options.scripts or ())
    if options.min_letter_share is not None:
        yield "too few letters", learned & (shares.letters < options.min_letter_share)
    if options.max_digit_share is not None:
        yield "too many digits", learned & (shares.digits > options.max_digit_share)
    if options.max_sign_share is not None:
        yield "too many signs", learned & (shares.signs > options.max_sign_share)
    if options.scripts is not None:
        yield "another script", learned & (shares.wanted < options.min_script_share)


def _repeating(found: Contents, learned: Bools, options: QualitySettings) -> Iterator[tuple[str, Bools]]:
    plain = message_texts.bools(pc.equal(found.roles, "text"))
    if options.repetition == "keep":
        return
    if options.repetition == "text":
        learned = plain
    chars = pc.fill_null(pc.utf8_length(found.values), 0).to_numpy(zero_copy_only=False)
    long = np.flatnonzero(learned & (chars >= options.long_from))
    if not len(long):
        return
    limits = {field.name: getattr(options, field.name) for field in fields(options)}
    hits: dict[str, Bools] = {}
    for place, text in zip(long.tolist(), found.values.take(pa.array(long)).to_pylist(), strict=True):
        reason = repetition.problem(text, limits, web=bool(plain[place]))
        if reason:
            hits.setdefault(reason, np.zeros(len(learned), dtype=bool))[place] = True
    yield from sorted(hits.items())
