"""How a text is changed, kind by kind: letters, words, blanks, width, and what stands behind it.

Chinese and Japanese are changed by characters, since no blanks part their words. A mark such as [PHONE], which stands
in place of a number, never changes.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from pipeline.common.draws import Draws

# Characters that count as words: Han, kana, their signs.
_CJK = "々〆\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_MARK = r"\[[A-Z]{2,11}\]"
_WORD = re.compile(rf"{_MARK}|[{_CJK}]|\s+|(?:(?!{_MARK})[^\s{_CJK}])+")
_KEYS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")  # each row half a key to the right of the one above
_STROKES = "abcdefghijklmnopqrstuvwxyz0123456789#*%@?"
_SIGNS = "!?*#~=-."
_JOINER = "\u200d"


def typos(text: str, strength: float, draws: Draws) -> str:
    """Letters hit beside their key, exchanged with the next one, left out, or twice."""
    letters = _letters(text)
    free = [place for place in _places(letters, text) if letters[place][0].isalpha()]
    known = set(free)
    for place in sorted(_some(free, strength, draws), reverse=True):
        letter, way = letters[place], draws.below(4)
        near = _beside(letter)
        if way == 0 and near:
            letters[place] = draws.one(near)
        elif way <= 1 and place + 1 in known:
            letters[place], letters[place + 1] = letters[place + 1], letter
        else:
            letters[place] = "" if way == 2 else letter + letter
    return "".join(letters)


def case(text: str, strength: float, draws: Draws) -> str:
    """Words in capitals, and words with capitals without them."""
    words = _words(text)
    cased = [place for place, word in enumerate(words) if _free(word) and word.upper() != word.lower()]
    for place in _some(cased, strength, draws):
        words[place] = words[place].upper() if words[place] == words[place].lower() else words[place].lower()
    return "".join(words)


def noise(text: str, strength: float, draws: Draws) -> str:
    """Characters that became others, went missing or came in, as of a poor scan."""
    letters = _letters(text)
    for place in _some(_places(letters, text), strength, draws):
        other = draws.one(_STROKES)
        letters[place] = draws.one((other, other + letters[place], ""))
    return "".join(letters)


def drop(text: str, strength: float, draws: Draws) -> str:
    """Words left out, of Chinese and Japanese characters; one stays at least."""
    words = _words(text)
    free = [place for place, word in enumerate(words) if _free(word)]
    gone = set(_some(free, strength, draws)[: len(free) - 1])
    kept = "".join(word for place, word in enumerate(words) if place not in gone)
    return re.sub(r"\s+", " ", kept).strip() if gone else text


def spacing(text: str, strength: float, draws: Draws) -> str:
    """Blanks gone between words, and blanks inside of words."""
    letters = _letters(text)
    free = set(_places(letters, text))
    blanks = [place for place, letter in enumerate(letters) if letter.isspace() and 0 < place < len(letters) - 1]
    inside = [place for place in free if place + 1 in free]
    ways = [places for places in (blanks, sorted(inside)) if places]
    for _ in range(max(1, round(strength * sum(map(_free, _words(text))))) if ways else 0):
        places = draws.one(ways)
        place = draws.one(places)
        letters[place] = "" if places is blanks else letters[place].rstrip() + " "
    return "".join(letters)


def width(text: str, strength: float, draws: Draws) -> str:
    """Words in full width, such as ＡＢＣ, or half width, such as ｶﾞ, in place of what they were."""
    words = _words(text)
    free = [place for place, word in enumerate(words) if _free(word) and _other_width(word) != word]
    for place in _some(free, strength, draws):
        words[place] = _other_width(words[place])
    return "".join(words)


def junk(text: str, strength: float, draws: Draws) -> str:
    """Codes and runs of signs behind the text, `strength` times as long as it."""
    added: list[str] = []
    while sum(map(len, added)) < math.ceil(strength * len(text)):
        many = 3 + draws.below(5)
        code = "".join(draws.one(_STROKES[:36]) for _ in range(many))
        added.append(draws.one((code, draws.one(_SIGNS) * many)))
    return " ".join([text, *added])


KINDS: Mapping[str, Callable[[str, float, Draws], str]] = {
    "typos": typos,
    "case": case,
    "noise": noise,
    "drop": drop,
    "spacing": spacing,
    "width": width,
    "junk": junk,
}


def _words(text: str) -> list[str]:
    """Words, single Chinese and Japanese characters, marks, and the blanks between: joined, they are the text."""
    return _WORD.findall(text)


def _free(word: str) -> bool:
    return not word.isspace() and not re.fullmatch(_MARK, word)


def _letters(text: str) -> list[str]:
    """Characters, each with the accents and signs that belong to it."""
    found: list[str] = []
    for character in text:
        joined = unicodedata.category(character)[0] == "M" or character == _JOINER
        if found and (joined or found[-1].endswith(_JOINER)):
            found[-1] += character
        else:
            found.append(character)
    return found


def _places(letters: Sequence[str], text: str) -> list[int]:
    """Places of the letters that may change: no blanks, and nothing of a mark."""
    fixed = {at for match in re.finditer(_MARK, text) for at in range(*match.span())}
    found, at = [], 0
    for place, letter in enumerate(letters):
        if not letter.isspace() and at not in fixed:
            found.append(place)
        at += len(letter)
    return found


def _some(places: Sequence[int], strength: float, draws: Draws) -> list[int]:
    """A share of the places, one at least, without repeats; none of none."""
    left = list(places)
    count = min(len(left), max(1, round(strength * len(left))))
    return [left.pop(draws.below(len(left))) for _ in range(count)]


def _beside(letter: str) -> list[str]:
    """The letters and digits of the keys around a letter's own, in its case."""
    for row, keys in enumerate(_KEYS):
        place = keys.find(letter.lower())
        if place >= 0:
            around = [(row, place - 1), (row, place + 1), (row - 1, place), (row - 1, place + 1)]
            around += [(row + 1, place - 1), (row + 1, place)]
            near = [_KEYS[r][p] for r, p in around if 0 <= r < len(_KEYS) and 0 <= p < len(_KEYS[r])]
            return [key.upper() if letter.isupper() else key for key in near if key.isalpha()]
    return []


def _other_width(word: str) -> str:
    return "".join(_TURNED.get(letter, letter) for letter in unicodedata.normalize("NFC", word))


def _turned() -> dict[str, str]:
    ascii_ = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}
    half = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFF9E)}
    voiced = {"\u3099": "ﾞ", "\u309a": "ﾟ"}
    made = {
        unicodedata.normalize("NFC", full + sign): short + mark
        for full, short in half.items()
        for sign, mark in voiced.items()
        if len(unicodedata.normalize("NFC", full + sign)) == 1
    }
    other = {short: full for full, short in (ascii_ | half).items()}
    return ascii_ | half | made | other


_TURNED = _turned()
