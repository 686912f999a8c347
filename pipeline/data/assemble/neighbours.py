"""What is known of an increment's records: against the chain's index, the golden items, the slices and each other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.data.index import common_pieces, index, near, sketch
from pipeline.data.index.index import Index, KnownRecords
from pipeline.data.index.near import Pairs
from pipeline.data.index.runs import ID, KEY, Matches, Rows
from pipeline.data.index.sketch import Sketches
from pipeline.data.records import date_kinds, message_columns
from pipeline.data.records.message_columns import Digests, View

FOLLOWS = 0.05  # history's texts are compared by estimate: this much less similar ones count as near, too

NEW, GOLDEN, SLICES, RESERVOIR = range(4)  # groups of texts

# Shape legend: N = records of the increment, R = of the reservoir; others as in pipeline/data/index/runs.py.
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Others:
    """Records that the increment's are compared with by their texts."""

    golden: pa.Table
    slices: pa.Table
    reservoir: pa.Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbours:
    """What `decide` decides by."""

    view: View
    prompts_N4: Digests
    ids_N4: Digests
    rows_CN: Rows  # for the index; the side is not in them yet
    known: KnownRecords
    near: Matches  # rows of the index that are near, those that are gone, too
    how_near_M: npt.NDArray[np.float64]  # their estimated similarity
    same_key: Matches  # live rows of the index of the same item
    dates: list[str | None]  # of the increment's records
    known_dates: dict[int, str]  # of rows of the index that they meet, by ID
    pairs_2M: Pairs  # near records of the increment
    golden: Flags  # a golden item, or near one
    in_slices: Flags  # near an item of a slice
    unfit_R: Flags  # a golden item, or near one
    common: frozenset[str]  # pieces that tell no texts apart


def gather(table: pa.Table, chain: Index, others: Others, similarity: float) -> Neighbours:
    """Compare records with all that they could meet; reads the index and writes nothing.

    Args:
        table: the increment's records, by id.
        chain: the parent's index.
        others: the parent's other state, and the golden items.
        similarity: from which on texts are near-duplicates.
    """
    count = table.num_rows
    prompts_N4, ids_N4 = message_columns.digests(table)
    compared = ["kind", *message_columns.CONTENT]
    parts = [part.select(compared) for part in (table, others.golden, others.slices, others.reservoir)]
    everything = message_columns.view(pa.concat_tables(parts))
    forms = sketch.normal_forms(everything.bodies)
    common = common_pieces.find(forms[:count].to_pylist(), chain.common)
    all_sketches = common_pieces.sketched(forms, common)
    forms = common_pieces.without(forms, common)
    sketches = Sketches(all_sketches.bytes_NH[:count], all_sketches.marks_N[:count])
    view = everything.first(count)
    rows_CN = index.rows(
        prompts_N4,
        ids_N4,
        sketches,
        evaluated=np.zeros(count, bool),
        labelled=view.labelled,
        answers_N=message_columns.hashes(view.answers),
        keys_N=message_columns.hashes(table.column("key")),
    )
    known, same_key = chain.compare(rows_CN), chain.with_key(rows_CN[KEY])
    met_C = np.concatenate([same_key.rows_CM[ID], known.others.rows_CM[ID]])
    found, how_near_M = chain.near(sketches, similarity - FOLLOWS)
    sizes = [count, others.golden.num_rows, others.slices.num_rows, others.reservoir.num_rows]
    group = np.repeat(np.arange(4), sizes)
    pairs_2M = near.pairs(all_sketches, _some(forms), similarity, of=group <= GOLDEN, hang_together=True)
    met = _Met(pairs_2M, group)
    own_dates, known_dates = table.column("date").to_pylist(), chain.newest_dates(met_C)
    _require_one_kind(own_dates, known_dates.values())
    return Neighbours(
        view=view,
        prompts_N4=prompts_N4,
        ids_N4=ids_N4,
        rows_CN=rows_CN,
        known=known,
        near=found,
        how_near_M=how_near_M,
        same_key=same_key,
        dates=own_dates,
        known_dates=known_dates,
        pairs_2M=met.pairs(),
        golden=met.by(NEW, GOLDEN) | _asked(prompts_N4, others.golden),
        in_slices=met.by(NEW, SLICES) | _asked(prompts_N4, others.slices),
        common=common,
        unfit_R=met.by(RESERVOIR, GOLDEN) | _asked(message_columns.digests(others.reservoir)[0], others.golden),
    )


def _require_one_kind(own: Iterable[str | None], known: Iterable[str]) -> None:
    """Refuse an increment whose dates cannot be compared with those that the chain knows of the same items.

    Raises:
        GraftError: as `date_kinds.require_one`.
    """
    some = {"this increment": next((date for date in own if date), None), "the chain": next(iter(known), None)}
    date_kinds.require_one({where: date for where, date in some.items() if date})


@dataclass(frozen=True, slots=True)
class _Met:
    """Near pairs among texts of four groups, one group after the other."""

    pairs_2M: Pairs
    group: npt.NDArray[np.int64]

    def pairs(self) -> Pairs:
        """Those among the increment's records."""
        return self.pairs_2M[:, self.group[self.pairs_2M[1]] == NEW]

    def by(self, which: int, other: int) -> Flags:
        """Of a group's members, which are near one of another group."""
        found = np.zeros(len(self.group), bool)
        for one, two in (self.pairs_2M, self.pairs_2M[::-1]):
            found[one[(self.group[one] == which) & (self.group[two] == other)]] = True
        members: Flags = found[self.group == which]
        return members


def _some(forms: pa.Array) -> Callable[[npt.NDArray[np.int64]], list[str]]:
    return lambda places: forms.take(pa.array(places)).to_pylist()


def _asked(prompts_N4: Digests, items: pa.Table) -> Flags:
    """Whether each prompt is one of the items': by its first 64 bits, which by chance agree once in 2^64."""
    asked: Flags = np.isin(prompts_N4[:, 0], message_columns.digests(items)[0][:, 0])
    return asked
