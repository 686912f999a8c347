"""Sketches of texts: 64 bytes each, from which the similarity of two texts can be told.

A text's normal form (NFKC, lower case, punctuation and white space as one blank) is cut into shingles of 4
characters; 64 hash functions each keep the lowest hash of them, and of that 8 bits. The share of bytes in which
two sketches agree estimates the share of shingles that the texts have in common (Jaccard similarity).

Sources: Broder 1997 (MinHash); Li and König 2010, arXiv:0910.3349 (b-bit sketches).
Everything is computed on whole batches: a loop over texts would cost ten times as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NORMALISER = 1  # version of the normal form; another one cannot be compared with it
SHINGLE = 4  # characters
HASHES = 64
TEXTS = 10_000  # taken apart at a time
BLOCK = 1 << 17  # characters hashed at a time: the arrays then stay in the processor's cache
_PUNCTUATION = r"[\p{P}\p{Z}\p{C}\s]+"
# Tokens without a digit that name another product all the same: sizes and the usual marks of a model.
_SIZES = ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl")
_MODELS = ("mini", "plus", "pro", "max", "ultra", "lite", "ii", "iii", "iv", "vi", "vii", "viii")

# Shape legend: N = texts, C = characters of all texts, S = shingles of all texts, T = tokens of all texts.
Words = npt.NDArray[np.uint64]
_U64 = np.uint64


@dataclass(frozen=True, slots=True)
class Sketches:
    """What is compared of N texts."""

    bytes_NH: npt.NDArray[np.uint8]  # the sketches
    marks_N: Words  # hash of the tokens that hold digits, of sizes and model marks: near texts must share it

    @property
    def bands_N8(self) -> Words:
        """The sketches as 8 numbers each: near texts most likely share one at least."""
        return np.ascontiguousarray(self.bytes_NH).view("<u8")

    def of(self, places: npt.NDArray[np.int64]) -> "Sketches":
        """The sketches of some of the texts."""
        return Sketches(self.bytes_NH[places], self.marks_N[places])


def sketches(forms: pa.Array) -> Sketches:
    """Sketches of texts, given in normal form, in their order."""
    parts = []
    for first in range(0, len(forms), TEXTS):
        codes_C, starts_N = _codes(forms[first : first + TEXTS])
        parts += [
            _sketch(codes_C[starts_N[low] : starts_N[high]], starts_N[low : high + 1] - starts_N[low])
            for low, high in _blocks(starts_N)
        ]
    if not parts:
        return Sketches(np.zeros((0, HASHES), np.uint8), np.zeros(0, _U64))
    return Sketches(np.concatenate([part for part, _ in parts]), np.concatenate([part for _, part in parts]))


def normal_forms(texts: Sequence[str | None] | pa.Array | pa.ChunkedArray) -> pa.Array:
    """The texts in normal form; one of punctuation alone stays as it is."""
    whole = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.string())
    flat = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
    flat = pc.fill_null(flat.cast(pa.large_string()), "")
    plain = pc.utf8_lower(pc.utf8_normalize(flat, "NFKC"))
    plain = pc.utf8_trim(pc.replace_substring_regex(plain, _PUNCTUATION, " "), " ")
    return pc.if_else(pc.equal(plain, ""), flat, plain)


def agreement(one_NH: npt.NDArray[np.uint8], other_NH: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Estimated similarity of pairs of sketches, 0 to 1: chance agreement, 1 in 256, taken out."""
    same_N = np.count_nonzero(one_NH == other_NH, axis=1) / HASHES
    estimate_N: npt.NDArray[np.float64] = np.clip((same_N - 1 / 256) / (1 - 1 / 256), 0.0, 1.0)
    return estimate_N


def similarity(one: str, other: str) -> float:
    """Exact Jaccard similarity of two normal forms' shingles."""
    a, b = _shingles(one), _shingles(other)
    return len(a & b) / len(a | b)


def _shingles(form: str) -> set[str]:
    padded = form + "\0" * (SHINGLE - 1)
    return {padded[at : at + SHINGLE] for at in range(max(1, len(form)))}


def known_answers() -> list[str]:
    """Sketches of fixed texts as hex: another library or version that hashes otherwise is found by them."""
    texts = ["apple iPhone 8, 64GB", "蓝色 T恤 XL（男）", "Crème brûlée ½ ﬁne", "!?", ""]
    fixed = sketches(normal_forms(texts))
    return [
        row.tobytes().hex() + f"{mark:016x}" for row, mark in zip(fixed.bytes_NH, fixed.marks_N.tolist(), strict=True)
    ]


def _codes(forms: pa.Array) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """All characters one after the other, each text followed by as many zeros as make its end a shingle."""
    gap = "\0" * (SHINGLE - 1)
    forms = pc.if_else(pc.equal(forms, ""), "\0", forms)  # each text has a shingle
    joined = gap.join(forms.to_pylist()) + gap
    lengths_N = pc.utf8_length(forms).to_numpy(zero_copy_only=False).astype(np.int64) + len(gap)
    codes_C = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return codes_C, np.concatenate(([0], np.cumsum(lengths_N)))


def _blocks(starts_N: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges of texts whose characters together fill a block, or of one text that is longer."""
    ranges, low, count = [], 0, len(starts_N) - 1
    while low < count:
        high = max(low + 1, int(np.searchsorted(starts_N, starts_N[low] + BLOCK, side="right")) - 1)
        ranges.append((low, min(high, count)))
        low = min(high, count)
    return ranges


def _sketch(codes_C: npt.NDArray[np.uint32], starts_N: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint8], Words]:
    wide_C = codes_C.astype(_U64)
    hashes_S = np.zeros(len(wide_C), _U64)
    for place in range(SHINGLE):
        hashes_S *= _U64(0x100000001B3)
        hashes_S[: len(wide_C) - place] += wide_C[place:]
    lasts_N = starts_N[1:] - (SHINGLE - 1)  # the zeros behind a text begin no shingle of it
    keep_C = np.ones(len(wide_C), dtype=bool)
    for place in range(SHINGLE - 1):
        keep_C[lasts_N + place] = False
    mixed_S = mix(hashes_S[keep_C])
    firsts_N = np.concatenate(([0], np.cumsum(np.add.reduceat(keep_C, starts_N[:-1], dtype=np.int64))))[:-1]
    return _lowest(mixed_S, firsts_N), _marks(wide_C, starts_N)


def _lowest(mixed_S: Words, firsts_N: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    low_S = (mixed_S >> _U64(32)).astype(np.uint32)
    made_HN = np.empty((HASHES, len(firsts_N)), np.uint8)
    scratch_S = np.empty_like(low_S)
    for number, (factor, offset) in enumerate(_families()):
        np.multiply(low_S, factor, out=scratch_S)
        np.add(scratch_S, offset, out=scratch_S)
        lowest_N = np.minimum.reduceat(scratch_S, firsts_N)
        made_HN[number] = (lowest_N * np.uint32(0x9E3779B1)) >> np.uint32(24)
    return np.ascontiguousarray(made_HN.T)


@cache
def _families() -> list[tuple[np.uint32, np.uint32]]:
    """Odd factors and offsets, fixed for ever: sketches of years ago are compared with today's."""
    numbers = mix(np.arange(1, 2 * HASHES + 1, dtype=_U64) * _U64(0x9E3779B97F4A7C15)) >> _U64(32)
    words = numbers.astype(np.uint32)
    return [(words[2 * at] | np.uint32(1), words[2 * at + 1]) for at in range(HASHES)]


def _marks(wide_C: Words, starts_N: npt.NDArray[np.int64]) -> Words:
    """Sum of the hashes of each text's distinguishing tokens: their order does not count, their number does."""
    blank_C = (wide_C == 32) | (wide_C == 0) | (wide_C >= 0x2E80)  # Chinese has no blanks: 手机64gb is marked by 64gb
    begins_C = ~blank_C & np.concatenate(([True], blank_C[:-1]))
    (begins_T,) = np.nonzero(begins_C)
    if not len(begins_T):
        return np.zeros(len(starts_N) - 1, _U64)
    place_C = np.arange(len(wide_C)) - np.maximum.accumulate(np.where(begins_C, np.arange(len(wide_C)), 0))
    weighed_C = np.where(blank_C, _U64(0), wide_C * _powers()[place_C % len(_powers())])
    hashes_T = np.add.reduceat(weighed_C, begins_T)
    digit_C = (wide_C >= 48) & (wide_C <= 57)
    counts_T = np.add.reduceat(digit_C, begins_T, dtype=np.int64) > 0
    counts_T |= np.isin(hashes_T, _mark_hashes())
    mixed_T = np.where(counts_T, mix(hashes_T), _U64(0))
    sums_T = np.concatenate(([_U64(0)], np.cumsum(mixed_T)))  # differences are right modulo 2^64
    at_N = np.searchsorted(begins_T, starts_N)
    sums_N: Words = sums_T[at_N[1:]] - sums_T[at_N[:-1]]
    return sums_N


@cache
def _powers() -> Words:
    powers: Words = np.cumprod(np.full(4096, 0x100000001B3, dtype=_U64), dtype=_U64)
    return powers


@cache
def _mark_hashes() -> Words:
    return np.array(
        [
            np.sum(np.frombuffer(mark.encode("utf-32-le"), "<u4").astype(_U64) * _powers()[: len(mark)])
            for mark in (*_SIZES, *_MODELS)
        ]
    )


def mix(values: Words) -> Words:
    """Spread 64 bits over each other (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = values ^ (values >> _U64(30))
    mixed = mixed * _U64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> _U64(27)
    mixed *= _U64(0x94D049BB133111EB)
    spread: Words = mixed ^ (mixed >> _U64(31))
    return spread
