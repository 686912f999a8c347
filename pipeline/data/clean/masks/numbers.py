"""Numbers of bank cards and accounts.

Each needs its checksum and its issuer's ranges: catalogues are full of digits (EAN, ISBN, IMEI, part numbers) that
name a thing.
"""

import re
from dataclasses import replace
from functools import partial

from pipeline.data.clean.masks.pattern import Pattern, is_a_part, without_look_around

# --- bank cards -------------------------------------------------------------------------------------------
_SIGN = "[-./_,·•:|]"
_BETWEEN = f"(?: {{0,2}}{_SIGN} {{0,2}}| {{0,3}})"
_CARD = (
    rf"[4-6][0-9]{{16,18}}|62[0-9]{{2}}(?:{_BETWEEN}[0-9]{{4}}){{3}}{_BETWEEN}[0-9]{{3}}"
    rf"|[2-6][0-9]{{3}}(?:{_BETWEEN}[0-9]{{4}}){{3}}|3[47][0-9]{{2}}{_BETWEEN}[0-9]{{6}}{_BETWEEN}[0-9]{{5}}"
    rf"|3[0689][0-9]{{2}}{_BETWEEN}[0-9]{{6}}{_BETWEEN}[0-9]{{4}}"
)
# After a word for a card: Visa's old 13 digits, Maestro's 12 to 19, JCB's old 15, in any groups.
_NAMED_CARD = "(?:[2-6]|1800|2131)(?:[ ./_-]{0,3}[0-9]){11,18}"
# Behind a card: its date, its code, or another card, and no digits that belong to it.
_CARD_END = r"(?![0-9]|(?!exp|cv[vc]|valid)[A-Za-z]|[-.][0-9]|[/,:][0-9]{5,11}(?![0-9]))"
_CARD_WORD = (
    r"(?<![a-z])(?:cards?(?: ?n(?:umbe)?r)?|cc|credit|debit|visa|master ?card|maestro|amex|american express|diners|jcb"
    r"|discover|unionpay|[a-z]*karten?(?:n(?:umme)?r)?|cartes?|tarjetas?|cart(?:ão|ões)|carta di credito|[a-z]*kort"
    r"|kart[aęyi]|карт[аыуе]|thẻ)(?![^\W\d_])"
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
_JOINS = rf"(?i)(?:{_CARD_WORD}|\b(?:no|nr|num|number|pan))[ .]?(?:no|nr|num)?[-./:#]{{0,2}}$"
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


def _is_card(match: re.Match[str], *, title: bool) -> bool:
    if is_a_part(match, _JOINS):
        return False
    digits = _digits(match[0])
    before = max(0, match.start() - _NEAR), match.start()
    if match["shaped"] and is_card(match[0]) and not (title and _is_a_list(match[0])):
        return True
    named = len(digits) in (range(15, 16) if digits[0] == "1" else range(12, 20)) and len(set(digits)) > 1
    if not named or not luhn(digits) or _BOOK_OR_GOODS.search(match.string, *before):
        return False
    words = _PAYMENT_WORDS if len(digits) <= 14 and is_gtin(digits) else _CARD_WORDS
    return bool(words.search(match.string, *before))


def _is_a_list(number: str) -> bool:
    """Whether groups stand apart as models in a title do: "for 4000/4050/4100/4200"."""
    signs = {sign.strip() for sign in re.findall("[^0-9]+", number)}
    return len(signs) > 1 or bool(signs & set("/,:|"))


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


BANK_CARD = Pattern(
    many_digits=True,
    mark="[CARD]",
    gate=without_look_around(f"(?:^|[^0-9])(?:{_CARD})|(?is:(?:{_CARD_WORD}).*?{_NAMED_CARD})"),
    regex=(rf"(?i)(?<![0-9])(?:(?P<shaped>{_CARD})|{_NAMED_CARD}){_CARD_END}"),
    check=partial(_is_card, title=False),
)
BANK_CARD_IN_TITLES = replace(BANK_CARD, check=partial(_is_card, title=True))

# --- bank accounts ----------------------------------------------------------------------------------------
_LENGTHS = {  # of an IBAN by country: SWIFT's IBAN registry
    15: "NO", 16: "BE", 18: "DK FI FO GL NL SD FK", 19: "MK SI", 20: "AT BA EE KZ LT LU XK MN", 21: "CH CR HR LI LV",
    22: "BG BH DE GB GE IE ME RS", 23: "AE GI IL IQ TL OM SO", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_BY_LENGTH = "|".join(
    rf"(?:{'|'.join(countries.split())}) ?[0-9]{{2}}(?:[ ./_-]{{0,3}}[A-Z0-9]){{{length - 4}}}"
    for length, countries in _LENGTHS.items()
)


def is_iban(number: str) -> bool:
    """Whether an account number's two check digits hold (ISO 13616: mod 97 is 1)."""
    plain = "".join(filter(str.isalnum, number)).upper()
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def _is_iban(match: re.Match[str]) -> bool:
    number, text, start, end = match[0], match.string, match.start(), match.end()
    if not is_iban(number):
        return False
    if number[2] == " " and not _IBAN_BEFORE.search(text, max(0, start - 12), start):
        return False
    if _IN_FOURS.fullmatch(number):
        return number.isupper() or not _LETTER.match(text, end)
    return number.isupper() and bool(_IN_ANY_GROUPS.fullmatch(number)) and not _LETTER.match(text, end)


_IBAN_BEFORE = re.compile(r"(?i)iban\W{0,3}$")
_LETTER = re.compile("[A-Za-z]")
_IN_FOURS = re.compile("[A-Za-z]{2} ?[0-9]{2}(?:[ ./_-]{0,3}[A-Za-z0-9]{4})*(?:[ ./_-]{0,3}[A-Za-z0-9]{1,3})?")
_IN_ANY_GROUPS = re.compile("[A-Z0-9]+(?:[ -][A-Z0-9]+)*")
_COUNTRIES = "|".join(" ".join(_LENGTHS.values()).split())
_GATE = (
    rf"(?:^|[^A-Za-z0-9]|(?i:IBAN))(?:(?:{_COUNTRIES}) ?[0-9]{{2}}(?:[ -]?[A-Z0-9]){{11}}"
    rf"|(?i:(?:{_COUNTRIES}) ?[0-9]{{2}}(?:[ ./_-]{{0,3}}[A-Z0-9]{{4}}){{2}}[ ./_-]{{0,3}}[A-Z0-9]{{3}}))"
)
IBAN = Pattern(
    mark="[IBAN]",
    gate=_GATE,
    regex=(rf"(?ia)(?:(?<![A-Z0-9])|(?<=IBAN))(?:{_BY_LENGTH})(?![A-Z]{{0,20}}[0-9])"),
    check=_is_iban,
)
