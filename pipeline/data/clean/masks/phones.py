"""Telephone numbers: spellings that nothing else has, and digits that a word near them makes a number to call.

Catalogues are full of digits that are no telephone: EANs, prices, sizes, part numbers. So in a title only a country
code with a number that its plan has counts by itself; all else needs a word such as "call" or 电话 near it. Prose has
fewer part numbers: there, more spellings count by themselves, and a word may be farther.
"""

import re
from functools import partial

from pipeline.data.clean.masks import phone_context
from pipeline.data.clean.masks.dialling import is_international
from pipeline.data.clean.masks.numbers import is_gtin
from pipeline.data.clean.masks.pattern import Pattern, compiled, without_look_around
from pipeline.data.clean.masks.phone_context import CHINESE_MOBILE, MOBILE

# --- spellings: RE2 reads them, too -------------------------------------------------------------------------
_COUNTRY = (
    "(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    "|(?:2[1-69]|3[578]|42|5[09]|6[789]|8[0578]|9[679])[0-9])"
)
_GROUP = r"\(?[0-9]{1,6}\)?"
_IN_TITLES = (
    rf"(?:\+\(?|\(\+){_COUNTRY}\)?(?:[ ./-]?{_GROUP}){{1,2}}(?:[ .-]?{_GROUP}){{1,5}}",  # +44 20 7946 0958
    rf"00{_COUNTRY}(?:[ ./-]{_GROUP}){{3,5}}",  # 0044 20 7946 0958, 001-212-555-0142
    rf"(?:00|\()?86\)?[ -]?{CHINESE_MOBILE}(?:[0-9]{{8}}|[ -][0-9]{{4}}[ -][0-9]{{4}})",  # 86 138-1234-5678
)
_IN_PROSE = (
    r"(?:1[ .-]?)?\([0-9]{3}\)[ -]?[0-9]{3}[ .-]?[0-9]{4}",  # (212) 555-0142
    r"\(0[0-9]{1,4}\)[ -]?(?:[0-9]{2,4}(?:[ -]?[0-9]{2,4}){1,3}|[0-9]{7,8})",  # (08) 9876 5432
    "0(?:10|2[0-57-9])[ -][2-8][0-9]{3}[ -]?[0-9]{4}",  # 010-8888 8888
    "0[3-9][0-9]{2}-[2-8][0-9]{2,3}[ -]?[0-9]{4}",  # 0755-8888 8888
    rf"{CHINESE_MOBILE}(?:[0-9]{{8}}|[ .-][0-9]{{4}}[ .-][0-9]{{4}})",  # 138-1234-5678, 13812345678
    "(?:1[ .-])?[2-9][0-9]{2}[.-][2-9][0-9]{2}[.-][0-9]{4}",  # 212-555-0142
    "[48]00-(?:[0-9]{3}-[0-9]{4}|[0-9]{4}-[0-9]{3})",  # a hotline
    r"\([1-9][0-9]{1,2}\)[ -]?[0-9]{3,5}[ -][0-9]{3,4}(?:[ -][0-9]{3})?",  # (11) 91234-5678
    "0[1-9][0-9]{0,3}(?:(?: [0-9]{2,5}){2,4}|-[0-9]{3,4}-[0-9]{3,4}|[ -][0-9]{6,8})",  # 0490 75 40 81
    "0[1-9][0-9]{1,2}-[0-9]{3}-[0-9]{2}-[0-9]{2}",  # 0532-123-45-67
    r"0[1-9](?:(?:\.[0-9]{2}){4}|(?:-[0-9]{2}){4})",  # 01.84.17.61.18
    r"8(?:[ -]?\([3489][0-9]{2}\) ?|[ -]9[0-9]{2}[ -])[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{2}",  # 8 (495) 123-45-67
)
_LONG_GROUP = r"(?:\([0-9]{1,5}\)|[0-9]{2,9})"
# A slash ends an area code; between whole numbers it makes a list.
_AREA = r"(?:\+[0-9]{1,3}[ .-]?\(?[0-9]{1,5}\)?|\(?[0-9]{2,5}\)?|0[ .-][0-9]{2,4}) ?/ ?"
_ANY = (
    rf"{_AREA}[0-9]{{2,9}}(?:[ .-][0-9]{{2,9}}){{0,4}}"  # 0171/123 45 67
    rf"|\+?(?:\([0-9]{{1,5}}\)|[0-9]{{1,5}})(?:(?: - | {{1,2}}|[.-]){_LONG_GROUP}|(?<=\)){_LONG_GROUP}){{1,5}}"
    r"|\+?[0-9]{7,13}"
)
_EXTENSION = (
    r"(?:(?: ?(?:x|ext\.?|extension|转|轉|分[机機]|доб\.?) ?| ?# ?)[0-9]{1,6}"
    "|/[0-9]{1,4}(?![0-9/]|[ .-][0-9]))?"  # the last digits of another number: 030 1234541/42
)
# Behind a number: no digits that belong to it. After a comma or a slash, another number may follow, or a table's cell.
_END = (
    r"(?![A-Za-z0-9]|[-.:][0-9]|/[0-9](?!(?:[ ().-]{0,2}[0-9]){6})"
    r"|,[0-9](?!(?:[ ().-]{0,2}[0-9]){6})[0-9]{0,2}(?![0-9]*,))"
)
_DIGITS, _LONGEST = range(7, 16), 13  # E.164 allows 15; none in use has more than 13

_NO_PHONE = re.compile(
    r"(?:1[89]|20)\d\d([-./ ]?)(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"  # dates
    r"|(?:0?[1-9]|[12]\d|3[01])([-./ ])(?:0?[1-9]|[12]\d|3[01])\2(?:1[89]|20)\d\d"
    r"|(?:1[89]|20)\d\d(?: - |[-./ ])(?:1[89]|20)\d\d"  # years
    r"|\d{5}-\d{4}"  # a ZIP code
    r"|\d{3}-\d\d-\d{4}"  # a Social Security number's shape
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # addresses and versions
    r"|(?!\d{3}\.\d{4}$)\d+\.\d+"  # decimals
    r"|\d{1,3}(?:[ .]000)+|\d0+|\d*00(?:[ ./-]\d*00)+"  # round numbers
)


def _cut(match: re.Match[str]) -> re.Match[str]:
    """The first of several numbers with blanks between them, where all would be too long for one."""
    digits = blanks = 0
    for place, character in enumerate(match[0]):
        digits += character.isdigit()
        if character == " " and _DIGITS[0] <= digits < _LONGEST:
            blanks = place
    if digits <= _DIGITS[-1] or not blanks:
        return match
    return match.re.match(match.string, match.start(), match.start() + blanks) or match


def _is_phone(match: re.Match[str], *, marked: str, prose: bool) -> bool:
    number = match["number"]
    digits = "".join(filter(str.isdigit, number))
    if len(digits) not in _DIGITS or phone_context.is_of_a_word(match):
        return False
    named, counted = phone_context.names_a_thing(match), phone_context.is_counted(match)
    if len(digits) > 8 and compiled(marked).fullmatch(number) and (number[0] in "+(" or not named):
        if prose and MOBILE.fullmatch(number):
            if not counted and not phone_context.is_computed(match):
                return True
        elif prose or (is_international(digits.removeprefix("00")) and not _ROUND_GROUPS.fullmatch(number)):
            return _is_diallable(number, digits)
    if named or counted or _is_something_else(number, digits):
        return False
    return phone_context.is_called(match, digits, prose=prose)


_ROUND_GROUPS = re.compile(r"[+0-9]+(?:[ ./-][0-9]{1,4}0){2,}")  # a set of sizes: +20 100 200 300


def _is_diallable(number: str, digits: str) -> bool:
    if "+" not in number:
        return True
    if digits[0] in "17":  # North America, Russia: ten digits
        return len(digits) == 11
    return len(digits) <= _LONGEST or number[1:] != digits  # a sum


def _is_something_else(number: str, digits: str) -> bool:
    if len(digits) in (12, 13) and number == digits and is_gtin(digits):
        return True
    return bool(_NO_PHONE.fullmatch(number))


def _phones(shapes: tuple[str, ...], gate: str, *, prose: bool) -> Pattern:
    marked = "|".join(shapes)
    return Pattern(
        mark="[PHONE]",
        many_digits=True,
        gate=without_look_around(f"(?:^|[^0-9])(?:{marked})|{gate}"),
        regex=(rf"(?i)(?<![0-9])(?P<number>{marked}|{_ANY}){_EXTENSION}{_END}"),
        cut=_cut,
        check=partial(_is_phone, marked=marked, prose=prose),
    )


PHONE = _phones((*_IN_TITLES, *_IN_PROSE), phone_context.GATE_OF_PROSE, prose=True)
PHONE_IN_TITLES = _phones(_IN_TITLES, phone_context.GATE_OF_TITLES, prose=False)
