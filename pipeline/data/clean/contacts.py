"""Where a person or a machine can be reached: e-mail addresses, network addresses, passwords in URLs."""

import ipaddress
import re

from pipeline.data.clean.pattern import Pattern

# Letters of scripts that set blanks between words may stand anywhere in an address. Chinese and its likes set none: the
# words before an address would go with it, so their letters count only where no other letter is before the @.
_JOINED = "\u0e00-\u0eff\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_LETTER = rf"[^\W_{_JOINED}]"
_LOCAL = rf"(?:{_LETTER}|[._%+-])"
_TLD = (  # of other scripts: the larger ones of IANA's root zone
    "公司|网络|網絡|网址|网站|中国|中國|香港|台湾|台灣|新加坡|澳門|在线|中文网|商城|商店|商标|集团|我爱你|政务|公益|机构|信息|企业|世界"
    "|みんな|コム|ストア|한국|닷컴|닷넷|рф|рус|онлайн|сайт|орг|ком|дети|москва|укр|бел|срб|мкд|мон|қаз|бг|ευ|ελ|հայ|გე"
    "|ไทย|คอม|भारत|ভারত|இந்தியா|இலங்கை|مصر|السعودية|امارات|ایران|الاردن|المغرب|قطر|تونس|شبكة|موقع|كوم|ישראל"
)
_DOMAIN = rf"(?:(?:[^\W_]|-){{1,63}}\.){{1,8}}(?:[A-Za-z]{{2,24}}|xn--[A-Za-z0-9-]{{2,59}}|{_TLD})"
# Bounded repeats and a look-behind keep the pattern linear in the length of the text.
EMAIL = Pattern(
    mark="[EMAIL]",
    needs="@",
    gate=r"[^\s@]@[^\s@]+\.",
    regex=re.compile(
        rf"(?:(?<!{_LOCAL})(?:{_LOCAL}|(?<={_LETTER})'(?={_LETTER})){{1,64}}"
        rf"|(?<![\w.%+-])[\w.%+-]{{0,31}}[{_JOINED}])@{_DOMAIN}(?!{_LETTER})"
    ),
)

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
    regex=re.compile(rf"(?<![A-Za-z0-9:._-])(?:{_V4}|{_V6}(?!:))(?![A-Za-z0-9_]|[.-][A-Za-z0-9])"),
    check=_is_address,
)

_USER = r"[^\s/:\[\]]{1,128}:[^\s/@\[\]]{1,256}"
CREDENTIALS = Pattern(
    mark=r"\1[CREDENTIALS]@",
    needs="://",
    gate=r"[A-Za-z0-9+.-]://[^\s/]+@",
    regex=re.compile(rf"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{{0,20}}://){_USER}@"),
)
