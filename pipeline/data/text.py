"""Text as every record holds it: one Unicode form, no control characters, no one's e-mail or telephone."""

import re
import unicodedata

EMAIL, PHONE = "[EMAIL]", "[PHONE]"

# Control and invisible formatting characters; the joiners U+200C and U+200D stay: they spell words and emoji.
_CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
_UNDECODABLE = re.compile("[\ud800-\udfff\ufffd]")  # lone surrogates, and what a decoder could not read

_TURN = re.compile(r"<\|[A-Za-z_]{1,40}\|>")  # a chat template's marks

# Bounded repeats and a look-behind keep both patterns linear in the length of the text.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
# Catalogues are full of digits that are no telephone: EANs, prices, sizes, model numbers. So each
# alternative needs a mark of its own: a country code, a trunk zero, a Chinese mobile's shape, or 3-3-4 groups.
_PHONE = re.compile(
    r"(?<![A-Za-z0-9])(?<![A-Za-z0-9][-./+,])(?:"
    r"(?:\+|00)[1-9]\d{0,2}(?:[ .-]?\(?\d{1,5}\)?){2,5}(?<=\d)"  # +44 20 7946 0958
    r"|(?:86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}"  # 13812345678
    r"|\(0\d{1,4}\) ?\d{3,4}[ -]?\d{3,4}|0\d{1,4}[ -]\d{3,4}[ -]?\d{3,4}"  # 010-8888 8888
    r"|0[1-9]\d{8,9}"  # 02079460958
    r"|(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}|[48]00-\d{3,4}-\d{3,4}"  # (212) 555-0123
    r")(?![A-Za-z0-9]|[-./,]\d)"
)
_MAYBE_PHONE = re.compile(r"\d[\d ().-]{5,}\d")


def clean(text: str) -> str:
    """Unicode NFC, without control characters, each run of white space one blank, none at the ends."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = _CONTROL.sub("", text)
    return " ".join(text.split())


def undecodable(text: str) -> bool:
    """Whether the text holds U+FFFD or a lone surrogate: something was lost before it came here."""
    return not text.isascii() and _UNDECODABLE.search(text) is not None


def marks_a_turn(text: str) -> bool:
    """Whether the text holds what a chat template writes between messages, such as <|im_end|>.

    A tokenizer reads it as the end of a turn: a title could then speak as the model.
    """
    return "<|" in text and _TURN.search(text) is not None


def mask(text: str) -> str:
    """The text with [EMAIL] and [PHONE] in place of e-mail addresses and telephone numbers."""
    if "@" in text:
        text = _EMAIL.sub(EMAIL, text)
    if _MAYBE_PHONE.search(text):
        text = _PHONE.sub(_phone, text)
    return text


def _phone(match: re.Match[str]) -> str:
    found = match[0]
    digits = sum(character.isdigit() for character in found)
    return PHONE if 8 <= digits <= 15 else found  # E.164: at most 15
