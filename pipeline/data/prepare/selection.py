"""Which usable rows become records: of repeats, versions of one item, contradictions and near-duplicates one stays."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.data.index import common_pieces, near, sketch
from pipeline.data.prepare import conflicts, distinct
from pipeline.data.prepare.conflicts import Conflict
from pipeline.data.prepare.distinct import Places
from pipeline.data.prepare.spool import Spool
from pipeline.data.prepare.survey import Survey
from pipeline.data.records import message_columns

CLUSTERS, MEMBERS = 10, 5  # near-duplicates that a report shows
DUPLICATE, CONFLICT, OLDER, NEAR = "duplicate", "conflicting labels", "older version", "near-duplicate"

Settled = list[tuple[Conflict, str | None]]  # with the label that was believed


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Near-duplicates, of which one stayed."""

    size: int
    shown: list[dict[str, Any]]  # file, line and text: the one that stayed, then some of the others


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """What rows come to."""

    reasons: list[str | None]  # why a usable row is no record
    stands_for: dict[int, int]  # row -> the one that stays in its place
    settled: Settled
    clusters: int  # of near-duplicates
    largest: list[Cluster]


def select(
    survey: Survey, spool: Spool, *, similarity: float | None, policy: str, common: Collection[str] = ()
) -> Selected:
    """Decide for every usable row; the same rows in any order come to the same records.

    Args:
        survey: of the rows.
        spool: the rows.
        similarity: from which on texts are near-duplicates; None: near ones stay.
        policy: of contradictions.
        common: pieces that tell no texts apart; the survey's sketches are without them.

    Raises:
        GraftError: labels contradict each other where the policy is `fail`, or the answers of a review are no good.
    """
    chooser = _Chooser(survey, spool)
    chooser.versions()
    chooser.repeats()
    settled = chooser.contradictions(policy)
    if similarity is not None:
        chooser.near(similarity, common)
    return chooser.selected(settled)


class _Chooser:
    """What was decided of each row so far."""

    def __init__(self, survey: Survey, spool: Spool) -> None:
        self.survey, self.spool = survey, spool
        self.reasons: list[str | None] = [None] * len(survey.usable_N)
        self.here_N = survey.usable_N.copy()
        self.stands_for: dict[int, int] = {}
        self.counts_N = np.ones(len(self.here_N), np.int64)

    def drop(self, row: int, reason: str, keeper: int | None = None) -> None:
        self.reasons[row], self.here_N[row] = reason, False
        if keeper is not None:
            self.stands_for[row] = keeper

    def here(self) -> Places:
        """Rows that are still to stay."""
        return np.flatnonzero(self.here_N)

    def repeats(self) -> None:
        known, here = self.survey, self.here()
        dates = [known.dates[row] or "" for row in here.tolist()]
        # What is judged stays so, the newest date counts, and no order of files and rows: they come last.
        ranks = (np.arange(len(here)), known.keys_N[here], _descending(dates), ~known.judged_N[here])
        keeper_N = distinct.keepers(known.ids_N4, here[np.lexsort(ranks)])
        self.counts_N = np.bincount(keeper_N, minlength=len(keeper_N))
        for row in np.flatnonzero(keeper_N != np.arange(len(keeper_N))).tolist():
            self.drop(row, DUPLICATE, int(keeper_N[row]))

    def versions(self) -> None:
        keyed = self.here()[self.survey.keys_N[self.here()] != 0]
        found = distinct.superseded(self.survey.keys_N, self.survey.dates, self.survey.ids_N4, keyed)
        for row, newer in found.items():
            self.drop(row, OLDER, newer)

    def contradictions(self, policy: str) -> Settled:
        here = self.here()
        labelled = here[self.survey.labels_N[here] != 0]
        prompts_N4 = self.survey.prompts_N4 ^ self.survey.parts_N[:, None]
        groups = list(distinct.groups(prompts_N4, labelled))
        rows = np.unique(np.concatenate([np.zeros(0, np.int64), *groups]))
        view = message_columns.view(self.spool.rows(rows))
        texts, labels = view.texts.to_pylist(), view.labels.to_pylist()
        told = dict(zip(rows.tolist(), zip(texts, labels, strict=True), strict=True))
        counts = self.counts_N.tolist()
        found = [conflicts.between(group.tolist(), told, counts, self.survey.dates) for group in groups]
        conflicts.refuse(found, policy, "prepare")
        return self._settle(found, policy)

    def _settle(self, found: list[Conflict], policy: str) -> Settled:
        answers = conflicts.read_review().answers if policy == "review" else {}
        conflicts.check_answers(found, answers)
        settled: Settled = []
        lost: set[int] = set()
        for conflict in sorted(found, key=lambda one: one.text):
            kept = conflicts.settle(conflict, policy, answers)
            settled.append((conflict, kept.label if kept else None))
            lost |= {claim.row for claim in conflict.claims if claim is not kept and claim.row is not None}
        for row in lost:
            self.drop(row, CONFLICT)
        for row, keeper in self.stands_for.items():
            if keeper in lost:  # a repeat of what nobody believes is no repeat that may be left out
                self.reasons[row] = CONFLICT
        return settled

    def near(self, similarity: float, common: Collection[str]) -> None:
        here = self.here()
        # What is judged first, then by id: the files' order must not count.
        order = here[np.lexsort((*self.survey.ids_N4[here].T[::-1], ~self.survey.judged_N[here]))]

        def forms(places: Places) -> list[str]:
            rows, back = np.unique(order[places], return_inverse=True)
            bodies = message_columns.view(self.spool.rows(rows)).bodies
            plain = common_pieces.without(sketch.normal_forms(bodies), common)
            listed: list[str] = plain.take(pa.array(back)).to_pylist()
            return listed

        apart_N = self.survey.answers_N[order] ^ sketch.mix(self.survey.parts_N[order])
        found = near.pairs(self.survey.sketches.of(order), forms, similarity, apart_N=apart_N)
        for row, keeper in near.thinned(found).items():
            self.drop(int(order[row]), NEAR, int(order[keeper]))

    def selected(self, settled: Settled) -> Selected:
        clusters: dict[int, list[int]] = {}
        for row, keeper in sorted(self.stands_for.items()):
            if self.reasons[row] == NEAR:
                clusters.setdefault(keeper, [keeper]).append(row)
        largest = sorted(clusters.values(), key=lambda rows: (-len(rows), rows))[:CLUSTERS]
        return Selected(
            reasons=self.reasons,
            stands_for=self.stands_for,
            settled=settled,
            clusters=len(clusters),
            largest=[Cluster(size=len(rows), shown=self._shown(rows[: 1 + MEMBERS])) for rows in largest],
        )

    def _shown(self, rows: list[int]) -> list[dict[str, Any]]:
        order = np.argsort(rows)
        table = self.spool.rows(np.array(rows)[order])
        bodies = message_columns.view(table).bodies.to_pylist()
        found = [
            place | {"text": body}
            for place, body in zip(table.select(["file", "line"]).to_pylist(), bodies, strict=True)
        ]
        return [found[place] for place in np.argsort(order).tolist()]


def _descending(dates: list[str]) -> Places:
    """Numbers that sort as the dates do, the newest first."""
    _, ranks = np.unique(np.array(dates, dtype=object), return_inverse=True)
    return -ranks
