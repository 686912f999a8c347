"""Step `quality`: rows that are too long or short, repeat themselves, or are no prose of the wanted script.

Titles are short, full of digits, and no sentences: what published filters say of web pages counts only for texts of
`long_from` characters and more, and every share that would hurt titles is off until params turn it on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.clean import characters, echo, message_texts, repetition, token_counts
from pipeline.data.clean.message_texts import Bools, Contents


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityOptions:
    """Section `prepare.quality` of params.yaml; None turns a bound off."""

    # Gopher keeps documents of up to 100,000 words (Rae et al. 2021, arXiv:2112.11446, A1.1), here of 5 characters.
    max_record_chars: int | None = 500_000
    min_tokens: int | None = None
    max_tokens: int | None = None
    long_from: int = 400  # characters; about Gopher's least length, 50 words, and then some
    repetition: Literal["text", "all", "keep"] = "text"  # all: answers too, where code and lyrics repeat on purpose
    # Shares that Gopher's Table A1 allows: lines that stand there before, their characters, and the characters of the
    # most frequent sequence of 2, 3, 4 words.
    max_duplicate_lines: float | None = 0.30
    max_duplicate_line_chars: float | None = 0.20
    max_top_2gram: float | None = 0.20
    max_top_3gram: float | None = 0.18
    max_top_4gram: float | None = 0.16
    max_symbols_per_word: float | None = 0.1  # Gopher A1.1: of "#" and "..."; plain text only
    min_words_with_letters: float | None = 0.8  # Gopher A1.1; plain text only
    # Of all characters but blanks; titles too. No published bound fits catalogues.
    min_letter_share: float | None = None
    max_digit_share: float | None = None
    max_sign_share: float | None = None
    scripts: tuple[str, ...] | None = None  # such as Latin, Han
    min_script_share: float = 0.5  # of the letters that must be of `scripts`
    placeholders: Literal["classification", "all", "keep"] = "classification"
    # C4 drops pages with "lorem ipsum" (Raffel et al. 2020, arXiv:1910.10683, 2.2).
    lorem_ipsum: bool = True
    echo: bool = True  # answers that repeat their prompt
    boilerplate: bool = False  # "As an AI language model": some train refusals on purpose

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Self:
        """The options of a section; a key that is absent has its default."""
        scripts = section.get("scripts")
        return cls(**{**section, "scripts": None if scripts is None else tuple(scripts)})


def length(batch: pa.RecordBatch, options: QualityOptions, min_chars: int, max_chars: int) -> pa.RecordBatch:
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


def token_bounds(batch: pa.RecordBatch, options: QualityOptions, tokenizer: Path | None) -> pa.RecordBatch:
    """The batch without records of fewer or more tokens than params say."""
    if tokenizer is None or (options.min_tokens is None and options.max_tokens is None):
        return batch
    found = message_texts.contents(batch)
    few, many = token_counts.outside(found, batch.num_rows, tokenizer, options.min_tokens, options.max_tokens)
    live = message_texts.bools(batch.column("problem").is_null())
    return message_texts.reject(batch, [("too few tokens", few & live), ("too many tokens", many)])


def apply(batch: pa.RecordBatch, options: QualityOptions) -> pa.RecordBatch:
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


def _by_class(found: Contents, learned: Bools, options: QualityOptions) -> Iterator[tuple[str, Bools]]:
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


def _repeating(found: Contents, learned: Bools, options: QualityOptions) -> Iterator[tuple[str, Bools]]:
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
