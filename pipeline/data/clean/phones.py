"""Telephone numbers: spellings that nothing else has, and digits that a word near them makes a number to call.

Catalogues are full of digits that are no telephone: EANs, prices, sizes, part numbers. So digits without a mark of
their own (a country code, an area code in brackets, a Chinese area code) count only where a word such as "call" or
电话 is near. Prose has fewer part numbers than titles: there, more spellings count as marks, and a word may be farther.
"""

import re
from functools import partial

from pipeline.data.clean.numbers import is_gtin
from pipeline.data.clean.pattern import Pattern, apart, together

# --- spellings: RE2 reads them, too -------------------------------------------------------------------------
_COUNTRY = (
    "(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    "|(?:2[1-69]|3[578]|42|5[09]|6[789]|8[0578]|9[679])[0-9])"
)
_CHINESE_MOBILE = "1(?:3[0-9]|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"
_GROUP = r"\(?[0-9]{1,6}\)?"
_IN_TITLES = (
    rf"(?:\+\(?|\(\+){_COUNTRY}\)?(?:[ ./-]?{_GROUP}){{2,6}}",  # +44 20 7946 0958
    rf"00{_COUNTRY}(?:[ ./-]{_GROUP}){{3,5}}",  # 0044 20 7946 0958, 001-212-555-0142
    r"(?:1[ .-]?)?\([0-9]{3}\)[ -]?[0-9]{3}[ .-]?[0-9]{4}",  # (212) 555-0142
    r"\(0[0-9]{1,4}\)[ -]?(?:[0-9]{2,4}(?:[ -]?[0-9]{2,4}){1,3}|[0-9]{7,8})",  # (08) 9876 5432
    "0(?:10|2[0-57-9])[ -][2-8][0-9]{3}[ -]?[0-9]{4}",  # 010-8888 8888
    "0[3-9][0-9]{2}-[2-8][0-9]{2,3}[ -]?[0-9]{4}",  # 0755-8888 8888
    rf"(?:86[ -]?)?{_CHINESE_MOBILE}[ -][0-9]{{4}}[ -][0-9]{{4}}|86[ -]?{_CHINESE_MOBILE}[0-9]{{8}}",  # 138-1234-5678
)
_IN_PROSE = (
    "(?:1[ .-])?[2-9][0-9]{2}[.-][2-9][0-9]{2}[.-][0-9]{4}",  # 212-555-0142
    "[48]00-(?:[0-9]{3}-[0-9]{4}|[0-9]{4}-[0-9]{3})",  # a hotline
    r"\([1-9][0-9]{1,2}\)[ -]?[0-9]{3,5}[ -][0-9]{3,4}(?:[ -][0-9]{3})?",  # (11) 91234-5678
    "0[1-9][0-9]{0,3}(?:(?: [0-9]{2,5}){2,4}|-[0-9]{3,4}-[0-9]{3,4}|[ -][0-9]{6,8})",  # 0490 75 40 81
    r"0[1-9](?:\.[0-9]{2}){4}",  # 01.84.17.61.18
)
_LONG_GROUP = r"(?:\([0-9]{1,5}\)|[0-9]{2,9})"
_ANY = (
    rf"\+?(?:\([0-9]{{1,5}}\)|[0-9]{{1,5}})(?:(?: - |[ ./-]){_LONG_GROUP}|(?<=\)){_LONG_GROUP}){{1,5}}"  # 78 651 450
    r"|\+?[0-9]{7,13}"
)
_EXTENSION = r"(?:(?: ?(?:x|ext\.?|extension|转|轉|分机|分機|доб\.?) ?| ?# ?)[0-9]{1,6})?"
_SEVEN = r"[0-9](?:[ ./()-]{0,3}[0-9]){6}"
_DIGITS, _LONGEST = range(7, 16), 13  # E.164 allows 15; none in use has more than 13

# --- words ------------------------------------------------------------------------------------------------
# Nothing else is meant by these: they count at some distance.
_CONTACT = (
    "tels?|tél|t[ée]l[ée]phones?|telefon[a-z]{0,4}|telephon[a-z]{1,4}|teléfonos?|fax|telefax|hotline|helpline"
    "|toll[ -]free|whats ?app|wechat|viber|dial|rufnummer|handynummer|anruf[a-z]{0,2}|rufen sie|appelez|contactez"
    "|llame|llamar|llámanos|móvil|celular|telemóvel|ligue|cellulare|chiama|chiamate|zadzwoń|komórka|puhelin|telpon|hubungi"
    "|тел|телефон[а-я]{0,3}|факс|звоните|позвоните|моб|τηλ|τηλέφωνο|điện thoại|sđt"
    "|(?:phone|mobile|cell|contact) (?:no|number|nr)|(?:call|text|contact|reach|phone) (?:us|me|now)"
)
# The same in scripts that set no blanks between words; but no goods, such as 电话手表.
_CONTACT_JOINED = (
    "(?:电话|電話)(?!手表|手錶|机|機|线|線|卡|亭|费|費|本|座)|手机号|手機號|联系|聯繫|联络|聯絡|热线|熱線|致电|致電|拨打|撥打"
    "|(?:传真|傳真)(?!机|機|纸|紙)|微信(?!支付|公众|小程序)|咨询|諮詢|客服|来电|來電|短信|座机|座機|固话|携帯|連絡先"
    "|問い合わせ|전화|연락처|휴대폰|팩스|โทร|हॉटलाइन|फ़ोन|फोन|هاتف|جوال|تلفن|موبایل|טלפון|נייד"
)
# Catalogues sell these: in a title they count only right before the number.
_GOODS = "phones?|mobiles?|cell|call|text|contact|handy|mobil|portable|sms"
_GOODS_JOINED = "手机|手機|スマホ|핸드폰|모바일"
# In prose these speak of calls; in a title of anything.
_OF_PROSE = (
    f"{_GOODS}|phon(?:ed|ing)|call(?:s|ed|ing)|text(?:ed|ing)|contact(?:s|ed|ing)|reach(?:ed|ing)?|ring|rang|answering"
    "|messag(?:e|es|ed|ing)|voicemail|joindre|bel|bellen|ringa|(?:my|your|his|her|our|registered) number"
)
_LINES = "office|desk|direct|landline|mobile|cell|fax|phone|tel|büro|oficina"
_AFTER = "微信|同号|同號|联系|聯絡|(?:手机|手機|电话|電話)(?!\\w)"


def _word(words: str) -> str:
    return rf"(?<![^\W\d_])(?<!\[)(?:{words})(?![^\W\d_]|\])"


_NEAR = re.compile(rf"(?i){_word(_CONTACT)}|(?:{_CONTACT_JOINED})(?=.{{0,10}}$)")
_BEFORE_IN_PROSE = re.compile(
    rf"(?i){_word(f'{_CONTACT}|{_OF_PROSE}')}|{_CONTACT_JOINED}|{_GOODS_JOINED}|{_word(_LINES)}\W{{0,2}}:\s*$"
)
_LISTED = r"\[PHONE\](?: ?[,/;、，]| or| and|[和或])"  # a further number
_RIGHT_BEFORE = re.compile(
    rf"(?i)(?:(?<!mobile )(?<!cell )(?<![0-9][ -]){_word(_GOODS)}"
    rf"(?:[\s.]{{0,2}}\b(?:no|nr|number|num|at|on|to|us|me|now|is)\b)?"
    rf"|(?:{_GOODS_JOINED})(?:号码?|號碼?)?[为為是]?|{_LISTED})[^\w\[\]]{{0,3}}$"
)
_AFTER_IN_TITLES = re.compile(rf"(?i)[^\w\[\]]{{0,3}}(?:{_AFTER}|(?:tel|fax|whats ?app|wechat)\b)")
_AFTER_IN_PROSE = re.compile(rf"(?i)[^\w\[\]]{{0,3}}(?:{_AFTER}|(?:{_LINES}|whats ?app|wechat)\b)")
_ALONE = re.compile(rf"{_CHINESE_MOBILE}[0-9]{{8}}")  # the answer to a question
# Right before a number they say that it is something else.
_NAMES_A_THING = re.compile(
    r"(?i)(?:isbn|issn|ean|upc|gtin|asin|sku|imei|serial|model|part|item|art|article|artikel|order|invoice|ref|reference"
    r"|case|ticket|account|acct|tracking|id|uid|qq|pin|zip|plz|version|ver|patent|doi|bestell\w*|code|货号|型号|条码"
    r"|编号|订单号?|单号|款号|邮编|编码|批号|专利号?|[$€£¥₹]|rs|usd|eur|rmb|￥)"
    r"(?:\W{0,3}\b(?:no|nr|number|num|code|is|号)\b)?[^\w\[\]]{0,3}$"
)
_UNIT = re.compile(
    r"(?i) ?(?:[%元块万亿円€£₹]|(?:years?|units?|people|users?|votes?|times|copies|shares|dollars|euros?|usd|eur|rmb"
    r"|yuan|seconds?|minutes?|hours?|days?|bytes|rows|records|items|tokens|lines|words|[mnu]?s|k?g|mg|ml|[mck]?m|mm|km|hz|k?w|v|mah|pcs|kb|mb|gb|tb)\b)"
)
_NO_PHONE = re.compile(
    r"(?:1[89]|20)\d\d([-./ ]?)(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"  # dates
    r"|(?:0?[1-9]|[12]\d|3[01])([-./ ])(?:0?[1-9]|[12]\d|3[01])\2(?:1[89]|20)\d\d"
    r"|(?:1[89]|20)\d\d(?: - |[-./ ])(?:1[89]|20)\d\d"  # years
    r"|\d{3}-\d\d-\d{4}"  # a Social Security number's shape
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # addresses and versions
    r"|(?!\d{3}\.\d{4}$)\d+\.\d+"  # decimals
    r"|\d{1,3}(?:[ .]000)+|\d0+"  # round numbers
)
_NEAR_IN_PROSE, _NEAR_IN_TITLES = 48, 24  # characters


def _is_phone(match: re.Match[str], *, marked: re.Pattern[str], prose: bool) -> bool:
    number = match["number"]
    digits = "".join(filter(str.isdigit, number))
    if len(digits) not in _DIGITS:
        return False
    text, start, end = match.string, match.start(), match.end()
    window = max(0, start - (_NEAR_IN_PROSE if prose else _NEAR_IN_TITLES)), start
    names_a_thing = _NAMES_A_THING.search(text, *window)
    if len(digits) > 8 and marked.fullmatch(number):
        return _is_diallable(number, digits) and (number[0] in "+(" or not names_a_thing)
    if names_a_thing or _is_something_else(number, digits) or _UNIT.match(text, end):
        return False
    if len(digits) > 8 and _RIGHT_BEFORE.search(text, *window):
        return True
    if prose:
        near = _BEFORE_IN_PROSE.search(text, *window) or _AFTER_IN_PROSE.match(text, end)
        return bool(near or _ALONE.fullmatch(text.strip()))
    return bool(_NEAR.search(text, *window) or _AFTER_IN_TITLES.match(text, end))


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


_LOOK_AHEAD = re.compile(r"\(\?![^)]*\)")
_ANYWHERE = _LOOK_AHEAD.sub("", f"{_CONTACT}|{_CONTACT_JOINED}|{_AFTER}")
_GATE_OF_TITLES = f"{together(_ANYWHERE, _SEVEN)}|(?i:{_GOODS}|{_GOODS_JOINED})[^0-9]{{0,16}}{_SEVEN}"
_GATE_OF_PROSE = (
    f"{together(f'{_ANYWHERE}|{_GOODS_JOINED}|{_OF_PROSE}|{_LINES}', _SEVEN)}"
    rf"|^\s*{_ALONE.pattern}\s*$"
)


def _phones(shapes: tuple[str, ...], gate: str, *, prose: bool) -> Pattern:
    marked = "|".join(shapes)
    return Pattern(
        mark="[PHONE]",
        many_digits=True,
        gate=f"{apart(f'(?:{marked}){_EXTENSION}')}|{gate}",
        regex=re.compile(
            r"(?i)(?:(?<![A-Za-z0-9])(?<![A-Za-z0-9][-./+,])|(?<=[A-Za-z])(?=\([0-9]{2,5}\)))"
            rf"(?P<number>{marked}|{_ANY}){_EXTENSION}(?![A-Za-z0-9]|[-./,:][0-9])"
        ),
        check=partial(_is_phone, marked=re.compile(marked), prose=prose),
    )


PHONE = _phones((*_IN_TITLES, *_IN_PROSE), _GATE_OF_PROSE, prose=True)
PHONE_IN_TITLES = _phones(_IN_TITLES, _GATE_OF_TITLES, prose=False)
