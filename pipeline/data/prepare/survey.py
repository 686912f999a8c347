"""A few numbers of every row: what it takes to tell repeats, contradictions and near-duplicates apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.index import common_pieces, sketch
from pipeline.data.index.sketch import Sketches, Words
from pipeline.data.prepare.spool import Spool
from pipeline.data.records import message_columns
from pipeline.data.records.message_columns import Digests

# Shape legend: N = rows, in order of file and line.
Flags = npt.NDArray[np.bool_]
Item = TypeVar("Item", bound=np.generic)


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """Of N rows; one that cannot be used has zeros."""

    usable_N: Flags
    prompts_N4: Digests
    ids_N4: Digests
    labels_N: Words  # hash of a classification's label; 0 for other kinds
    answers_N: Words  # hash of all that near-duplicates must have in common: see views.View
    keys_N: Words  # hash of part and key; 0 for none
    parts_N: (
        Words  # hash of the file's folder: a refresh has one per increment, history says what they are to each other
    )
    dates: list[str | None]
    judged_N: Flags  # of a file that the increment names for evaluation
    sketches: Sketches


def survey_batch(batch: pa.RecordBatch, evaluation: Sequence[str] = ()) -> Survey:
    """The survey of a batch of cleaned ROWS."""
    usable = pc.is_null(batch.column("problem"))
    usable_N: Flags = usable.to_numpy(zero_copy_only=False)
    good = batch.filter(usable)
    view = message_columns.view(good)
    prompts, ids = message_columns.digests(good)
    found = sketch.sketches(sketch.normal_forms(view.bodies))
    parts = message_columns.hashes(pc.replace_substring_regex(good.column("file"), r"/[^/]*$", ""))
    keys = message_columns.hashes(good.column("key"))
    return Survey(
        usable_N=usable_N,
        prompts_N4=_spread(prompts, usable_N),
        ids_N4=_spread(ids, usable_N),
        labels_N=_spread(message_columns.hashes(view.labels), usable_N),
        answers_N=_spread(message_columns.hashes(view.answers), usable_N),
        keys_N=_spread(np.where(keys == 0, keys, sketch.mix(keys ^ parts) | np.uint64(1)), usable_N),
        parts_N=_spread(parts, usable_N),
        dates=batch.column("date").to_pylist(),
        judged_N=pc.is_in(batch.column("file"), pa.array(evaluation, pa.string())).to_numpy(zero_copy_only=False),
        sketches=Sketches(_spread(found.bytes_NH, usable_N), _spread(found.marks_N, usable_N)),
    )


def common_to_many(known: Survey, waiting: Spool) -> frozenset[str]:
    """Pieces that many rows share, by the rows with the lowest ids."""
    usable = np.flatnonzero(known.usable_N)
    first = usable[np.lexsort(known.ids_N4[usable].T[::-1])]
    _, places = np.unique(known.ids_N4[first, 0], return_index=True)
    rows = first[np.sort(places)][: common_pieces.SAMPLE]
    table = waiting.rows(np.sort(rows))
    forms = sketch.normal_forms(message_columns.view(table).bodies).to_pylist()
    by_row = dict(zip(np.sort(rows).tolist(), forms, strict=True))
    return common_pieces.find([by_row[row] for row in rows.tolist()])


def sketched_without(known: Survey, waiting: Spool, common: frozenset[str]) -> Survey:
    """The survey with sketches of what is left of each text without common pieces."""
    if not common:
        return known
    parts = []
    for start, batch in waiting.batches():
        usable_N = known.usable_N[start : start + batch.num_rows]
        forms = sketch.normal_forms(message_columns.view(batch.filter(pa.array(usable_N))).bodies)
        found = common_pieces.sketched(forms, common)
        parts.append(Sketches(_spread(found.bytes_NH, usable_N), _spread(found.marks_N, usable_N)))
    whole = Sketches(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("bytes_NH", "marks_N")))
    return replace(known, sketches=whole)


def united(parts: list[Survey]) -> Survey:
    """The surveys of all batches, one after the other."""
    parts = parts or [survey_batch(message_columns.no_rows())]
    names = ("usable_N", "prompts_N4", "ids_N4", "labels_N", "answers_N", "keys_N", "parts_N", "judged_N")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    bytes_NH = np.concatenate([part.sketches.bytes_NH for part in parts])
    marks_N = np.concatenate([part.sketches.marks_N for part in parts])
    dates = [date for part in parts for date in part.dates]
    return Survey(**arrays, dates=dates, sketches=Sketches(bytes_NH, marks_N))


def _spread(values: npt.NDArray[Item], usable_N: Flags) -> npt.NDArray[Item]:
    whole: npt.NDArray[Item] = np.zeros((len(usable_N), *values.shape[1:]), values.dtype)
    whole[usable_N] = values
    return whole
