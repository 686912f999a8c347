"""Where a person or a machine can be reached: e-mail addresses, network addresses, passwords in URLs."""

import ipaddress
import re
import unicodedata
from dataclasses import replace
from functools import partial

from pipeline.data.clean.masks.pattern import JOINED, Pattern

# Letters of scripts that set blanks between words may stand anywhere in an address. Chinese and its likes set none: the
# words before an address would go with it, so their letters count only where no other letter is before the @.
# Vowels of Indic scripts and points of Semitic ones: parts of words, and no \w.
_MARK_CODES = [code for code in range(0x300, 0x2000) if unicodedata.category(chr(code)).startswith("M")]
_MARKS = "".join(
    f"{chr(low)}-{chr(high)}"
    for low, high in zip(
        (code for code in _MARK_CODES if code - 1 not in _MARK_CODES),
        (code for code in _MARK_CODES if code + 1 not in _MARK_CODES),
        strict=True,
    )
)
_LETTER = rf"[^\W_{JOINED}]|[{_MARKS}]"
_LOCAL = rf"{_LETTER}|[._%+-]"
# Inside an address; but "email=" and its likes are before one.
_KEYS = "".join(rf"(?<!{key})" for key in ("mail", "user", "name", "login", "from", "addr", "address", "contact", "id"))
_INSIDE = rf"(?<={_LETTER})['‘’](?={_LETTER})|{_KEYS}(?<!\bto)(?<!\bcc)(?<!\bbcc)(?<={_LETTER})[=&#~](?={_LETTER})"
_TLD = (  # of scripts without blanks: the larger ones of IANA's root zone
    "公司|网络|網絡|网址|网站|中国|中國|香港|台湾|台灣|新加坡|澳門|在线|中文网|商城|商店|商标|集团|我爱你|政务|公益|机构|信息|企业|世界"
    "|みんな|コム|ストア|한국|닷컴|닷넷|ไทย|คอม"
)
_DOMAIN = (
    rf"(?:(?:[^\W_]|[{_MARKS}-]){{1,63}}\.){{1,8}}"
    rf"(?:xn--[a-z0-9-]{{2,59}}|(?!xn--)[a-z]{{2,24}}|{_TLD}|(?![a-z0-9])(?:{_LETTER}){{2,24}})"
)
# Parts of goods have an @, too: "icon@2x.png", "10W@8.ohm".
_FILE = re.compile(
    "png|jpe?g|gif|svg|webp|bmp|ico|tiff?|avif|heic|psd|pdf|css|js|ts|html?|json|xml|txt|md|csv|mp[34]|wav"
)
_DIGITS, _OF_DIGITS = (
    re.compile("[0-9]+x?"),
    re.compile(  # 163.com and its likes
        "com|net|org|cn|info|biz|cc|co|io|me|vip|top|xyz|ru|de|fr|nl|eu|uk|jp|kr|tw|hk|in|br"
    ),
)
_OF_TITLES = re.compile(
    r"com|net|org|edu|gov|mil|int|info|biz|name|pro|mobi|asia|coop|aero|museum|cat|xyz|online|site|website|shop|store"
    r"|club|top|vip|app|dev|cloud|tech|live|email|link|work|world|today|life|blog|art|design|agency|studio|space|fun|icu"
    r"|wang|ltd|group|company|media|news|network|systems|center|example|test|invalid|[a-z]{2}|xn--.+|[^a-z].*"
)


def _is_email(match: re.Match[str], *, title: bool) -> bool:
    *_, name, top = match[0].rpartition("@")[2].lower().split(".")
    if _FILE.fullmatch(top) or (_DIGITS.fullmatch(name) and not _OF_DIGITS.fullmatch(top)):
        return False
    return not title or bool(_OF_TITLES.fullmatch(top))


# Bounded repeats and a look-behind keep the pattern linear in the length of the text.
EMAIL = Pattern(
    mark="[EMAIL]",
    needs="@",
    gate=r"[^\s@]@[^\s@]+\.",
    regex=(
        rf"(?i)(?:(?<!{_LETTER})(?<![._%+-])(?:{_LOCAL}|{_INSIDE}){{1,64}}"
        rf"|(?<![\w{_MARKS}.%+-])[\w{_MARKS}.%+-]{{0,31}}[{JOINED}])@{_DOMAIN}(?!{_LETTER})"
    ),
    check=partial(_is_email, title=False),
)
EMAIL_IN_TITLES = replace(EMAIL, check=partial(_is_email, title=True))

_V4 = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_V6 = r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}"
_VERSION = re.compile(r"(?i)(?:\bv|version|release|firmware|build|\bfw|\bver|版本|固件)[.: ]{0,2}$")
_ADDRESS = re.compile(r"(?i)(?:\bips?|address|addr|host|server|dns|client|from|地址|//|@)\W{0,3}$")
_SHORT = 6  # digits: version numbers look like this, and 0.14% of all addresses


def _is_address(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return False
    before = match.string[max(0, match.start() - 12) : match.start()]
    if address.version == 4:
        short = sum(map(str.isdigit, match[0])) <= _SHORT
        if _VERSION.search(before) or (short and not _ADDRESS.search(before)):
            return False
    elif len(list(filter(None, match[0].split(":")))) < 3 or not any(map(str.isdigit, match[0])):  # add::bed
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or _names_nobody(address))


def _names_nobody(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address.version == net.version and address in net for net in _PRIVATE)


_PRIVATE = [  # RFC 1918, 3927, 4193, 4291: millions of machines share each; and network masks
    ipaddress.ip_network(net)
    for net in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "240.0.0.0/4",
        "0.0.0.0/8",
    )
]
IP = Pattern(
    mark="[IP]",
    gate=rf"{_V4}|[0-9A-Fa-f]:[0-9A-Fa-f]{{0,4}}:",
    regex=(rf"(?<![A-Za-z0-9:._-])(?:{_V4}|{_V6}(?!:))(?![A-Za-z0-9_]|[.-][A-Za-z0-9])"),
    check=_is_address,
)

_USER = r"[^\s/:\[\]]{1,128}:[^\s/@\[\]]{1,256}"
CREDENTIALS = Pattern(
    mark=r"\1[CREDENTIALS]@",
    needs="://",
    gate=r"[A-Za-z0-9+.-]://[^\s/]+@",
    regex=(rf"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{{0,20}}://){_USER}@"),
)
