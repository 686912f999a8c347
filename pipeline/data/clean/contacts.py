"""Where a person can be reached: e-mail addresses, telephone numbers, network addresses, passwords in URLs."""

import ipaddress
import re

from pipeline.data.clean.pattern import Pattern, apart

_MAIL = r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
# Bounded repeats and a look-behind keep the pattern linear in the length of the text.
EMAIL = Pattern(
    mark="[EMAIL]",
    needs="@",
    gate=r"[A-Za-z0-9._%+-]@[A-Za-z0-9-]+\.",
    regex=re.compile(rf"(?<![A-Za-z0-9._%+-]){_MAIL}(?![A-Za-z0-9])"),
)

# Catalogues are full of digits that are no telephone: EANs, prices, sizes, model numbers. So each
# alternative needs a mark of its own: a country code, a trunk zero, a Chinese mobile's shape, or 3-3-4 groups.
_NUMBER = (
    r"(?:\+|00)[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,5}\)?){2,5}"  # +44 20 7946 0958
    r"|(?:86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}"  # 13812345678
    r"|\(0[0-9]{1,4}\) ?[0-9]{3,4}[ -]?[0-9]{3,4}|0[0-9]{1,4}[ -][0-9]{3,4}[ -]?[0-9]{3,4}"  # 010-8888 8888
    r"|0[1-9][0-9]{8,9}"  # 02079460958
    r"|(?:\([0-9]{3}\) ?|[0-9]{3}-)[0-9]{3}-[0-9]{4}|[48]00-[0-9]{3,4}-[0-9]{3,4}"  # (212) 555-0123
)


def _is_phone(match: re.Match[str]) -> bool:
    return 8 <= sum(character.isdigit() for character in match[0]) <= 15  # E.164: at most 15


PHONE = Pattern(
    mark="[PHONE]",
    gate=apart(_NUMBER),
    regex=re.compile(rf"(?<![A-Za-z0-9])(?<![A-Za-z0-9][-./+,])(?:{_NUMBER})(?<!\))(?![A-Za-z0-9]|[-./,][0-9])"),
    check=_is_phone,
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
    return any(address.version == net.version and address in net for net in _LOCAL)


_LOCAL = [  # RFC 1918, 3927, 4193, 4291: millions of machines share each; and network masks
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
