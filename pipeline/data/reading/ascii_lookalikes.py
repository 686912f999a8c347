"""Encodings that write other scripts as ASCII, between marks of their own: ISO 2022, HZ, UTF-7 (RFC 1468, 1843, 2152).

Read as ASCII their letters come out as other ones, without any error.
"""

import re

from pipeline.common.errors import GraftError

_SHIFTED = (  # marks, and the encodings that have them: the narrowest first
    (
        (b"\x1b$B", b"\x1b$@", b"\x1b$(", b"\x1b$A", b"\x1b(J", b"\x1b(I"),
        ("iso2022_jp", "iso2022_jp_ext", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_2004"),
    ),
    ((b"\x1b$)C",), ("iso2022_kr",)),
    ((b"\x1b$)A", b"\x1b$)G", b"\x1b$)E"), ()),  # ISO-2022-CN
    ((b"~{",), ("hz",)),
)
_STRANGE = (b"\x1b", b"\x0e", b"~{")
_PLUS = re.compile(rb"\+([A-Za-z0-9+/]*)(-?)")
_WORD = re.compile(rb"[A-Z]?[a-z]*|[A-Z]*|[0-9]*")  # what follows a plus sign in plain ASCII, too
_DAMAGED = 0.1  # share of the letters
_SURELY = 0.95  # share of the plus signs


def is_plain(block: bytes) -> bool:
    """Whether nothing in some bytes looks like more than ASCII; UTF-7 is not told."""
    return block.isascii() and not any(mark in block for mark in _STRANGE)


def shifted(text: bytes) -> str | None:
    """ISO 2022 or HZ, if a text is in one of them.

    Raises:
        GraftError: it is ISO-2022-CN, which Python does not decode.
    """
    found = next((names for marks, names in _SHIFTED if any(mark in text for mark in marks)), None)
    if found is None or not text.isascii():
        return None
    if not found:
        raise GraftError("ISO-2022-CN, which Python cannot decode", help="iconv -f ISO-2022-CN -t UTF-8 FILE > NEW")
    damaged = {name: text.decode(name, "replace").count("\ufffd") for name in found}
    best = min(found, key=lambda name: damaged[name])
    letters = sum(character.isalpha() and not character.isascii() for character in text.decode(best, "replace"))
    return best if letters and damaged[best] <= _DAMAGED * letters else None


def is_utf7(text: bytes) -> bool:
    """Whether nearly every plus sign begins letters of UTF-7, and some of them begin nothing that ASCII has.

    Of random letters behind a plus sign few are whole UTF-16 units.
    """
    if not text.isascii():
        return False
    signs = [match for match in _PLUS.finditer(text) if match[0] != b"+-"]
    units = [match[0] for match in signs if _is_unit(match[0])]
    strange = {unit for unit in units if not _WORD.fullmatch(unit.strip(b"+-"))}
    return len(strange) > 1 and len(units) >= _SURELY * len(signs)


def is_ebcdic(text: bytes) -> bool:
    """Whether a text is EBCDIC, whose blank is 0x40: nearly all of it is ASCII's characters, in other places."""
    letters = text.decode("cp037")
    ascii_ = sum(" " <= character <= "~" or character in "\n\r\t\x85" for character in letters)
    return text.count(b"\x40") > text.count(b"\x20") and ascii_ >= _SURELY * len(letters)


def _is_unit(piece: bytes) -> bool:
    try:
        text = piece.decode("utf-7")
    except UnicodeDecodeError:
        return False
    return not text.isascii() and all(character.isprintable() or character.isspace() for character in text)
