"""Shares of letters, digits and signs, and of scripts, counted for a whole batch of texts at once."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
_NAMES = {"Han": ("CJK", "KANGXI"), "Hangul": ("HANGUL", "HALFWIDTH HANGUL")}  # whose characters bear other names
_BLANK, _LETTER, _DIGIT, _SIGN, _WANTED = range(5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """One value a text: of its characters that are no blanks; `wanted`, of its letters. Of nothing: 0, and 1."""

    letters: Floats
    digits: Floats
    signs: Floats
    wanted: Floats


def shares(values: pa.Array, scripts: Sequence[str]) -> Shares:
    """Shares of the classes of characters in every text; null counts as empty.

    Args:
        values: strings.
        scripts: those whose letters are `wanted`, such as ("Latin", "Han").
    """
    texts = pc.fill_null(values, "")
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    points = np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le"), dtype="<u4")
    classes = _classes(points, tuple(scripts))
    ends = np.cumsum(lengths)

    def count(which: int) -> Floats:
        sums = np.concatenate([[0], np.cumsum(classes == which)])
        counted: Floats = (sums[ends] - sums[ends - lengths]).astype(float)
        return counted

    wanted, digits, signs = count(_WANTED), count(_DIGIT), count(_SIGN)
    letters = count(_LETTER) + wanted
    some, any_letters = np.maximum(letters + digits + signs, 1), np.maximum(letters, 1)
    return Shares(
        letters=letters / some,
        digits=digits / some,
        signs=signs / some,
        wanted=np.where(letters > 0, wanted / any_letters, 1.0),
    )


def _classes(points: npt.NDArray[np.uint32], scripts: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    seen = np.zeros(0x110000, dtype=bool)
    seen[points] = True
    table = np.zeros(0x110000, dtype=np.uint8)
    for point in np.flatnonzero(seen).tolist():
        table[point] = _class(chr(point), scripts)
    return table[points]


@cache
def _class(character: str, scripts: tuple[str, ...]) -> int:
    kind = unicodedata.category(character)[0]
    if kind in "LM":
        return _WANTED if any(_is_of(character, script) for script in scripts) else _LETTER
    return _DIGIT if kind == "N" else _BLANK if kind in "ZC" else _SIGN


def _is_of(character: str, script: str) -> bool:
    name = unicodedata.name(character, "").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
    return name.startswith(_NAMES.get(script, (script.upper(),)))
