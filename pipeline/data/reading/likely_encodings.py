"""Which encodings a text may be in, likeliest first: those in which its letters are those of one language.

A letter counts by the language that covers most of its line; one that stands where no language puts it, such as a
capital inside a word, another script's letter, or a sign between letters, counts nothing.
"""

import re
import unicodedata
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence

COMMON = (  # what catalogues come in; the order decides where nothing else does
    "cp1252", "cp1250", "cp1251", "shift_jis", "euc_kr", "euc_jp", "big5", "gb18030", "koi8_r", "cp1253", "cp1254",
    "cp1255", "cp1256", "cp1257", "cp874", "iso8859_2", "iso8859_5", "cp850", "cp852", "cp866", "cp437", "mac_roman",
)  # fmt: skip
_OFFERED = 3
_LINE = 60  # bytes of a line that is shown
_PIECE = re.compile(rb".{1,100}[^ ,]*[ ,]?", re.DOTALL)  # of a long line: no character holds a space or comma
_OFTEN = 8  # lines that have one byte: so are those compared that are unlike most
_USUAL_SIGN, _SIGN, _RARE = 0.9, 0.5, 0.5  # what a sign of the usual ones, another sign, and a rare letter count
_USUAL_SIGNS = "“”„‘’–—…€£°®™«»·•¿¡×½¼²"
_ALPHABETS = (  # letters of a language outside ASCII, the frequent ones first; the rare ones after a space
    "äöüß", "éèàêçùâîôûëïœ æÿü", "ñáéíóú ü", "ãçáéíóúâêôõà", "àèéìòù", "äöå é", "æøå é", "áéíóúýþæöð", "ëéïö",
    "àèéíòóçúï ü", "ąćęłńóśźż", "ěščřžýáíéůúťďň ó", "áäčďéíľňóôšťúýž ĺŕ", "áéíóöőúüű", "ăâîşţșț", "čćđšž",
    "şığçöüİ âîû", "ąčęėįšųūž", "āčēģīķļņšūž", "äõöü šž",
    "оеаинтсрвлкмдп уяыьгзбчйхжшюцщэфъё", "оаинвтесрілкдум пягзбхйїєжчшьюцфщґ", "αοιετσςνηυρπκλμό ωδγχθβφξζψάέήίύώϊϋΐ",
    "יוהלאמרתבשנדחקעפטסצגכםן זךףץ", "اليمنورتبهةعدسفكقحجشصط خضذزثغظىأإآءئؤ",
    "านรอกเงยลดมสวตทปคขหพบชแไ่้ิีั็์ุูะโใจซำ ฃฅฆฉฌญฎฏฐฑฒณถธนฝฟภฤฦศษฬฮฯๆ",
)  # fmt: skip
_SCRIPTS = (0x370, 0x400, 0x530, 0x590, 0x600, 0x700, 0xE00, 0xE80, 0x2000)  # where a script begins, up to Thai
_BLOCKS = (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("euc_jp", 0xB0, 0xCF), ("euc_kr", 0xB0, 0xC8))  # everyday


_ENDS, _BEGINS = "ךםןףץς", "เแโใไ"  # letters that end a word; vowels before a letter


def offered(lines: Sequence[bytes]) -> dict[str, str]:
    """The likeliest encodings of some lines that are not ASCII, each with a line in which they differ."""
    lines = _sample(piece for line in lines for piece in _PIECE.findall(line) if not piece.isascii())
    texts: dict[str, tuple[str | None, ...]] = {}
    for name in COMMON:
        read = tuple(_decoded(line, name) for line in lines)
        if any(read) and read not in texts.values():
            texts[name] = read
    scores = {name: round(_score(read), 3) for name, read in texts.items()}
    best = sorted(scores, key=lambda name: (-scores[name], COMMON.index(name)))[:_OFFERED]
    differ = [len({texts[name][place] for name in best}) for place in range(len(lines))]
    shown = min(range(len(lines)), key=lambda place: (-differ[place], abs(len(lines[place]) - _LINE)))
    return {name: " ".join(lines[shown].decode(name, "replace").split())[: 2 * _LINE] for name in best}


def _sample(lines: Iterable[bytes]) -> list[bytes]:
    """Lines that between them have every byte outside ASCII, a few times each."""
    seen: Counter[int] = Counter()
    found = []
    for line in lines:
        special = {byte for byte in line if byte > 127}
        if any(seen[byte] < _OFTEN for byte in special):
            seen.update(special)
            found.append(line)
    return found


def _decoded(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def _score(read: Sequence[str | None]) -> float:
    """How well some lines read, from 0 to 1; those that cannot be decoded count nothing."""
    return sum(_line_score(text) for text in read if text is not None) / len(read)


def _line_score(text: str) -> float:
    points: Counter[int] = Counter()
    signs, total = 0.0, 0
    for place, character in enumerate(text):
        if character.isascii():
            continue
        total += 1
        before, after = text[max(0, place - 1) : place], text[place + 1 : place + 2]
        if unicodedata.category(character)[0] in "LM":
            if not (_clash(before, character) or _clash(character, after) or _is_alone(before, character, after)):
                points.update(_WEIGHTS.get(character) or _everyday(character))
        elif character.isprintable() and not (before.isalpha() and after.isalpha() and character != "’"):
            signs += _USUAL_SIGN if character in _USUAL_SIGNS else _SIGN
    return (max(points.values(), default=0.0) + signs) / max(1, total)


def _is_alone(before: str, character: str, after: str) -> bool:
    """Whether a character of East Asia stands inside a word of ASCII letters."""
    return character >= "\u2e80" and all(beside.isascii() and beside.isalpha() for beside in (before, after))


def _clash(left: str, right: str) -> bool:
    """Whether no word has two neighbours: a capital behind a small letter, letters of two scripts."""
    if _is_mark(right):
        return not (left.isalpha() or _is_mark(left)) or left in _BEGINS
    if not (left.isalpha() and right.isalpha()):
        return False
    if left in _ENDS:
        return True
    scripts = bisect(_SCRIPTS, ord(left)), bisect(_SCRIPTS, ord(right))
    return (left.islower() and right.isupper()) or (scripts[0] != scripts[1] and len(_SCRIPTS) not in scripts)


def _is_mark(character: str) -> bool:
    """Whether it stands above or below the letter before it."""
    return character != "" and unicodedata.category(character) == "Mn"


def _everyday(character: str) -> dict[int, float]:
    """The scripts of East Asia in which a character is among the frequent ones."""
    if "\u3041" <= character <= "\u30ff" or "\uff66" <= character <= "\uff9d":
        return {len(_ALPHABETS) + 2: 1.0}
    found = {}
    for number, (codec, first, last) in enumerate(_BLOCKS):
        try:
            lead = character.encode(codec)[0]
        except UnicodeEncodeError:
            continue
        if first <= lead <= last:
            found[len(_ALPHABETS) + number] = 1.0
    return found


def _weights() -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for number, alphabet in enumerate(_ALPHABETS):
        frequent, _, rare = alphabet.partition(" ")
        for letters, weight in ((frequent, 1.0), (rare, _RARE)):
            for letter in (*letters, *letters.upper()):
                found.setdefault(letter, {})[number] = weight
    return found


_WEIGHTS = _weights()
