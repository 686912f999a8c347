"""Numbers that name a person or an account.

Each needs its checksum or its issuer's ranges: catalogues are full of digits (EAN, ISBN, IMEI, part numbers) that
name a thing.
"""

import datetime
import re
from dataclasses import replace
from functools import partial

from pipeline.data.clean.pattern import Pattern, apart

# --- identity cards ---------------------------------------------------------------------------------------
_CHINESE = r"[1-9][0-9]{5}[ -]?(?:18|19|20)[0-9]{2}[ -]?[01][0-9][ -]?[0-3][0-9][ -]?[0-9]{3}[0-9Xx]"  # GB 11643-1999
_SSN = r"[0-9]{3}-[0-9]{2}-[0-9]{4}"  # United States
_SSN_NAMED = r"[0-9]{3}[ .-]?[0-9]{2}[ .-]?[0-9]{4}"  # its other spellings, after its name
_SSN_NAME = r"\bssn?\b|social[ -]security|soc\.? ?sec|\bitin\b"
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

    Blanks and hyphens between them do not count.
    """
    number = number.replace(" ", "").replace("-", "")
    if int(number[:2]) not in _PROVINCES or not _is_date(number[6:14]):
        return False
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()


def is_ssn(number: str) -> bool:
    """Whether AAA-GG-SSSS was ever issued: the Social Security Administration leaves these ranges out."""
    area, group, serial = number.split("-")
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


def _is_id(match: re.Match[str], *, title: bool) -> bool:
    if match.lastgroup in ("ssn", "named"):  # no check digit
        if re.compile(_SSN_NAME, re.IGNORECASE).search(match.string, max(0, match.start() - 40), match.start()):
            return True
        return not title and match.lastgroup == "ssn" and is_ssn(match[0])
    checks = {"chinese": is_chinese_id, "cpf": is_cpf, "rrn": is_rrn, "fiscal": is_fiscal_code}
    return checks[str(match.lastgroup)](match[0])


def _is_date(digits: str) -> bool:
    try:
        return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year >= 1880
    except ValueError:
        return False


ID_CARD = Pattern(
    many_digits=True,
    mark="[ID]",
    gate=f"{apart('|'.join((_CHINESE, _SSN, _CPF, _RRN, _FISCAL)))}|(?i:(?:{_SSN_NAME}).*?{_SSN_NAMED})",
    regex=re.compile(
        rf"(?<![A-Za-z0-9])(?<![A-Za-z0-9][-./,])(?:(?P<chinese>{_CHINESE})|(?P<ssn>{_SSN})|(?P<cpf>{_CPF})"
        rf"|(?P<rrn>{_RRN})|(?P<fiscal>{_FISCAL})|(?P<named>{_SSN_NAMED}))(?![A-Za-z0-9]|[-./,][0-9])"
    ),
    check=partial(_is_id, title=False),
)
ID_CARD_IN_TITLES = replace(
    ID_CARD, check=partial(_is_id, title=True)
)  # part numbers have a Social Security number's shape

# --- bank cards -------------------------------------------------------------------------------------------
_CARD = (
    r"[4-6][0-9]{16,18}|62[0-9]{2}(?P<long>[ -])(?:[0-9]{4}(?P=long)){3}[0-9]{3}"
    r"|[2-6][0-9]{3}(?P<four>[ -]?)[0-9]{4}(?P=four)[0-9]{4}(?P=four)[0-9]{4}"
    r"|3[47][0-9]{2}(?P<six>[ -]?)[0-9]{6}(?P=six)[0-9]{5}|3[0689][0-9]{2}(?P<diners>[ -]?)[0-9]{6}(?P=diners)[0-9]{4}"
)
_CARD_GATE = (
    r"[2-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}(?:[ -]?[0-9]{1,3})?|3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{4,5}"
)
# After a word for a card: Visa's old 13 digits, Maestro's 12 to 19, JCB's old 15, any blanks.
_NAMED_CARD = r"(?:[2-6]|1800|2131)(?:[ -]?[0-9]){11,18}"
_CARD_WORD = (
    r"\b(?:cards?|cc|credit|debit|visa|master ?card|maestro|amex|american express|diners|jcb|discover|unionpay"
    r"|[a-z]*karten?|cartes?|tarjetas?|cart(?:ão|ões)|carta di credito|[a-z]*kort|kart[aęyi]|карт[аыуе]|thẻ)\b"
    r"|银行卡|信用卡|借记卡|储蓄卡|卡号|銀行卡|卡號|カード番号|クレジットカード|카드"
)
# A catalogue has memory cards and an EAN: thirteen digits with an EAN's check digit need words for a payment.
_PAYMENT_WORD = (
    r"\b(?:credit|debit|visa|master ?card|maestro|amex|my|your|his|her|our|this|the|for|lost|stolen|block)\W{1,3}"
    r"(?:\w+ )?cards?\b"
    r"|\b(?:card (?:no|number|nr|num|#)|cc|visa|maestro|amex|kredit\w+|kartennummer|carte (?:bancaire|bleue|de crédit)"
    r"|tarjeta de|cartão de|carta di)|银行卡|信用卡|借记卡|储蓄卡|卡号|銀行卡|卡號|カード番号|クレジットカード|신용카드"
)
_CARD_WORDS, _PAYMENT_WORDS = re.compile(f"(?i){_CARD_WORD}"), re.compile(f"(?i){_PAYMENT_WORD}")
_NEAR = 30  # characters
_BOOK_OR_GOODS = re.compile(r"(?i)(?:\b(?:isbn|ean|upc|gtin|imei|sku)|条码|货号)\W{0,3}$")
_ISSUERS: tuple[tuple[int, int, range], ...] = (  # first six digits from, to; lengths. ISO/IEC 7812
    (400000, 499999, range(16, 20)),  # Visa
    (510000, 559999, range(16, 17)),  # Mastercard
    (222100, 272099, range(16, 17)),
    (340000, 349999, range(15, 16)),  # American Express
    (370000, 379999, range(15, 16)),
    (601100, 601199, range(16, 20)),  # Discover
    (644000, 659999, range(16, 20)),
    (352800, 358999, range(16, 20)),  # JCB
    (300000, 305999, range(14, 15)),  # Diners Club
    (360000, 369999, range(14, 15)),
    (380000, 399999, range(14, 15)),
    (620000, 629999, range(16, 20)),  # UnionPay
)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_card(number: str) -> bool:
    """Whether a number of 14 to 19 digits is a payment card's: Luhn, issuer and length; no GTIN-14."""
    digits = _digits(number)
    issued = any(low <= int(digits[:6]) <= high and len(digits) in lengths for low, high, lengths in _ISSUERS)
    return issued and luhn(digits) and not (len(number) == 14 and is_gtin(digits))


def is_gtin(digits: str) -> bool:
    """Whether the last digit is a trade item's check digit (EAN, UPC, ISBN-13, GTIN-14: GS1, mod 10)."""
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits))) % 10 == 0


def _is_card(match: re.Match[str]) -> bool:
    if match["shaped"] and is_card(match[0]):
        return True
    digits = _digits(match[0])
    before = max(0, match.start() - _NEAR), match.start()
    named = len(digits) in (range(15, 16) if digits[0] == "1" else range(12, 20)) and len(set(digits)) > 1
    if not named or not luhn(digits) or _BOOK_OR_GOODS.search(match.string, *before):
        return False
    words = _PAYMENT_WORDS if len(digits) <= 14 and is_gtin(digits) else _CARD_WORDS
    return bool(words.search(match.string, *before))


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


BANK_CARD = Pattern(
    many_digits=True,
    mark="[CARD]",
    gate=f"{apart(_CARD_GATE)}|(?is:(?:{_CARD_WORD}).*?{_NAMED_CARD})",
    regex=re.compile(
        rf"(?<![A-Za-z0-9])(?<![A-Za-z0-9][-./+,])(?:(?P<shaped>{_CARD})|{_NAMED_CARD})(?![A-Za-z0-9]|[-./,][0-9])"
    ),
    check=_is_card,
)

# --- bank accounts ----------------------------------------------------------------------------------------
_LENGTHS = {  # of an IBAN by country: SWIFT's IBAN registry
    15: "NO", 16: "BE", 18: "DK FI FO GL NL SD FK", 19: "MK SI", 20: "AT BA EE KZ LT LU XK MN", 21: "CH CR HR LI LV",
    22: "BG BH DE GB GE IE ME RS", 23: "AE GI IL IQ TL OM SO", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_BY_LENGTH = "|".join(
    rf"(?:{'|'.join(countries.split())})[0-9]{{2}}(?:[ -]?[A-Z0-9]){{{length - 4}}}"
    for length, countries in _LENGTHS.items()
)


def is_iban(number: str) -> bool:
    """Whether an account number's two check digits hold (ISO 13616: mod 97 is 1)."""
    plain = number.replace(" ", "").replace("-", "").upper()
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def _is_iban(match: re.Match[str]) -> bool:
    return is_iban(match[0]) and bool(match[0].isupper() or _IN_FOURS.fullmatch(match[0]))


_IN_FOURS = re.compile("[^ -]{4}(?:[ -]?[^ -]{4})*(?:[ -]?[^ -]{1,3})?")
IBAN = Pattern(
    mark="[IBAN]",
    gate=rf"(?i)(?:^|[^A-Z0-9])(?:{'|'.join(' '.join(_LENGTHS.values()).split())})[0-9]{{2}}(?:[ -]?[A-Z0-9]){{11}}",
    regex=re.compile(rf"(?i)(?<![A-Z0-9])(?:{_BY_LENGTH})(?![A-Z0-9])", re.ASCII),
    check=_is_iban,
)
