"""Text that was broken on its way: decoded wrongly (mojibake), or left with its HTML entities.

ftfy finds and repairs mojibake; it is told from good text by chance alone, so a single character counts only where
chance is small: `ßª` and `É±` are also what a single byte pair of other text looks like.
"""

import html
import re
import unicodedata
from collections import Counter
from html.entities import html5

SUSPECT = re.compile(r"[^\x00-\x7f\u2e80-\ufaff\ufe30-\uffef]")  # mojibake is never all Chinese, Japanese or Korean
ENTITY = "&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"  # RE2 reads it, too
_ENTITY = re.compile(ENTITY)
_C1 = re.compile(r"[\x80-\x84\x86-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEXT_LINE = re.compile(r"(?<![\x80-\xff])\x85")
# First halves of Latin letters in UTF-8, read as Windows-1252 and Windows-1250.
_LEADS = set("ÃÂÄÅĂĹ")
_WIDE_SIGNS = (
    range(0x2000, 0x2800),
    range(0x2900, 0x2C00),
    range(0x3000, 0x3040),
    range(0xFF00, 0xFFF0),
    range(0x1F000, 0x20000),
)
_RARE = (range(0x180, 0x300), range(0x340, 0x370))  # letters of few languages, and of phonetics
_OF_LANGUAGES = set("ƏəƠơƯưȘșȚț")
_SYLLABLES = ("LATIN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL")  # one alone may be a word, or part of one
_SURE = 3  # repaired characters, where nothing else tells
_OPENING = {"”": "“", "’": "‘"}  # quotation marks, by the closing one


def unescaped(text: str) -> str:
    """The text with what its HTML entities stand for: numbers, and names that HTML has; each with its semicolon."""
    return _ENTITY.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    entity = match[0]
    if entity[1] != "#":
        return html5.get(entity[1:], entity)
    character = html.unescape(entity)
    return entity if character in ("", "\ufffd") else character  # no character has this number


def repaired(text: str) -> str:
    """The text with what is surely mojibake as it was written."""
    if not SUSPECT.search(text):
        return text
    if not _C1.search(text):
        text = _NEXT_LINE.sub("\n", text)  # alone it is white space, among others of its block an ellipsis
    return "\n".join(map(_line, text.split("\n")))  # encodings may differ by line


def _line(text: str) -> str:
    import ftfy  # 0.06 s: only for text that may need it
    from ftfy import chardata

    fixed, steps = ftfy.fix_encoding_and_explain(text)
    if fixed == text:
        return text
    if [(step.action, step.parameter) for step in steps or ()] == [("apply", "decode_inconsistent_utf8")]:
        return chardata.UTF8_DETECTOR_RE.sub(_place, text)  # the rest of the line was never broken
    return fixed if _is_sure(text, fixed) else text


def _place(match: re.Match[str]) -> str:
    import ftfy

    text, closing = match.string, match[0][-1]
    opened = closing in _OPENING and text.count(_OPENING[closing], 0, match.start()) > text.count(
        closing, 0, match.start()
    )
    if opened or not ftfy.badness.is_bad(match[0]):
        return match[0]  # “LÃ” is in quotation marks
    fixed = ftfy.fix_encoding(match[0])
    left, right = text[max(0, match.start() - 1) : match.start()], text[match.end() : match.end() + 1]
    return fixed if _is_sure(f"{left}{match[0]}{right}", f"{left}{fixed}{right}") else match[0]


def _is_sure(before: str, after: str) -> bool:
    if before == after or _SURROGATE.search(after):
        return False  # half a pair is nothing
    gained = list((Counter(after) - Counter(before)).elements())
    lost = list((Counter(before) - Counter(after)).elements())
    if any("\x80" <= each < "\xa0" for each in lost):
        return True  # nobody writes control characters
    signs = [each for each in lost if not each.isalpha()]
    if len(gained) <= 1:  # º is both the second half of Âº and what it stands for
        return _is_likely(before, after, len(before) - len(after) + 1, bool(signs))
    if all(any(ord(each) in some for some in _RARE) and each not in _OF_LANGUAGES for each in gained):
        return False
    scripts = Counter(filter(None, map(_script, gained)))
    if any(count == 1 for name, count in scripts.items() if not name.startswith(_SYLLABLES)):
        return False  # a word of another script has more letters than one
    return bool(signs) or not _LEADS.isdisjoint(lost) or len(gained) >= _SURE


def _is_likely(before: str, after: str, lost: int, signs: bool) -> bool:
    """Whether one character was broken, and the text around it was not."""
    place = next(at for at, pair in enumerate(zip(before, after + "\0", strict=False)) if pair[0] != pair[1])
    lead, new, left, right = before[place], after[place : place + 1], before[:place][-1:], before[place + lost :][:1]
    if any(each.isalpha() and not each.isascii() for each in (left, right)):
        return False  # that was read rightly
    if lost > 2:
        return (
            signs
            and " " not in before[place : place + lost]
            and (any(ord(new) in each for each in _WIDE_SIGNS) or _script(new).startswith(_SYLLABLES))
        )
    if lead not in _LEADS or ord(new) > 0x17F or not (signs or lead in "ÃÂ"):
        return False
    if _ends_a_word(before, place + 1, right):
        return False
    shouted = left.isupper() and (new.islower() or lead not in "ÃÂ")  # MANHÃ®, SEPPÄ½
    return not shouted or right.isalpha()


def _ends_a_word(before: str, place: int, right: str) -> bool:
    """Whether a sign stands behind a whole word, as in HORTELÃ™ and 1.54 Å±, and is no half of a letter."""
    sign, alone = before[place], not before[: place - 1][-1:].strip()
    return not right.isalpha() and (sign in "™•" or (alone and before[place - 1] == "Å"))


def _script(character: str) -> str:
    """The script of a letter, Latin-1's left out; otherwise nothing."""
    name = unicodedata.name(character, "") if ord(character) >= 0xC0 and character.isalpha() else ""
    return name.split(" ")[0]
