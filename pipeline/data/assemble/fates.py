"""Every record's fate against the chain: what is known already, which side it takes, what it replaces.

Decided by contents alone: no order of files or rows, no random number. A record meets the first that fits:
withdrawn, golden, seen, superseded, conflicts, near-duplicate; then with its near-duplicates together
bridges-split, near-evaluation, eval or train_new.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.data.assemble import split
from pipeline.data.assemble.neighbours import Flags, Neighbours
from pipeline.data.index import near
from pipeline.data.index.runs import EVAL, GONE, ID, KEY, LABEL, P0, P1, STATE, Rows
from pipeline.data.prepare import conflicts
from pipeline.data.prepare.conflicts import Claim, Conflict

FATES = (
    "withdrawn",  # its key leaves
    "golden",  # a golden item, or near one
    "seen",
    "superseded",  # something newer took its place, by its date or, of a refresh, by what the chain did
    "conflicts",  # history gives another label
    "near-duplicate",  # of something seen, with the same label
    "bridges-split",  # near-duplicates on both sides
    "near-evaluation",  # near an item of the increment's own evaluation file
    "eval",
    "eval_over_cap",
    "train_new",
)
KEPT = ("eval", "eval_over_cap", "train_new")  # what the chain did not know: it enters the index

# Shape legend: N = records of the increment; M = rows of history.


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What decides, beside the contents."""

    eval_share: float
    similarity: float | None  # of near-duplicates that are dropped; None: they stay
    conflicts: str  # policy
    answers: Mapping[str, str]  # of a review
    labels: Mapping[int, str]  # hash -> label, of those that the chain knows
    fresh: bool = False  # a new adapter: the records are the union of the chain's increments


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A record of history that stays no longer."""

    id: str  # its first 16 digits
    reason: str  # withdrawn | superseded
    by: str | None  # first 16 digits of the record that takes its place


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """The fates of N records, and what follows from them."""

    fates: list[str]
    near: list[str | None]  # first 16 digits of the id of what a record is dropped for
    ended_CM: Rows  # history's rows that were withdrawn or replaced
    endings: list[Ending]  # the same
    settled: list[tuple[Conflict, str | None]]
    updated: Flags  # records that bring something new of a known item
    cluster_N: npt.NDArray[np.int64]  # number of each record's cluster, which stands on one side
    drawn: Flags  # held out by the draw, not for what they are near to


def decide(facts: Neighbours, rules: Rules, *, withdrawn: Flags, evaluation: Flags, leaving_CM: Rows) -> Decided:
    """Decide for every record.

    Args:
        facts: what is known of them.
        rules: see there.
        withdrawn: records whose key leaves.
        evaluation: records of the increment's own evaluation files.
        leaving_CM: history's rows whose key is withdrawn.

    Raises:
        GraftError: labels contradict history where the policy is `fail`.
    """
    fate_N = np.full(len(withdrawn), None, dtype=object)
    known = facts.known
    again = known.seen & ~known.evaluated & rules.fresh  # a refresh trains on it once more
    _mark(fate_N, withdrawn, "withdrawn")
    _mark(fate_N, facts.golden, "golden")
    _mark(fate_N, known.seen & ~again, "seen")
    _mark(fate_N, known.gone & rules.fresh, "superseded")
    _mark(fate_N, _outdated(facts), "superseded")
    leaving_CM = leaving_CM[:, ~np.isin(leaving_CM[ID], facts.rows_CN[ID][~withdrawn])]
    replaced_M = _replaced(facts, fate_N, withdrawn)
    updated = _flags(facts.same_key.query_M[replaced_M], len(fate_N))
    replaced = facts.same_key.query_M[replaced_M], facts.same_key.rows_CM[:, replaced_M]
    leaves_M = _same_rows(known.others.rows_CM, np.concatenate([leaving_CM, replaced[1]], axis=1))
    settled, lost, overruled_M = _settle(facts, rules, fate_N, leaves_M)
    _mark(fate_N, lost, "conflicts")
    overruled = known.others.query_M[overruled_M], known.others.rows_CM[:, overruled_M]
    ended_CM = np.concatenate([leaving_CM, replaced[1], overruled[1]], axis=1)
    live_M = ~_same_rows(facts.near.rows_CM, ended_CM) & ((facts.near.rows_CM[STATE] & np.uint64(GONE)) == 0)
    closest = _near_duplicates(facts, rules, live_M)
    _mark(fate_N, _flags(list(closest), len(fate_N)) & ~again, "near-duplicate")
    cluster_N = _clusters(facts, fate_N == None)  # noqa: E711 - elementwise
    drawn = _divide(facts, rules, fate_N, evaluation, _followed(facts), cluster_N)
    return Decided(
        fates=fate_N.tolist(),
        near=[closest.get(row) if fate == "near-duplicate" else None for row, fate in enumerate(fate_N)],
        ended_CM=ended_CM,
        endings=[
            *(Ending(id=_name(row), reason="withdrawn", by=None) for row in leaving_CM[ID]),
            *_superseded(facts, *replaced),
            *_superseded(facts, *overruled),
        ],
        settled=settled,
        updated=updated,
        cluster_N=cluster_N,
        drawn=drawn,
    )


def returned(decided: Decided, evaluated: Flags) -> Flags:
    """Records that were drawn for evaluation and are to be trained on after all: no item of their cluster is asked.

    Args:
        decided: the fates.
        evaluated: records that stand in a slice.
    """
    back: Flags = decided.drawn & ~split.any_of_cluster(evaluated, decided.cluster_N)
    return back


def _outdated(facts: Neighbours) -> Flags:
    """Records of items of which the chain knows a version with a later date."""
    older = [
        row
        for row, record in zip(facts.same_key.query_M.tolist(), facts.same_key.rows_CM[ID].tolist(), strict=True)
        if (own := facts.dates[row]) is not None and own < facts.known_dates.get(record, "")
    ]
    return _flags(older, len(facts.dates))


def _replaced(facts: Neighbours, fate_N: npt.NDArray[np.object_], withdrawn: Flags) -> Flags:
    """History's rows of items that now come with other content, and that the increment holds under no other key."""
    at_M, ids_M = facts.same_key.query_M, facts.same_key.rows_CM[ID]
    stays_N = (fate_N == None) | (fate_N == "seen")  # noqa: E711 - elementwise
    replaced_M: Flags = stays_N[at_M] & (ids_M != facts.rows_CN[ID][at_M])
    return replaced_M & ~np.isin(ids_M, facts.rows_CN[ID][~withdrawn])


def _settle(
    facts: Neighbours, rules: Rules, fate_N: npt.NDArray[np.object_], leaves_M: Flags
) -> tuple[list[tuple[Conflict, str | None]], Flags, Flags]:
    """Contradictions with history: settled how, which records lost, which of the rows that contradict did."""
    found = sorted(_contradictions(facts, rules, fate_N, leaves_M), key=lambda item: item[1].text)
    conflicts.refuse([conflict for _, conflict in found], rules.conflicts, "assemble")
    conflicts.check_answers([conflict for _, conflict in found], rules.answers)
    settled, lost, overruled = [], np.zeros(len(fate_N), bool), np.zeros(len(facts.known.others.query_M), bool)
    for row, conflict in found:
        kept = conflicts.settle(conflict, rules.conflicts, rules.answers)
        settled.append((conflict, kept.label if kept else None))
        if kept is not None and kept.row is not None:
            overruled |= facts.known.others.query_M == row
        else:
            lost[row] = True
    return settled, lost, overruled


def _contradictions(
    facts: Neighbours, rules: Rules, fate_N: npt.NDArray[np.object_], leaves_M: Flags
) -> Iterator[tuple[int, Conflict]]:
    """Each record with its conflict; what leaves, or is updated, contradicts nothing."""
    others = facts.known.others
    undecided_M = fate_N[others.query_M] == None  # noqa: E711 - elementwise
    keys_N = facts.rows_CN[KEY]
    same_item_M = (others.rows_CM[KEY] == keys_N[others.query_M]) & (keys_N[others.query_M] != 0)
    claims: dict[int, list[Claim]] = {}
    for place in np.flatnonzero(undecided_M & ~same_item_M & ~leaves_M).tolist():
        label = rules.labels.get(int(others.rows_CM[STATE, place] & LABEL), "?")
        date = facts.known_dates.get(int(others.rows_CM[ID, place]))
        claims.setdefault(int(others.query_M[place]), []).append(Claim(row=None, label=label, rows=1, date=date))
    for row, older in claims.items():
        mine = Claim(row=row, label=facts.view.labels[row].as_py(), rows=1, date=facts.dates[row])
        yield row, Conflict(text=facts.view.texts[row].as_py(), claims=(*older, mine))


def _near_duplicates(facts: Neighbours, rules: Rules, live_M: Flags) -> dict[int, str]:
    """Records that are near something seen with the same label -> the nearest one's id, 16 digits."""
    if rules.similarity is None:
        return {}
    at_M, rows_CM = facts.near.query_M, facts.near.rows_CM
    same_M = (rows_CM[STATE] & LABEL) == (facts.rows_CN[STATE][at_M] & LABEL)
    itself_M = rows_CM[ID] == facts.rows_CN[ID][at_M]
    chosen = np.flatnonzero(live_M & same_M & ~itself_M & (facts.how_near_M >= rules.similarity))
    ranked = chosen[np.lexsort((rows_CM[ID][chosen], -facts.how_near_M[chosen]))]
    nearest: dict[int, str] = {}
    for place in ranked.tolist():
        nearest.setdefault(int(at_M[place]), _name(rows_CM[ID, place]))
    return nearest


def _followed(facts: Neighbours) -> tuple[Flags, Flags]:
    """Which sides each record has neighbours on, that are gone, too: training, evaluation."""
    known, count = facts.known, len(facts.golden)
    trained, evaluated = known.trained.copy(), known.evaluated | facts.in_slices
    for found in (facts.near, facts.same_key):
        held_out = (found.rows_CM[STATE] & np.uint64(EVAL)) != 0
        trained |= _flags(found.query_M[~held_out], count)
        evaluated |= _flags(found.query_M[held_out], count)
    return trained, evaluated


def _divide(
    facts: Neighbours,
    rules: Rules,
    fate_N: npt.NDArray[np.object_],
    evaluation: Flags,
    sides: tuple[Flags, Flags],
    cluster_N: npt.NDArray[np.int64],
) -> Flags:
    """Give each record that is left a side, with all that it is near to; returns which ones were drawn for it."""
    left = fate_N == None  # noqa: E711 - elementwise
    trained, evaluated = (split.any_of_cluster(side & left, cluster_N) for side in sides)
    named = split.any_of_cluster(evaluation & left, cluster_N)
    _mark(fate_N, left & trained & evaluated, "bridges-split")
    _mark(fate_N, left & trained & evaluation, "bridges-split")
    _mark(fate_N, left & trained, "train_new")
    _mark(fate_N, left & evaluation, "eval")
    _mark(fate_N, left & named, "near-evaluation")
    _mark(fate_N, left & evaluated, "eval")
    drawn = np.zeros(len(fate_N), bool)
    if not evaluation.any():
        strata = facts.view.labels.to_pylist()
        rest = fate_N == None  # noqa: E711 - elementwise
        drawn = split.held_out(cluster_N, strata, facts.prompts_N4, rules.eval_share, rest)
        _mark(fate_N, drawn, "eval")
    _mark(fate_N, left, "train_new")
    return drawn


def _clusters(facts: Neighbours, left: Flags) -> npt.NDArray[np.int64]:
    """Records that must stand on one side: near-duplicates, and those that ask the same."""
    pairs_2M = facts.pairs_2M[:, left[facts.pairs_2M[0]] & left[facts.pairs_2M[1]]]
    prompts_2N = facts.rows_CN[[P0, P1]]
    order = np.lexsort(prompts_2N[::-1])
    same = np.all(prompts_2N[:, order[1:]] == prompts_2N[:, order[:-1]], axis=0)
    asks = np.stack([order[:-1][same], order[1:][same]])
    return near.clusters(len(left), [*pairs_2M.T.tolist(), *asks.T.tolist()])


def _superseded(facts: Neighbours, by: npt.NDArray[np.int64], rows_CM: Rows) -> Iterator[Ending]:
    for row, record in zip(rows_CM[ID], by.tolist(), strict=True):
        yield Ending(id=_name(row), reason="superseded", by=_name(facts.rows_CN[ID, record]))


def _name(number: np.uint64) -> str:
    """The first 16 digits of an id, from the number that the index holds."""
    return f"{int(number):016x}"


def _same_rows(rows_CM: Rows, others_CM: Rows) -> Flags:
    wanted = set(zip(*others_CM[[P0, ID]].tolist(), strict=True))
    return np.array([row in wanted for row in zip(*rows_CM[[P0, ID]].tolist(), strict=True)], dtype=bool)


def _mark(fate_N: npt.NDArray[np.object_], which: Flags, fate: str) -> None:
    """Give a fate to those that have none yet."""
    fate_N[which & (fate_N == None)] = fate  # noqa: E711 - elementwise


def _flags(places: npt.NDArray[np.int64] | Sequence[int], count: int) -> Flags:
    found = np.zeros(count, bool)
    found[np.asarray(places, dtype=np.int64)] = True
    return found
