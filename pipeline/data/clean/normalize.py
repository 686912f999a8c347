"""Step `normalize`: one Unicode form, no control characters, no mojibake, plain white space.

A text is changed again until nothing changes, so that cleaning twice is cleaning once. An RE2 pattern finds the
few texts of a batch that need it; `line` and `block` say what becomes of one.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import fields
from functools import cache, partial

import pyarrow as pa

from pipeline.data.clean import folding, message_texts, repair
from pipeline.data.clean.masks import contacts, phones
from pipeline.data.clean.masks.pattern import MASKED, Pattern
from pipeline.data.clean.settings import NormalizeSettings

# Control and invisible formatting characters; the joiners U+200C and U+200D stay: they spell words and emoji.
_CONTROL = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
# What str.split takes for white space, the blank and the line feed left out.
_SPACE = r"\t\x0b-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# What NFC can change: marks, Hangul parts, signs that stand for others, compatibility ideographs.
_UNSTABLE = (
    r"\pM\x{340}-\x{344}\x{374}\x{37e}\x{387}\x{958}-\x{95f}\x{9dc}-\x{9df}\x{a33}-\x{a5e}\x{b5c}\x{b5d}\x{f43}-\x{fb9}\x{1100}-\x{11ff}\x{1f00}-\x{1fff}\x{2000}\x{2001}\x{2126}\x{212a}\x{212b}"
    r"\x{2329}\x{232a}\x{2adc}\x{f900}-\x{faff}\x{fb1d}-\x{fb4e}\x{2f800}-\x{2fa1f}\x{1d15e}-\x{1d1c0}"
)
_REMOVED = re.compile(f"[{_CONTROL}]")
_REMOVED_OF_A_BLOCK = re.compile(rf"[{_CONTROL}\x1c-\x1f]")
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_URL = re.compile(r"(?:\b(?:https?|ftp)://|\bwww\.)[^\s<>\"'，。；、）】」]{1,2000}", re.IGNORECASE)
_ROUNDS = 10  # a text that still changes then was made to


def apply(batch: pa.RecordBatch, options: NormalizeSettings) -> pa.RecordBatch:
    """Every content of a batch in its normal form."""
    found = message_texts.contents(batch)
    values = found.values
    texts = found.lines & ~found.labels
    blocks = ~found.lines
    for which, change, gate in (
        (texts, line, _gate(options, one_line=True)),
        (found.labels, line, _gate(options.of_a_label, one_line=True)),
        (blocks, block, _gate(options, one_line=False)),
    ):
        if gate and which.any():
            settings = options.of_a_label if which is found.labels else options
            values = message_texts.rewrite(
                values, which & message_texts.matching(values, gate), partial(change, options=settings)
            )
    return batch if values is found.values else message_texts.put(batch, values)


def line(text: str, options: NormalizeSettings) -> str:
    """A text of one line in its normal form: every run of white space is one blank, none at the ends."""
    return _settled(text, partial(_once, options=options, one_line=True))


def block(text: str, options: NormalizeSettings) -> str:
    """A text of many lines in its normal form: lines end with LF and not in blanks, indentation stays."""
    return _settled(text, partial(_once, options=options, one_line=False))


def _settled(text: str, change: Callable[[str], str]) -> str:
    for _ in range(_ROUNDS):
        before, text = text, change(text)
        if text == before:
            break
    return text


def _once(text: str, options: NormalizeSettings, *, one_line: bool) -> str:
    if options.entities and one_line:
        text = repair.unescaped(text)
    if options.mojibake and not text.isascii():
        text = repair.repaired(text)
    if options.unicode:
        text = text if text.isascii() else unicodedata.normalize("NFC", text)
        text = (_REMOVED if one_line else _REMOVED_OF_A_BLOCK).sub("", text)
    if options.ascii:
        text = folding.to_ascii(text)
    if options.lowercase:
        text = "".join(part if MASKED.fullmatch(part) else part.lower() for part in MASKED.split(text))
    text = _stripped(text, options, phones.PHONE_IN_TITLES if one_line else phones.PHONE)
    if not options.line_breaks:
        text = " ".join(text.splitlines())
    if not options.white_space:
        return text
    return " ".join(text.split()) if one_line or not options.line_breaks else _lines(text)


def _stripped(text: str, options: NormalizeSettings, phone: Pattern) -> str:
    if options.strip_urls:
        text = _URL.sub("", text)
    if options.strip_emails:
        text = contacts.EMAIL.replace(text, "")
    return phone.replace(text, "") if options.strip_phones else text


def _lines(text: str) -> str:
    text = "\n".join(each.rstrip() for each in _LINE_END.sub("\n", text).split("\n")).strip("\n")
    indent = len(text) - len(text.lstrip())
    return text if indent > 1 and "\n" in text else text[indent:]  # code may begin with an indented line


def _gate(options: NormalizeSettings, *, one_line: bool) -> str:
    """An RE2 pattern that is found in every text that `line` or `block` would change."""
    blank, ends = rf" {_re2(_SPACE)}", r"\r\x0b\x0c\x85\x{2028}\x{2029}"
    at_ends = f"^[{blank}\n]|[{blank}\n]$"
    checks = {
        "unicode": f"[{_re2(_CONTROL)}{_UNSTABLE}]" + ("" if one_line else r"|[\x1c-\x1f]"),
        "white_space": f"{at_ends}|" + (f"[\n{_re2(_SPACE)}]|  " if one_line else f"[{blank}]\n|[{ends}]"),
        "lowercase": r"[A-Z]|[^\x00-\x7f]",
        "ascii": r"[^\x00-\x7f]",
        "strip_urls": r"(?i)://|www\.",
        "strip_emails": "[@\\x{ff20}]",
        "strip_phones": f"{folding.WIDE}|{(phones.PHONE_IN_TITLES if one_line else phones.PHONE).gate}",
    }
    found = [
        f"(?:{checks[field.name]})"
        for field in fields(options)
        if field.name in checks and getattr(options, field.name)
    ]
    if options.entities and one_line:
        found.append(repair.ENTITY)
    if options.mojibake:
        found.append(_badness())
    if not options.line_breaks:
        found.append(f"[\n{_re2(_SPACE)}]|  ")
    return "|".join(found)


def _re2(pattern: str) -> str:
    return re.sub(r"\\u([0-9a-f]{4})", r"\\x{\1}", pattern)


@cache
def _badness() -> str:
    """The pattern by which ftfy tells suspicious text, as RE2 reads it: without blanks between its parts."""
    from ftfy import badness

    outside = re.compile(r"(\[(?:\\.|[^\]\\])*\]|\\.)|\s+|#[^\n]*")
    bare = outside.sub(lambda match: match[1] or "", badness.BADNESS_RE.pattern)
    return bare.replace(r"\w", r"[\pL\pN\pM_]").replace(r"\s", rf"[\s{_re2(_SPACE)}]")
