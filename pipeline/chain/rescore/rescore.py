"""Scores evaluation items again with a release's published weights, and compares with its predictions.json.

The checked-out tree's code scores, never a tag's. Weights, items and predictions are the release's own, by hash from
cache or remote, in a scratch folder. Loads torch only while it scores.
"""

import hashlib
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from secrets import randbelow
from typing import Any

from pipeline.chain.commits import git
from pipeline.chain.lock import environment
from pipeline.chain.rescore import agreement, recorded_rows, release_files, served_models
from pipeline.chain.rescore.agreement import ComparedRow, Difference
from pipeline.chain.rescore.recorded_rows import Evaluated, RecordedItem
from pipeline.chain.rescore.release_files import ScoringSettings
from pipeline.chain.rescore.rescore_report import Rescored, RescoredSide
from pipeline.chain.rescore.served_models import MERGED, ReleaseFiles
from pipeline.chain.verify.manifest_check import Commit
from pipeline.common import files, scratch, sources
from pipeline.common.errors import GraftError
from pipeline.common.words import counted
from pipeline.evaluation.predict import keys

FOLDER = Path(".graft/rescore")
LIMIT = 120.0  # seconds: up to here all items are scored
SAMPLE = 300  # items else: if 1% of all were changed, one of them is among 300 with a probability of 95%
TIMED = 32  # items that the estimate is made from
CHUNK = 256  # items between two lines of progress
REFUSED = f"{MERGED}/REFUSED.json"


def rescore(commit: Commit, revision: str | None, sample: int | None = None, seed: int | None = None) -> Rescored:
    """Score a release again.

    Args:
        commit: what the revision says of its outputs.
        revision: tag or commit; None: the working tree.
        sample: items to score where all would take more than two minutes.
        seed: draw exactly so many items by it, whatever all would take; None: a random one, where one is needed.

    Raises:
        GraftError: there are no weights, or an object or a setting that scoring needs is missing or wrong.
    """
    if REFUSED in commit.manifest:
        raise GraftError(
            f"{revision or 'working tree'}: no weights to score: the gate refused this candidate",
            help="reports/report.md says why; graft log lists the releases",
        )
    with scratch.held(FOLDER) as folder:
        try:
            release = served_models.bring(commit, revision, folder)
            items = recorded_rows.read(folder, release.settings)
            return _score_again(release, items, revision, sample or SAMPLE, seed)
        finally:
            shutil.rmtree(FOLDER)


def _score_again(
    release: ReleaseFiles, items: Evaluated, revision: str | None, sample: int, seed: int | None
) -> Rescored:
    drawn = randbelow(2**31) if seed is None else seed
    entries = sorted(items.entries, key=lambda entry: hashlib.sha256(f"{drawn} {entry.name}".encode()).digest())
    parent, models = release.commit.lock.parent, list(served_models.models(release, items.labels))
    tie = release_files.max_logit_error([revision, None, *([parent.release] if parent else [])])
    run = partial(_run, release.settings, tie)
    candidate, first = models[0].load(), entries[: min(TIMED, sample)]
    machine = _other_machine(release.commit, candidate)
    bound = _bound(machine, release.commit)
    started = time.perf_counter()
    compared = run("candidate", candidate, first, bound)
    seconds = (time.perf_counter() - started) * len(models) * len(entries) / max(1, len(first))
    chosen = entries if seed is None and seconds <= LIMIT else entries[:sample]
    if len(chosen) < len(entries):
        _progress(f"all {len(entries):,} items: about {seconds:,.0f} s; {len(chosen):,} are drawn, --seed {drawn}")
    compared += run("candidate", candidate, chosen[len(first) :], bound)
    del candidate  # one model in memory at a time
    sides = [_side("candidate", bound, compared)]
    for model in models[1:]:  # another machine may have scored what they knew
        rows = run(model.name, model.load(), chosen, agreement.OTHER_CLASS)
        sides.append(_side(model.name, agreement.OTHER_CLASS, rows))
    chosen_by = _other_code(revision, recorded_rows.CODE)
    return Rescored(
        items=len(chosen),
        of=len(entries),
        seed=drawn if len(chosen) < len(entries) else None,
        weights=MERGED if release.merged else "base and adapter",
        sides=sides,
        differences=[
            *(one for one in items.differences if not (chosen_by and one.field in recorded_rows.CHOSEN)),
            *_unexpected(entries, [model.name for model in models]),
        ],
        machine=machine,
        code=[*_other_code(revision, _scoring(items)), *_other_libraries(release.commit)],
        notes=[
            *([] if release.merged else ["no merged weights are stored: base and adapter were merged here"]),
            *(f"items are chosen by other code than the release's: {line}" for line in chosen_by),
            *(f"not scored again: {words}" for words in release.settings.left_out),
        ],
    )


def _run(
    settings: ScoringSettings, tie: float, side: str, model: Any, entries: Sequence[RecordedItem], bound: float
) -> list[ComparedRow]:
    """Score items with a model and compare, chunk by chunk."""
    from pipeline.chain.rescore import scored_again as scoring

    entries = [entry for entry in entries if side in entry.rows]
    decoding = keys.Decoding(normalize=settings.normalize, max_new_tokens=settings.max_new_tokens)
    compared: list[ComparedRow] = []
    for start in range(0, len(entries), CHUNK):
        chunk = entries[start : start + CHUNK]
        rows = [entry.rows[side] for entry in chunk]
        fresh = scoring.score(model, [entry.record for entry in chunk], rows, decoding, settings.batch_size)
        compared += [
            agreement.compare(entry.name, side, row, new, bound=bound, tie=tie)
            for entry, row, new in zip(chunk, rows, fresh, strict=True)
        ]
        _progress(f"{side}: {start + len(chunk):,} of {counted(len(entries), 'item')}")
    return compared


def _side(name: str, bound: float, compared: Sequence[ComparedRow]) -> RescoredSide:
    return RescoredSide(
        name=name,
        bound=bound,
        largest=max((row.largest for row in compared), default=0.0),
        ties=[row.id for row in compared if row.tie],
        differences=[difference for row in compared for difference in row.differences],
    )


def _unexpected(entries: Iterable[RecordedItem], names: Sequence[str]) -> Iterator[Difference]:
    """Rows of a parent or an anchor that the release does not have."""
    for entry in entries:
        for side, row in entry.rows.items():
            if side not in names and row is not None:
                yield Difference(id=entry.name, side=side, field="row", recorded=row, rescored=None)


def _other_machine(commit: Commit, model: Any) -> dict[str, list[Any]]:
    """Parts of the machine class that differ from those of the release: [released, here]."""
    from pipeline.chain.rescore import scored_again as scoring

    here, released = scoring.machine_class(model), commit.machine or {}
    return {key: [released.get(key), value] for key, value in here.items() if released.get(key) != value}


def _bound(machine: Mapping[str, Any], commit: Commit) -> float:
    """The bound of a machine class; on a GPU other batches may be computed by other kernels, within one class, too."""
    same = not machine and (commit.machine or {}).get("kind") == "cpu"
    return agreement.SAME_CLASS if same else agreement.OTHER_CLASS


def _scoring(items: Evaluated) -> list[str]:
    """The files of code that make rows of these items."""
    return list(sources.hashes({folder for entry in items.entries for folder in keys.folders(entry.record.kind)}))


def _other_code(revision: str | None, paths: Sequence[str]) -> list[str]:
    """Files of code that are not here as they were at a revision."""
    if revision is None:
        return []
    released = git.object_ids(f"{revision}:{path}" for path in paths) if paths else []
    here = [git.object_id(files.ROOT / path) for path in paths]
    return [path for path, old, new in zip(paths, released, here, strict=True) if old != new]


def _other_libraries(commit: Commit) -> list[str]:
    here = environment.toolchain()
    return environment.differences(
        *({name: of.get(name, "absent") for name in keys.LIBRARIES} for of in (commit.lock.toolchain, here))
    )


def _progress(line: str) -> None:
    print(f"rescore: {line}", file=sys.stderr, flush=True)
