"""Numbers of people: identity cards and taxpayers.

Each needs its checksum or its name near it: catalogues are full of digits that name a thing.
"""

import datetime
import re
from dataclasses import replace
from functools import partial

from pipeline.data.clean.masks.pattern import Pattern, is_a_part, together, without_look_around

_BETWEEN = "[ ./_-]{0,3}"
_CHINESE = rf"[1-9](?:{_BETWEEN}[0-9]){{16}}{_BETWEEN}[0-9Xx]"  # GB 11643-1999
_CHINESE_OLD = "[1-9](?:[ -]?[0-9]){14}"  # before 1999: two digits of the year, no check
_CHINESE_NAME = (
    "身份证|身分证|身份證|身分證|证件|證件|证号|居民|(?<![A-Za-z])(?:id|identity|identification)(?![A-Za-z])"
)
_SSN = "[0-9]{3} ?- ?[0-9]{2} ?- ?[0-9]{4}"  # United States
_SSN_NAMED = rf"[0-9]{{3}}{_BETWEEN}[0-9]{{2}}{_BETWEEN}[0-9]{{4}}"  # its other spellings, beside its name
_SSN_NAME = (
    r"(?<![A-Za-z])(?:s\.? ?s\.? ?n(?![A-Za-z])\.?|ss ?(?:#|no(?![A-Za-z])|num|nr(?![A-Za-z])))"
    r"|social[ -]security|soc\.? ?sec|(?<![A-Za-z])itin(?![A-Za-z])|segur(?:o|idad) social|社会安全|社安"
)
_CPF = r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"  # Brazil
_RRN = r"[0-9]{6}-[1-8][0-9]{6}"  # Korea
_FISCAL = r"(?i:[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z])"  # Italy
_PROVINCES = {
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    71,
    81,
    82,
    83,
}
_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10,
    22, 25, 24, 23,
), strict=True))  # fmt: skip


def is_chinese_id(number: str) -> bool:
    """Whether 18 characters are a resident's identity number: province, birth date, ISO 7064 MOD 11-2 check.

    What stands between them does not count.
    """
    number = "".join(filter(str.isalnum, number))
    if int(number[:2]) not in _PROVINCES or not _is_date(number[6:14]):
        return False
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()


def is_ssn(number: str) -> bool:
    """Whether AAA-GG-SSSS was ever issued: the Social Security Administration leaves these ranges out."""
    area, group, serial = map(str.strip, number.split("-"))
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def is_cpf(number: str) -> bool:
    """Whether both check digits of a Brazilian taxpayer's number hold (mod 11)."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    if len(set(digits)) == 1:
        return False
    return all(
        sum(digit * (count + 1 - place) for place, digit in enumerate(digits[:count])) * 10 % 11 % 10 == digits[count]
        for count in (9, 10)
    )


def is_rrn(number: str) -> bool:
    """Whether a Korean resident's number has a birth date and its check digit (mod 11)."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    century = "19" if digits[6] in (1, 2, 5, 6) else "20"
    total = sum(digit * weight for digit, weight in zip(digits, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), strict=False))
    return _is_date(century + number[:6]) and (11 - total % 11) % 10 == digits[12]


def is_fiscal_code(code: str) -> bool:
    """Whether the last letter of an Italian codice fiscale is its check character (mod 26)."""
    upper = code.upper()
    even = {character: place % 10 if place < 10 else place - 10 for place, character in enumerate(_ODD)}
    total = sum((even if place % 2 else _ODD)[character] for place, character in enumerate(upper[:15]))
    return chr(ord("A") + total % 26) == upper[15]


def is_old_chinese_id(number: str) -> bool:
    """Whether 15 digits have a province and a birth date of the last century, as identity numbers had until 1999."""
    digits = "".join(filter(str.isdigit, number))
    return int(digits[:2]) in _PROVINCES and _is_date(f"19{digits[6:12]}")


def _is_id(match: re.Match[str], *, title: bool) -> bool:
    if is_a_part(match, _JOINS):
        return False
    if match.lastgroup in ("ssn", "named"):  # no check digit
        named = _SSN_BEFORE.search(match.string, max(0, match.start() - 40), match.start())
        if named or _SSN_AFTER.match(match.string, match.end()):
            return True
        return not title and match.lastgroup == "ssn" and is_ssn(match[0])
    if match.lastgroup == "old":
        named = _CHINESE_BEFORE.search(match.string, max(0, match.start() - 24), match.start())
        return bool(named) and is_old_chinese_id(match[0])
    checks = {"chinese": is_chinese_id, "cpf": is_cpf, "rrn": is_rrn, "fiscal": is_fiscal_code}
    return checks[str(match.lastgroup)](match[0])


def _is_date(digits: str) -> bool:
    try:
        return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year >= 1880
    except ValueError:
        return False


_SSN_BEFORE, _CHINESE_BEFORE = re.compile(f"(?i){_SSN_NAME}"), re.compile(f"(?i){_CHINESE_NAME}")
# "078051120 is my SSN", in one sentence
_SSN_AFTER = re.compile(
    rf"(?i)[ ,(:=-]{{0,3}}(?:(?:is|was|as|my|his|her|your|our|their|the|a|valid|for)[ ,(]{{1,2}}){{0,4}}(?:{_SSN_NAME})"
)
_JOINS = rf"(?i)(?:{_SSN_NAME}|{_CHINESE_NAME}|(?<![A-Za-z])(?:no|nr|num))[ .#:-]{{0,2}}$"
_GATE = "|".join((_CHINESE, _SSN, _CPF, _RRN, _FISCAL))
ID_CARD = Pattern(
    many_digits=True,
    mark="[ID]",
    gate=without_look_around(
        f"(?:^|[^0-9])(?:{_GATE})|{together(_SSN_NAME, _SSN_NAMED)}|(?i:(?:{_CHINESE_NAME}).*?{_CHINESE_OLD})"
    ),
    regex=(
        rf"(?<![0-9])(?:(?P<chinese>{_CHINESE})|(?P<ssn>{_SSN})|(?P<cpf>{_CPF})|(?P<rrn>{_RRN})"
        rf"|(?P<fiscal>{_FISCAL})|(?P<old>{_CHINESE_OLD})|(?P<named>{_SSN_NAMED}))"
        r"(?![A-Za-z0-9]|[-.][0-9]|[/,][0-9](?!(?:[ -]?[0-9]){7}))"
    ),
    check=partial(_is_id, title=False),
)
# In titles: part numbers have a Social Security number's shape.
ID_CARD_IN_TITLES = replace(ID_CARD, check=partial(_is_id, title=True))
