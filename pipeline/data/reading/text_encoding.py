"""Which encoding a text file is in, and that it is text at all; refused when it cannot be told safely."""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from pipeline.common.errors import GraftError
from pipeline.data.reading import ascii_lookalikes, likely_encodings, source
from pipeline.data.reading.filespec import known_encoding
from pipeline.data.reading.limits import Limits

HEAD = 1 << 20  # bytes that are looked at, and as many of lines that are not ASCII, wherever in the file
_BLOCK, _SPAN = 1 << 16, 1 << 9  # bytes that are searched at a time, and that are few
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_TEXT_CONTROLS = frozenset(b"\t\n\v\f\r\x1b")
_UNLIMITED = Limits(max_bytes=1 << 62)  # no more than _FAR is read
_FAR = Limits().max_bytes
_STRAY = 0.01  # share of a file's bytes: so many NULs are damage, more of them halves of UTF-16 characters
_DAMAGED = 0.5  # share of a UTF-8 file's non-ASCII lines, or characters, that may be damaged
_FAMILY = 6  # letters of a name: iso2022_jp and iso2022_jp_2 are alike
_EVIDENCE = 8  # letters of UTF-8 that are no accident
_ENDS = ("’", "”", "‘", "…", "–", "—", "»", "›", "º", "°", "š", "œ", "ž")  # what may follow a letter in cp1252
_EXPORT = "export it as CSV or JSON lines"


def detect(path: Path, declared: str | None = None, compression: str | None = None) -> str:
    """Encoding of a text file: what the user declared, else utf-8, -16, -32, gb18030 or one that looks like ASCII.

    Others look too much like each other: Shift_JIS, EUC-KR, Big5, the ISO 8859s and Windows code pages are declared.

    Raises:
        GraftError: the file cannot be opened, is empty, is binary, or could be of several encodings; or
            Python does not know the declared one.
    """
    head = _head(path, compression)
    if declared is not None:
        if not known_encoding(declared):
            raise GraftError(f"{path}: {declared!r} is no encoding that Python knows", help="--set encoding=utf-8, say")
        return declared
    if marked := _marked(head):
        return marked
    lines = _unusual(path, compression)
    if told := _wide(path, head, lines) or _shifted(path, head, lines):
        return told
    if _is_utf8(lines):
        return "utf-8"
    if _is_chinese(lines):
        return "gb18030"
    if ascii_lookalikes.is_ebcdic(head):
        raise GraftError(
            f"{path}: EBCDIC, as mainframes write it",
            help=rf"convert it: iconv -f IBM037 -t UTF-8 {path.name} | sed 's/\xc2\x85/\n/g' > NEW",
        )
    raise GraftError(
        f"{path}: the encoding is neither UTF-8 nor UTF-16 nor, safely, GB18030",
        [f"as {name} a line reads: {line}" for name, line in likely_encodings.offered(_special(lines)).items()],
        help="name the one that reads right: --set encoding=NAME",
    )


def is_certainly_not(path: Path, other: str) -> bool:
    """Whether a file of a drop itself says that it is in no such encoding as was named for the others.

    Beside encodings of single bytes all that is told is certain. Text of two bytes may be UTF-8 by accident, of a few
    letters, or look like GB18030.

    Raises:
        GraftError: the file's encoding cannot be told.
    """
    compression = source.compression_of(path)
    found = detect(path, None, compression)
    if not known_encoding(other) or codecs.lookup(found).name[:_FAMILY] == codecs.lookup(other).name[:_FAMILY]:
        return False
    single = len(bytes(range(256)).decode(other, "replace")) == 256
    if found == "gb18030":
        return single
    if found != "utf-8" or _marked(_head(path, compression)):
        return True
    texts = [_decoded(line, "utf-8") for line in _special(_unusual(path, compression))]
    letters = sum(not character.isascii() for text in texts if text for character in text)
    return letters >= (1 if single else _EVIDENCE) and (single or None not in texts)


def is_surely_utf8(path: Path) -> bool:
    """Whether a file is UTF-8 and more than ASCII."""
    special = _special(_unusual(path, source.compression_of(path)))
    return bool(special) and _is_utf8(special)


def is_ascii_but_for_few(path: Path) -> bool:
    """Whether no more lines of a file than damage explains are other than ASCII and UTF-8."""
    compression = source.compression_of(path)
    with source.opened(path, compression, _UNLIMITED) as file:
        count = sum(block.count(b"\n") for block in _blocks(file))
    damaged = [line for line in _special(_unusual(path, compression)) if _decoded(line, "utf-8") is None]
    return len(damaged) <= max(1, _STRAY * count)


def _marked(head: bytes) -> str | None:
    return next((name for bom, name in _BOMS if head.startswith(bom)), None)


def _head(path: Path, compression: str | None) -> bytes:
    with source.opened(path, compression, _UNLIMITED) as file:
        head = file.read(HEAD)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise GraftError(f"{path}: the file is empty")
    return head


def _unusual(path: Path, compression: str | None) -> list[bytes]:
    """Lines that are more than ASCII, from the whole file, without NULs: one language's may begin anywhere."""
    found: list[bytes] = []
    size = 0
    with source.opened(path, compression, _UNLIMITED) as file:
        for block in _blocks(file):
            more = [line.replace(b"\0", b"") for line in _unusual_of(block)]
            size += sum(map(len, more))
            found += more
            if size >= HEAD:
                break
    return found


def _unusual_of(block: bytes) -> Iterator[bytes]:
    """The lines of a block that are more than ASCII, found by halves: mostly they are few."""
    if ascii_lookalikes.is_plain(block):
        return
    middle = block.find(b"\n", len(block) // 2) + 1
    if len(block) <= _SPAN or middle in (0, len(block)):
        yield from (line for line in block.splitlines() if not ascii_lookalikes.is_plain(line))
    else:
        yield from _unusual_of(block[:middle])
        yield from _unusual_of(block[middle:])


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """A file's bytes in blocks that end with a line, or at least not within a character."""
    rest, read = b"", 0
    while (block := file.read(_BLOCK)) and read < _FAR:
        read += len(block)
        block = rest + block
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        end = end if end >= 0 else max(block.rfind(b" "), block.rfind(b","))  # no second byte of any character
        end = end + 1 or len(block)
        yield block[:end]
        rest = block[end:]
    yield rest


def _wide(path: Path, head: bytes, lines: Sequence[bytes]) -> str | None:
    """UTF-16 or UTF-32 without a mark: many NUL bytes are text only as parts of their characters."""
    few = head.count(b"\0") <= _STRAY * len(head)
    if b"\0" not in head or (few and _is_utf8(lines)):
        return None
    for name in _WIDE:
        try:
            text = codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        if sum(character.isprintable() or character in "\t\r\n" for character in text) > 0.99 * len(text):
            return name
    if few:
        return None
    raise GraftError(f"{path}: a binary file: it holds NUL bytes", help=_EXPORT)


def _shifted(path: Path, head: bytes, lines: Sequence[bytes]) -> str | None:
    """An encoding that looks like ASCII; all others have few control bytes."""
    try:
        if shifted := ascii_lookalikes.shifted(b"\n".join(lines)):
            return shifted
    except GraftError as error:
        raise GraftError(f"{path}: {error.message}", help=error.help) from None
    if sum(byte < 32 and byte not in _TEXT_CONTROLS for byte in head[:65536]) > 0.05 * len(head[:65536]):
        raise GraftError(f"{path}: a binary file: mostly control bytes", help=_EXPORT)
    return "utf-7" if not lines and ascii_lookalikes.is_utf7(head) else None


def _special(lines: Iterable[bytes]) -> list[bytes]:
    return [line for line in lines if not line.isascii()]


def _is_utf8(lines: Sequence[bytes]) -> bool:
    """Some lines may be damaged, those become rejects: half of the non-ASCII ones, or a character of two.

    Where none of these is UTF-8, however few they are, the file is in another encoding; unless all that is wrong are
    characters cut off, such as text that a program shortened by bytes.
    """
    special = _special(lines)
    damaged = [line for line in special if _decoded(line, "utf-8") is None]
    if len(damaged) <= _DAMAGED * len(special):
        return True
    pieces = [piece for line in damaged for piece in _wrong(line)]
    letters = sum(not character.isascii() for line in special for character in line.decode("utf-8", "ignore"))
    return len(pieces) <= _DAMAGED * letters or all(map(_is_cut, pieces))


def _wrong(line: bytes) -> Iterator[bytes]:
    """The bytes of a line that are not UTF-8: each beginning of a character, and each other byte."""
    while line:
        try:
            line.decode("utf-8")
            return
        except UnicodeDecodeError as error:
            yield line[error.start : error.end]
            line = line[error.end :]


def _is_cut(piece: bytes) -> bool:
    """Whether some bytes are more likely the beginning of a UTF-8 character than, say, a letter and a quote."""
    second = piece[1:2].decode("cp1252", "ignore")
    return len(piece) > 1 and second not in _ENDS


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
