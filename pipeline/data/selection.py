"""Which usable rows become records: of repeats, versions of one item, contradictions and near-duplicates one stays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data import conflicts, distinct, near, rejects, sketch, views
from pipeline.data.conflicts import Conflict
from pipeline.data.sketch import Words

CLUSTERS, MEMBERS = 10, 5  # near-duplicates that a report shows
DUPLICATE, CONFLICT, OLDER, NEAR = "duplicate", "conflicting labels", "older version", "near-duplicate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Near-duplicates, of which one stayed."""

    size: int
    shown: list[dict[str, Any]]  # file, line and text: the one that stayed, then some of the others


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """What rows come to."""

    table: pa.Table  # ROWS with their ids, by id
    dropped: pa.Table  # the others, as rejects
    settled: list[tuple[Conflict, str | None]]  # with the label that was believed
    open: list[Conflict]  # that a person is to settle
    clusters: int  # of near-duplicates
    largest: list[Cluster]


def select(rows: pa.Table, *, similarity: float | None, conflicts_policy: str) -> Selected:
    """Decide for every row; the same rows in any order come to the same records.

    Raises:
        GraftError: labels contradict each other where the policy is `fail`, or the answers of a review are no good.
    """
    ordered = rows.sort_by([("file", "ascending"), ("line", "ascending")]).combine_chunks()
    chooser = _Chooser(ordered)
    chooser.repeats()
    chooser.versions()
    settled = chooser.contradictions(conflicts_policy)
    if similarity is not None:
        chooser.near(similarity)
    return chooser.selected(settled)


class _Chooser:
    """Rows in order of file and line, and what was decided of each so far."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows
        self.view = views.view(rows)
        self.prompts_N4, self.ids_N4 = views.digests(rows)
        self.parts_N = _parts(rows)
        self.reasons: list[str | None] = [None] * rows.num_rows
        self.stands_for: dict[int, int] = {}
        self.counts_N = np.ones(rows.num_rows, np.int64)

    def drop(self, row: int, reason: str, keeper: int | None = None) -> None:
        self.reasons[row] = reason
        if keeper is not None:
            self.stands_for[row] = keeper

    def here(self) -> distinct.Places:
        """Rows that are still to stay."""
        return np.flatnonzero(np.array([reason is None for reason in self.reasons], dtype=bool))

    def repeats(self) -> None:
        keeper_N = distinct.keepers(self.ids_N4)
        self.counts_N = np.bincount(keeper_N, minlength=len(keeper_N))
        for row in np.flatnonzero(keeper_N != np.arange(len(keeper_N))).tolist():
            self.drop(row, DUPLICATE, int(keeper_N[row]))

    def versions(self) -> None:
        keys = self.rows.column("key")
        if keys.null_count < len(keys):
            dates = self.rows.column("date").to_pylist()
            named = list(zip(self.parts_N.tolist(), keys.to_pylist(), strict=True))
            for row, newer in distinct.superseded(named, dates, self.ids_N4, self.here()).items():
                self.drop(row, OLDER, newer)

    def contradictions(self, policy: str) -> list[tuple[Conflict, str | None]]:
        here = self.here()
        labelled = here[self.view.labelled[here]]
        found = list(
            distinct.conflicts(
                self.prompts_N4 ^ self.parts_N[:, None],
                labelled,
                self.view.texts.to_pylist(),
                self.view.labels.to_pylist(),
                self.rows.column("date").to_pylist(),
                self.counts_N,
            )
        )
        conflicts.refuse(found, policy, "prepare")
        answers = conflicts.read_answers() if policy == "review" else {}
        settled: list[tuple[Conflict, str | None]] = []
        lost: set[int] = set()
        for conflict in sorted(found, key=lambda one: one.text):
            kept = conflicts.settle(conflict, policy, answers)
            settled.append((conflict, kept.label if kept else None))
            for claim in conflict.claims:
                if claim is not kept and claim.row is not None:
                    self.drop(claim.row, CONFLICT)
                    lost.add(claim.row)
        for row, keeper in self.stands_for.items():
            if keeper in lost:  # a repeat of what nobody believes is no repeat that may be left out
                self.reasons[row] = CONFLICT
        return settled

    def near(self, similarity: float) -> None:
        here = self.here()
        order = here[np.lexsort(self.ids_N4[here].T[::-1])]  # by id: the files' order must not count
        forms = sketch.normal_forms(self.view.bodies.take(pa.array(order)))
        pairs_2M = near.pairs(forms, sketch.sketches(forms), similarity)
        labels = self.view.labels.take(pa.array(order)).to_pylist()
        same = np.array([labels[one] == labels[other] for one, other in pairs_2M.T.tolist()], dtype=bool)
        same &= self.parts_N[order[pairs_2M[0]]] == self.parts_N[order[pairs_2M[1]]]
        for row, keeper in near.thinned(pairs_2M[:, same]).items():
            self.drop(int(order[row]), NEAR, int(order[keeper]))

    def selected(self, settled: list[tuple[Conflict, str | None]]) -> Selected:
        with_ids = self.rows.append_column("id", views.hexes(self.ids_N4))
        kept, lost = self.here(), np.flatnonzero(np.array([reason is not None for reason in self.reasons], dtype=bool))
        kept = kept[np.lexsort(self.ids_N4[kept].T[::-1])]
        clusters: dict[int, list[int]] = {}
        for row in lost.tolist():
            if self.reasons[row] == NEAR:
                clusters.setdefault(self.stands_for[row], [self.stands_for[row]]).append(row)
        largest = sorted(clusters.values(), key=lambda rows: (-len(rows), rows))[:CLUSTERS]
        return Selected(
            table=with_ids.take(pa.array(kept)).combine_chunks(),
            dropped=rejects.of(with_ids.take(pa.array(lost)), [self.reasons[row] for row in lost], self._keepers(lost)),
            settled=settled,
            open=[conflict for conflict, label in settled if label is None],
            clusters=len(clusters),
            largest=[Cluster(size=len(rows), shown=self._shown(rows[: 1 + MEMBERS])) for rows in largest],
        )

    def _shown(self, rows: list[int]) -> list[dict[str, Any]]:
        chosen = self.rows.select(["file", "line"]).take(rows).to_pylist()
        texts = self.view.bodies.take(pa.array(rows)).to_pylist()
        return [place | {"text": text} for place, text in zip(chosen, texts, strict=True)]

    def _keepers(self, lost: distinct.Places) -> list[Any]:
        """Ids of the rows that stand for those that were dropped."""
        keepers = pa.array([self.stands_for.get(row) for row in lost.tolist()], pa.int64())
        ids: list[Any] = views.hexes(self.ids_N4).take(keepers).to_pylist()
        return ids


def _parts(rows: pa.Table) -> Words:
    """Hash of each row's folder: a refresh has one per increment, and what those are to each other history says."""
    return views.hashes(pc.replace_substring_regex(rows.column("file"), r"/[^/]*$", ""))
