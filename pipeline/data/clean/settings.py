"""Settings of cleaning: sections `prepare.normalize`, `prepare.pii` and `prepare.quality`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Action = Literal["mask", "drop", "keep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalizeSettings:
    """Section `prepare.normalize` of params.yaml."""

    unicode: bool = True  # NFC, no control characters
    mojibake: bool = True
    entities: bool = True  # HTML's, in titles and labels: in other texts they may be what the text is about
    white_space: bool = True
    lowercase: bool = False
    ascii: bool = False
    line_breaks: bool = True  # False: a blank in place of each
    strip_urls: bool = False
    strip_emails: bool = False
    strip_phones: bool = False

    @property
    def of_a_label(self) -> "NormalizeSettings":
        """A label is a name: its letters stay as they are."""
        return NormalizeSettings(
            unicode=self.unicode, mojibake=self.mojibake, entities=self.entities, white_space=self.white_space
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PiiSettings:
    """Section `prepare.pii` of params.yaml: what is done about each kind."""

    email: Action = "mask"
    phone: Action = "mask"
    id_card: Action = "mask"
    bank_card: Action = "mask"
    iban: Action = "mask"
    ip: Action = "mask"
    url_credentials: Action = "mask"
    secrets: Action = "mask"


@dataclass(frozen=True, kw_only=True, slots=True)
class QualitySettings:
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
    scripts: Sequence[str] | None = None  # such as Latin, Han
    min_script_share: float = 0.5  # of the letters that must be of `scripts`
    placeholders: Literal["classification", "all", "keep"] = "classification"
    # C4 drops pages with "lorem ipsum" (Raffel et al. 2020, arXiv:1910.10683, 2.2).
    lorem_ipsum: bool = True
    echo: bool = True  # answers that repeat their prompt
    boilerplate: bool = False  # "As an AI language model": some train refusals on purpose


@dataclass(frozen=True, kw_only=True, slots=True)
class CleaningSettings:
    """All that section `prepare` says of cleaning."""

    min_chars: int  # of a classification's text
    max_chars: int
    normalize: NormalizeSettings = field(default_factory=NormalizeSettings)
    pii: PiiSettings = field(default_factory=PiiSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    tokenizer: Path | None = None  # the base's tokenizer.json: counts what min_tokens and max_tokens bound
