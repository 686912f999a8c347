"""Whether the words around digits say that one calls them, or that they are something else.

Expressions are compiled when a number is first found: most processes find none.
"""

import re

from pipeline.data.clean.masks.dialling import is_international
from pipeline.data.clean.masks.pattern import compiled, is_a_part
from pipeline.data.clean.masks.phone_words import (
    AFTER,
    AFTER_IN_PROSE,
    CONTACT,
    CONTACT_JOINED,
    GOODS,
    GOODS_JOINED,
    LETTER,
    LINES,
    NUMBER,
    NUMBER_JOINED,
    OF_PROSE,
    ONE_LETTER,
    word,
)

CHINESE_MOBILE = "1(?:3[0-9]|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"
MOBILE = re.compile(rf"(?:(?:00)?86)?{CHINESE_MOBILE}[0-9]{{8}}")
_NEAR_IN_PROSE, _NEAR_IN_TITLES, _AFTER = 48, 24, 12  # characters

_NEAR = rf"(?i){word(CONTACT)}|(?:{CONTACT_JOINED})(?=[^A-Za-z0-9]{{0,10}}$)"
_BEFORE_IN_PROSE = rf"(?i){word(f'{CONTACT}|{OF_PROSE}')}|{CONTACT_JOINED}|{GOODS_JOINED}|{word(LINES)}\W{{0,2}}:\s*$"
# A further number of a list: short ones only where nothing but a list is meant.
_LISTED = r"\[PHONE\](?: ?[,/;、，] ?| or | and |[和或])$"
_LISTED_CLOSELY = r"\[PHONE\](?: ?[/、] ?| or |[和或])$"
_RIGHT_BEFORE = (
    rf"(?i)(?:(?<!mobile )(?<!cell )(?<![0-9][ -])(?P<word>{word(GOODS)})"
    rf"(?P<sure>[\s.]{{0,2}}\b(?:no|nr|number|num|at|on|to|us|me|now|is)\b)?"
    rf"|(?:{GOODS_JOINED})(?P<joined>)(?P<sure_joined>(?:号码?|號碼?|번호)?[为為是]?))(?P<colon>[^\w\[\]]{{0,3}})$"
)
_NUMBER = (
    rf"(?i)(?:{word(NUMBER)}(?: (?:is|est|es|ist|é|è|jest|to|это))?"
    rf"|(?:{NUMBER_JOINED})(?:[为為是は은는]| من| है| ہے)?)[^\w\[\]]{{0,3}}$"
)
_ONE_LETTER = rf"(?i)(?<!\w)(?:{ONE_LETTER})\s?$"
# Words that a number may be joined to.
_JOINS = (
    rf"(?i)(?:{word(f'{CONTACT}|{GOODS}|{NUMBER}')}|(?<!\w)(?:{ONE_LETTER})|加v)"
    r"(?:[ .]?(?:no|nr|num))?[-./+]{0,2}$"
)
_AFTER_IN_TITLES = rf"(?i)[^\w\[\]]{{0,3}}(?:{AFTER})"
_AFTER_IN_PROSE = rf"(?i)[^\w\[\]]{{0,3}}(?:{AFTER_IN_PROSE}|(?:{LINES}|whats ?app|wechat)\b)"
# Right before a number they say that it is something else.
_NAMES_A_THING = (
    rf"(?i)(?:(?<!{LETTER})(?:isbn|issn|ean|upc|gtin|asin|sku|imei|serial|model|part|item|art|article|artikel|order"
    r"|invoice|ref|reference|case|ticket|account|acct|tracking|id|uid|qq|pin|zip|plz|version|ver|patent|doi|code|passport"
    r"|(?:artikel|auftrags?|bestell|konto|kunden|modell|rechnungs?|serien|steuer|vertrags?)[a-z]*|pedido|commande|facture"
    r"|заказ[а-я]*|паспорт[а-я]*|договор[а-я]*|инн|снилс|rs|usd|eur|rmb)|货号|型号|条码|编号|订单号?|单号|款号|邮编|编码|批号"
    r"|专利号?|学号|工号|账号|賬號|护照号?|税号|流水号|会员号|[$€£¥₹￥])"
    r"(?:\W{0,3}\b(?:no|nr|number|num|code|is|号)\b)?[^\w\[\]]{0,3}$"
)
_UNIT = (
    r"(?i) ?(?:[%元块万亿円€£₹人个次件吨户辆]"
    r"|(?:years?|units?|people|users?|votes?|times|copies|shares|dollars|euros?|usd|eur|rmb|yuan"
    r"|seconds?|minutes?|hours?|days?|bytes|rows|records|items|tokens|lines|words|[mnu]?s|k?g|mg|ml|[mck]?m|mm|km|hz|k?w"
    r"|v|mah|pcs|kb|mb|gb|tb)\b)"
)
_OPERATOR = r"[=*^×÷]\s?-?\s?$"


def _before(expression: str, match: re.Match[str], near: int = _NEAR_IN_PROSE) -> re.Match[str] | None:
    return compiled(expression).search(match.string, max(0, match.start() - near), match.start())


def _after(expression: str, match: re.Match[str]) -> re.Match[str] | None:
    return compiled(expression).match(match.string, match.end())


def names_a_thing(match: re.Match[str]) -> bool:
    """Whether a word right before a number says that it is something else, such as an order's."""
    return _before(_NAMES_A_THING, match) is not None


def is_counted(match: re.Match[str]) -> bool:
    """Whether a unit stands behind a number."""
    return _after(_UNIT, match) is not None


def is_computed(match: re.Match[str]) -> bool:
    """Whether a number is an operand or a result."""
    return _before(_OPERATOR, match) is not None


def is_of_a_word(match: re.Match[str]) -> bool:
    """Whether a number is the end of a name such as KX-12345678."""
    joined = match["number"][0] in "+(" and match.string[match.start() - 1 : match.start()].isalpha()
    return not joined and is_a_part(match, _JOINS)


def is_called(match: re.Match[str], digits: str, *, prose: bool) -> bool:
    """Whether a word near a number says that one calls it."""
    near = _NEAR_IN_PROSE if prose else _NEAR_IN_TITLES
    if not any(map(str.isalpha, match.string[max(0, match.start() - near) : match.end() + _AFTER])):
        return False  # only digits around: the searches below take longer
    if _before(_LISTED if len(digits) > 8 else _LISTED_CLOSELY, match):
        return True
    called = _may_be_called(match["number"], digits)
    if called and _before(_NUMBER, match, near):
        return True
    if prose:
        words = _before(_BEFORE_IN_PROSE, match) or _after(_AFTER_IN_PROSE, match)
        return bool(words or (called and _before(_ONE_LETTER, match)))
    if _before(_NEAR, match, near) or (MOBILE.fullmatch(digits) and _after(_AFTER_IN_TITLES, match)):
        return True
    goods = _before(_RIGHT_BEFORE, match, near)
    return goods is not None and _is_behind_goods(goods, match["number"], digits)


def _is_behind_goods(goods: re.Match[str], number: str, digits: str) -> bool:
    """Whether digits right behind "phone", 手机 or their likes are its number, and no item's."""
    if goods["sure"] or goods["sure_joined"] or set(goods["colon"]) & set(":："):
        return True
    ten = bool(goods["word"] and _OF_TEN_DIGITS.fullmatch(goods["word"]))
    return _may_be_called(number, digits, ten=ten, grouped=goods["joined"] is None)


def _may_be_called(number: str, digits: str, *, ten: bool = True, grouped: bool = True) -> bool:
    """Whether digits begin, or are set apart, as telephone numbers are and item numbers seldom."""
    if len(digits) > 8 and (_BEGINS.match(number) or MOBILE.fullmatch(digits) or _TRUNK.fullmatch(digits)):
        return True
    if ten and len(digits) in (9, 10):  # Europe's mobiles; North America, Colombia, India
        return digits[0] > "5" or (len(digits) == 10 and (digits[0] == "3" or (digits[0] > "1" and digits[3] > "1")))
    if not grouped:
        return False
    if len(digits) > 10 and is_international(digits):
        return True
    groups = re.findall("[0-9]+", number)
    return 8 < len(digits) < 12 and len(groups) > 2 and min(map(len, groups)) > 1


_OF_TEN_DIGITS = re.compile("(?i)phones?|cellphones?|ph|mobiles?|mob|cell|call|text|contact|sms|whats ?app")
_BEGINS = re.compile("[+(]|0[0-9]")
_TRUNK = re.compile("[48]00[0-9]{7}|8[3489][0-9]{9}")  # China's hotlines, Russia


# What RE2 looks for first.
_SEVEN = r"[0-9](?:[ ./()-]{0,3}[0-9]){6}"
_WORDS = "|".join((CONTACT, CONTACT_JOINED, GOODS, GOODS_JOINED, NUMBER, NUMBER_JOINED))
GATE_OF_TITLES = rf"(?is:(?:{_WORDS}).*?{_SEVEN}|{_SEVEN}[^0-9]{{0,3}}(?:{AFTER}))"
GATE_OF_PROSE = (
    rf"(?is:(?:{_WORDS}|{OF_PROSE}|{LINES}|{ONE_LETTER}).*?{_SEVEN}"
    rf"|{_SEVEN}.{{0,3}}(?:{AFTER_IN_PROSE}|{LINES}|whats ?app|wechat))"
)
