"""Text as every record holds it, one string at a time: the same code as the cleaning of batches."""

from pipeline.data.clean import normalize, pii
from pipeline.data.clean.settings import NormalizeSettings, PiiSettings
from pipeline.data.clean.unusable import marks_a_turn, undecodable

__all__ = ["EMAIL", "PHONE", "clean", "marks_a_turn", "mask", "undecodable"]

EMAIL, PHONE = (pii.KINDS[name].mark for name in ("email", "phone"))


def clean(text: str) -> str:
    """Unicode NFC, no control characters or mojibake, each run of white space one blank, none at the ends."""
    return normalize.line(text, NormalizeSettings())


def mask(text: str) -> str:
    """The text of a classification with a mark, such as [EMAIL], in place of personal data and secrets."""
    return pii.scrub(text, PiiSettings(), title=True)[0]
