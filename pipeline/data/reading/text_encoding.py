"""Which encoding a text file is in, and that it is text at all; refused when it cannot be told safely."""

import codecs
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.reading import source
from pipeline.data.reading.filespec import known_encoding
from pipeline.data.reading.limits import Limits

HEAD = 1 << 20  # bytes that are looked at
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_TEXT_CONTROLS = frozenset(b"\t\n\v\f\r\x1b")
_UNLIMITED = Limits(max_bytes=1 << 62)  # only the head is read
_STRAY = 0.01  # share of a file's bytes: so many NULs are damage, more of them halves of UTF-16 characters
_MARKS = (
    ((b"\x1b$B", b"\x1b$@", b"\x1b(J"), "iso2022_jp"),
    ((b"\x1b$)C",), "iso2022_kr"),
    ((b"~{",), "hz"),
)
_COMMON = (  # what catalogues come in; the order decides where nothing else does
    "cp1252", "cp1250", "cp1251", "shift_jis", "euc_jp", "euc_kr", "big5", "gb18030", "koi8_r", "cp1253", "cp1254",
    "cp1255", "cp1256", "cp1257", "cp874", "iso8859_2", "cp437", "mac_roman",
)  # fmt: skip
_OFFERED = 3  # encodings that a message offers
_PIECE, _LINE = 1 << 15, 60  # bytes that are compared, and of a line that is shown
_EXPORT = "export it as CSV or JSON lines"


def detect(path: Path, declared: str | None = None, compression: str | None = None) -> str:
    """Encoding of a text file: what the user declared, else utf-8, utf-16, gb18030 or one of ISO 2022.

    Others look too much like each other: Shift_JIS, EUC-KR, Big5, the ISO 8859s and Windows code pages are declared.

    Raises:
        GraftError: the file cannot be opened, is empty, is binary, or could be of several encodings; or
            Python does not know the declared one.
    """
    head, cut = _read(path, compression)
    stray = head.count(b"\0") <= _STRAY * len(head) and _is_utf8(_lines(head.replace(b"\0", b""), cut=cut))
    if declared is not None:
        if not known_encoding(declared):
            raise GraftError(f"{path}: {declared!r} is no encoding that Python knows", help="--set encoding=utf-8, say")
        return declared
    for bom, name in _BOMS:
        if head.startswith(bom) and not (name == "utf-16" and b"\0\0\0" in head[:8]):  # UTF-32
            return name
    if b"\0" in head and not stray:
        return _utf16(path, head)
    if sum(byte < 32 and byte not in _TEXT_CONTROLS for byte in head[:65536]) > 0.05 * len(head[:65536]):
        raise GraftError(f"{path}: a binary file: mostly control bytes", help=_EXPORT)
    lines = _lines(head, cut=cut)
    if shifted := _shifted(head):
        return shifted
    if stray or _is_utf8(lines):
        return "utf-8"
    if _is_chinese(lines):
        return "gb18030"
    likely = _likely(lines)
    raise GraftError(
        f"{path}: the encoding is neither UTF-8 nor UTF-16 nor, safely, GB18030",
        [f"as {name} a line reads: {line}" for name, line in likely.items()],
        help="name the one that reads right: --set encoding=NAME",
    )


def _read(path: Path, compression: str | None) -> tuple[bytes, bool]:
    with source.opened(path, compression, _UNLIMITED) as file:
        head, more = file.read(HEAD), file.read(1)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise GraftError(f"{path}: the file is empty")
    return head, bool(more)


def _utf16(path: Path, head: bytes) -> str:
    """NUL bytes are text only as halves of UTF-16 characters."""
    for name in ("utf-16-le", "utf-16-be"):
        try:
            text = head[: len(head) // 4 * 4].decode(name)
        except UnicodeDecodeError:
            continue
        if sum(character.isprintable() or character in "\t\r\n" for character in text) > 0.99 * len(text):
            return name
    raise GraftError(f"{path}: a binary file: it holds NUL bytes", help=_EXPORT)


def _lines(head: bytes, *, cut: bool) -> list[bytes]:
    return head.splitlines()[: -1 if cut else None]  # a character may be cut in two at the end


def _is_utf8(lines: Sequence[bytes]) -> bool:
    """A few lines may be damaged, those become rejects: at most half of the non-ASCII ones.

    Where none of these is UTF-8, however few they are, the file is in another encoding.
    """
    special = [line for line in lines if not line.isascii()]
    bad = sum(_decoded(line, "utf-8") is None for line in special)
    return bad <= 0.5 * len(special)


def _shifted(head: bytes) -> str | None:
    """An encoding that writes other scripts as ASCII, between marks of its own: ISO 2022 and HZ (RFC 1468, 1843)."""
    found = next((name for marks, name in _MARKS if any(mark in head for mark in marks)), None)
    if found is None or not head.isascii():
        return None
    text = head.decode(found, "replace")
    letters = sum(character.isalpha() and not character.isascii() for character in text)
    return found if letters and text.count("\ufffd") <= 0.1 * letters else None


def _likely(lines: Iterable[bytes]) -> dict[str, str]:
    """The likeliest encodings that decode all of some lines, each with one line as it reads in it."""
    import charset_normalizer  # 0.1 s: only for a file that is refused

    special = [line for line in lines if not line.isascii()]
    piece = b"\n".join(special)[:_PIECE].rpartition(b"\n")[0] or special[0][:_PIECE]
    shown = min(special[:100], key=lambda line: abs(len(line) - _LINE))
    matches = charset_normalizer.from_bytes(piece, cp_isolation=list(_COMMON), threshold=1.0)
    ranked = [name for match in matches for name in (match.encoding, *match.could_be_from_charset)]
    found: dict[str, str] = {}
    for name in dict.fromkeys([*ranked, *_COMMON]):
        text = _decoded(shown, name)
        if text is not None and _decoded(piece, name) is not None and text not in found.values():
            found[name] = text
    return {name: " ".join(text.split())[: 2 * _LINE] for name, text in list(found.items())[:_OFFERED]}


def _is_chinese(lines: Iterable[bytes]) -> bool:
    """Any bytes come close to some GB18030 text: only that of everyday characters is believed.

    GB 2312 has the 3,755 most frequent ones at lead bytes B0 to D7, by sound. Korean in EUC-KR keeps to B0 to C8,
    Cyrillic letters begin later, EUC-JP has kana; Big5 and Shift_JIS need second bytes that GB 2312 has not.
    """
    texts = [_decoded(line, "gb18030") for line in lines if not line.isascii()]
    found = [character for text in texts if text for character in text if not character.isascii()]
    leads = [_lead(character) for character in found if "\u4e00" <= character <= "\u9fff"]
    everyday = sum(0xB0 <= lead <= 0xD7 for lead in leads)
    late = sum(0xC9 <= lead <= 0xD7 for lead in leads)
    kana = any("\u3040" <= character <= "\u30ff" for character in found)
    return texts.count(None) <= 0.1 * len(texts) and not kana and everyday > 0.8 * len(found) and late > 0.1 * everyday


def _decoded(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def _lead(character: str) -> int:
    """First byte of a character in GB 2312; 0 for one that it has not."""
    try:
        return character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return 0
