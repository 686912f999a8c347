"""A run: one sorted, memory-mapped file of the index, with what finds its rows.

A file holds columns of little-endian uint64, one after the other, each with room for `capacity` rows:
14 columns of rows, sorted by prompt and id; then 8 columns that find rows by a band of their sketch; then one
that finds rows by key. A finder's entry is 32 bits of a hash and 32 bits of a row's number, sorted. A search
so touches a few pages of the file and never copies it: the cost follows the increment, not the chain.
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.data.index.sketch import Sketches, mix

P0, P1, ID, STATE, KEY, MARKS, BAND = range(7)  # of the 14 columns; from BAND on the sketch's 8 numbers
COLUMNS, BANDS = 14, 8
FINDERS = BANDS + 1
BLOCK = 1 << 19  # rows merged at a time: some 60 MB of them
BUCKET = 32  # rows of one bucket that are looked at: those of a larger one are near each other
VERSIONS = 1000  # rows of one key that are looked at: a united run holds many versions of an item
EVAL, GONE, LABELLED = 1, 2, 4  # bits of STATE; the upper 48 are of the hash of the label, or answer
LABEL = ~np.uint64(0xFFFF)

# Shape legend: N = rows, C = the 14 columns above, Q = queries, M = matches.
Rows = npt.NDArray[np.uint64]  # (C, N)
Places = npt.NDArray[np.int64]
_U64 = np.uint64
_LOW32 = _U64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Matches:
    """Rows of a run that answer queries."""

    query_M: Places
    rows_CM: Rows


@dataclass(frozen=True, slots=True)
class Open:
    """A run's file, mapped."""

    path: Path
    records: int
    capacity: int

    def column(self, number: int) -> Rows:
        """One column of rows, or from COLUMNS on a finder, mapped anew: what it touched is let go with it."""
        with self.path.open("rb") as file:
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(whole, "<u8", self.records, number * self.capacity * 8)

    def rows(self, places_M: Places) -> Rows:
        """Whole rows, shape (C, M)."""
        return np.stack([self.column(number)[places_M] for number in range(COLUMNS)])

    def by_prompt(self, prompts_2Q: Rows) -> Matches:
        """Rows of the same prompts."""
        order_Q = np.argsort(prompts_2Q[0])  # neighbours then share pages: five times faster
        column, wanted_Q = self.column(P0), prompts_2Q[0][order_Q]
        low_Q, high_Q = np.searchsorted(column, wanted_Q, "left"), np.searchsorted(column, wanted_Q, "right")
        query_M, place_M = _spread(low_Q, high_Q)
        rows_CM = self.rows(place_M)
        query_M = order_Q[query_M]
        same_M = rows_CM[P1] == prompts_2Q[1][query_M]
        return Matches(query_M[same_M], rows_CM[:, same_M])

    def by_key(self, keys_Q: Rows) -> Matches:
        """Rows of the same keys, no key being 0."""
        (asked_Q,) = np.nonzero(keys_Q)
        query_M, place_M = self._found(BANDS, mix(keys_Q[asked_Q]), limit=VERSIONS)
        query_M, rows_CM = asked_Q[query_M], self.rows(place_M)
        same_M = rows_CM[KEY] == keys_Q[query_M]
        return Matches(query_M[same_M], rows_CM[:, same_M])

    def by_sketch(self, sketches: Sketches) -> Matches:
        """Rows of which a band and all marks are the same, each once: near texts, and a few that are not."""
        found = [
            self._found(band, band_hash(sketches.bands_N8[:, band], sketches.marks_N), limit=BUCKET)
            for band in range(BANDS)
        ]
        pairs_M = np.unique(
            np.concatenate([(query.astype(_U64) << _U64(32)) | place.astype(_U64) for query, place in found])
        )
        query_M, place_M = (pairs_M >> _U64(32)).astype(np.int64), (pairs_M & _LOW32).astype(np.int64)
        rows_CM = self.rows(place_M)
        same_M = rows_CM[MARKS] == sketches.marks_N[query_M]
        return Matches(query_M[same_M], rows_CM[:, same_M])

    def _found(self, finder: int, hashes_Q: Rows, limit: int) -> tuple[Places, Places]:
        """Queries and row numbers whose entry in a finder has the same 32 bits of hash."""
        order_Q = np.argsort(hashes_Q)
        low_bits = hashes_Q[order_Q] & ~_LOW32
        column = self.column(COLUMNS + finder)
        low_Q = np.searchsorted(column, low_bits)
        there_Q = low_Q < self.records
        there_Q[there_Q] = (column[low_Q[there_Q]] & ~_LOW32) == low_bits[there_Q]
        high_Q = low_Q.copy()
        high_Q[there_Q] = np.searchsorted(column, low_bits[there_Q] | _LOW32, "right")
        query_M, entry_M = _spread(low_Q, np.minimum(high_Q, low_Q + limit))
        return order_Q[query_M], (column[entry_M] & _LOW32).astype(np.int64)


def band_hash(band_N: Rows, marks_N: Rows) -> Rows:
    """What a finder sorts by: texts with other marks are other products, however near."""
    return mix(band_N ^ mix(marks_N))


def none() -> Rows:
    """No rows."""
    return np.zeros((COLUMNS, 0), _U64)


def sorted_rows(rows_CN: Rows) -> Rows:
    """By prompt and id; of rows that are the same in these, the last given."""
    order_N = np.lexsort((-np.arange(rows_CN.shape[1]), rows_CN[ID], rows_CN[P1], rows_CN[P0]))
    ordered_CN = rows_CN[:, order_N]
    same_N = np.all(ordered_CN[:STATE, 1:] == ordered_CN[:STATE, :-1], axis=0)
    return ordered_CN[:, np.concatenate((np.ones(min(1, len(order_N)), bool), ~same_N))]


def write(path: Path, blocks: Iterable[Rows], capacity: int) -> int:
    """Write a run of rows that come sorted, in blocks; returns how many. Memory stays at a block and a column."""
    whole = np.memmap(path, "<u8", "w+", shape=(COLUMNS + FINDERS, capacity))
    records = 0
    for block_CN in blocks:
        whole[:COLUMNS, records : records + block_CN.shape[1]] = block_CN
        records += block_CN.shape[1]
    for finder in range(FINDERS):
        entries = whole[COLUMNS + finder, :records]
        for start in range(0, records, BLOCK):
            part = slice(start, min(start + BLOCK, records))
            hashes_N = (
                mix(whole[KEY, part]) if finder == BANDS else band_hash(whole[BAND + finder, part], whole[MARKS, part])
            )
            entries[part] = (hashes_N & ~_LOW32) | np.arange(part.start, part.stop, dtype=_U64)
        entries.sort()
    whole.flush()
    return records


def merged(parts: Sequence[Open]) -> Iterator[Rows]:
    """Rows of several runs, sorted, the newest (last) run's where they are the same; in blocks of bounded size."""
    pieces = max(1, -(-sum(part.records for part in parts) // BLOCK))  # hashes spread evenly
    edges = [_U64(2**64 * piece // pieces) for piece in range(1, pieces)]
    cuts = [[0, *np.searchsorted(part.column(P0), edges).tolist(), part.records] for part in parts]
    for piece in range(pieces):
        blocks = [
            np.stack([part.column(number)[cut[piece] : cut[piece + 1]] for number in range(COLUMNS)])
            for part, cut in zip(parts, cuts, strict=True)
        ]
        yield sorted_rows(np.concatenate(blocks, axis=1))


def _spread(low_Q: Places, high_Q: Places) -> tuple[Places, Places]:
    """Every number of the ranges [low, high), with the place of its range."""
    counts_Q = high_Q - low_Q
    query_M = np.repeat(np.arange(len(low_Q)), counts_Q)
    first_M = np.repeat(np.cumsum(counts_Q) - counts_Q, counts_Q)
    return query_M, np.arange(len(query_M)) - first_M + low_Q[query_M]
