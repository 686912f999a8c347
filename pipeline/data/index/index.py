"""The index of seen records: which questions the chain has met, their answers and sides, and what is near them.

One run per increment (pipeline/data/index/runs.py). As soon as eight of one age lie there, they become one: a chain of
a thousand has some twenty files and not a thousand, and a record is written again once for each power of eight.
Rows are never changed: what was superseded or withdrawn gets a newer row that says so.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.data.index import dated, runs, sketch
from pipeline.data.index.runs import EVAL, GONE, ID, KEY, LABEL, LABELLED, P0, P1, STATE, Matches, Open, Places, Rows
from pipeline.data.index.sketch import Sketches

ALGORITHM, VERSION = "sha256+minhash", 2
FAN = 8  # runs of one age that become one
_UNITED = re.compile(r"\d{5,}\+(\d+)\.run")
_HELP = "graft verify names what is damaged"

# Shape legend: as in pipeline/data/index/runs.py.
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFile:
    """One sorted file of the index."""

    file: str
    increment: str  # which one brought these records; of several, the newest
    records: int
    capacity: int  # rows that the file has room for

    @property
    def number(self) -> int:
        """Place of its first increment in the chain, from 1."""
        return int(re.split(r"[-+]", self.file, maxsplit=1)[0])

    @property
    def span(self) -> int:
        """How many increments' runs it was made of."""
        match = _UNITED.fullmatch(self.file)
        return int(match[1]) if match else 1


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownRecords:
    """What the index knows of records, one entry each."""

    seen: Flags  # this very record
    gone: Flags  # this very record, but it was superseded or withdrawn
    conflict: Flags  # its question with another label
    trained: Flags  # its question once stood on the training side
    evaluated: Flags  # ... on the evaluation side
    keys_N: Rows  # of those that are seen: hash of the key that they are known by
    others: Matches  # the live rows that conflict


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """Every run of the chain, oldest first, mapped into memory."""

    runs: tuple[IndexFile, ...] = ()
    folder: Path | None = None  # where the runs lie
    labels: Mapping[str, int] = field(default_factory=dict)  # label -> records trained on, over the whole chain
    common: frozenset[str] = frozenset()  # pieces that tell no texts apart: common_pieces.py
    dates: tuple[str, ...] = ()  # files of the increments that have dates: dated.py

    @property
    def records(self) -> int:
        """Rows of all runs."""
        return sum(run.records for run in self.runs)

    def compare(self, rows_CN: Rows) -> KnownRecords:
        """What is known of records, given as rows."""
        count = rows_CN.shape[1]
        found = self._newest(lambda run: run.by_prompt(rows_CN[[P0, P1]]))
        state_M, query_M = found.rows_CM[STATE], found.query_M
        live_M = (state_M & runs.GONE) == 0
        same_M = found.rows_CM[ID] == rows_CN[ID][query_M]
        labelled_M = (state_M & rows_CN[STATE][query_M] & LABELLED) != 0
        other_M = live_M & ~same_M & labelled_M
        keys_N = np.zeros(count, np.uint64)
        keys_N[query_M[live_M & same_M]] = found.rows_CM[KEY][live_M & same_M]
        evaluated_M = (state_M & EVAL) != 0
        return KnownRecords(
            seen=_any(query_M[live_M & same_M], count),
            gone=_any(query_M[~live_M & same_M], count),
            conflict=_any(query_M[other_M], count),
            trained=_any(query_M[~evaluated_M], count),
            evaluated=_any(query_M[evaluated_M], count),
            keys_N=keys_N,
            others=Matches(query_M[other_M], found.rows_CM[:, other_M]),
        )

    def near(self, sketches: Sketches, similarity: float) -> tuple[Matches, npt.NDArray[np.float64]]:
        """Rows of the same marks and by estimate as similar, those that are gone, too; and how similar."""
        found = self._newest(lambda run: _near(run, sketches, similarity))
        return found, _agreement(sketches, found)

    def with_key(self, keys_Q: Rows) -> Matches:
        """Live rows of items that are called so."""
        found = self._newest(lambda run: run.by_key(keys_Q))
        newest = self._newest(lambda run: run.by_prompt(found.rows_CM[[P0, P1]]))  # it may be called otherwise by now
        asked_M, row_M = found.query_M[newest.query_M], newest.rows_CM
        same_M = (row_M[ID] == found.rows_CM[ID][newest.query_M]) & (row_M[KEY] == keys_Q[asked_M])
        same_M &= (row_M[STATE] & GONE) == 0
        return Matches(asked_M[same_M], row_M[:, same_M])

    def newest_dates(self, ids_N: Rows) -> dict[int, str]:
        """The newest date of each of some records, by the first 64 bits of their ids; without those that have none."""
        return dated.newest([(self.folder or Path()) / name for name in self.dates], ids_N)

    def extended(
        self,
        target: Path,
        increment: str,
        rows_CN: Rows,
        labels: Mapping[str, int],
        common: frozenset[str] = frozenset(),
        dates: Mapping[int, str] | None = None,
    ) -> "Index":
        """Write the index with one run more to `target`; runs keep their bytes until eight of one age unite.

        Args:
            target: an empty folder.
            increment: name of the one that brought these records.
            rows_CN: in any order; no new run is written when there are none.
            labels: label -> records of the increment that are trained on.
            common: pieces that many of the increment's texts share.
            dates: of its records, by the first 64 bits of their ids.
        """
        for run in self.runs:
            _share(self._path(run), target / run.file)
        for name in self.dates:
            _share((self.folder or Path()) / name, target / name)
        dates_files = self.dates
        if dates:
            name = f"{len(dates_files) + 1:05d}-{increment}{dated.SUFFIX}"
            dated.write(target / name, np.fromiter(dates, np.uint64, len(dates)), list(dates.values()))
            dates_files += (name,)
        made = list(self.runs)
        if rows_CN.shape[1]:
            sorted_CN = runs.sorted_rows(rows_CN)
            made.append(_write(target, self._next_file(increment), increment, [sorted_CN], sorted_CN.shape[1]))
        while len(made) >= FAN and len({run.span for run in made[-FAN:]}) == 1:
            made[-FAN:] = [_unite(target, made[-FAN:])]
        total = {name: self.labels.get(name, 0) + labels.get(name, 0) for name in sorted({*self.labels, *labels})}
        common |= self.common
        document = _kind() | {"labels": total, "runs": [asdict(run) for run in made]}
        document |= {"common": sorted(common)} if common else {}
        document |= {"dates": list(dates_files)} if dates_files else {}
        files.write_json(target / "index.json", document)
        return Index(runs=tuple(made), folder=target, labels=total, common=common, dates=dates_files)

    def _newest(self, ask: Callable[[Open], Matches]) -> Matches:
        """What runs answer; of a record that several know, the newest one's row.

        A row that says "gone" has prompt, key and sketch of the one that it ends: each query finds both.
        """
        asked = [(number, ask(_open(self._path(run), run))) for number, run in enumerate(self.runs)]
        if not asked:
            return Matches(np.zeros(0, np.int64), runs.none())
        query_M = np.concatenate([found.query_M for _, found in asked])
        rows_CM = np.concatenate([found.rows_CM for _, found in asked], axis=1)
        run_M = np.concatenate([np.full(len(found.query_M), number) for number, found in asked])
        order_M = np.lexsort((-run_M, rows_CM[ID], rows_CM[P1], rows_CM[P0], query_M))
        query_M, rows_CM = query_M[order_M], rows_CM[:, order_M]
        same_M = (query_M[1:] == query_M[:-1]) & np.all(rows_CM[:STATE, 1:] == rows_CM[:STATE, :-1], axis=0)
        first_M = np.concatenate((np.ones(min(1, len(query_M)), bool), ~same_M))
        return Matches(query_M[first_M], rows_CM[:, first_M])

    def _path(self, run: IndexFile) -> Path:
        return (self.folder or Path()) / run.file

    def _next_file(self, increment: str) -> str:
        # Numbered, so that an increment that comes a second time gets a file of its own.
        following = self.runs[-1].number + self.runs[-1].span if self.runs else 1
        return f"{following:05d}-{increment}.run"


def load(folder: Path) -> Index:
    """Open the index that lies in `folder`.

    Raises:
        GraftError: it is absent, of another algorithm, version or normaliser, or a run is missing or cut short.
    """
    try:
        document = files.read_json(folder / "index.json")
        other = differences(document)
        made = () if other else tuple(IndexFile(**run) for run in document["runs"])
    except (GraftError, OSError, KeyError, TypeError, AttributeError):
        raise GraftError(f"{folder}/index.json: missing or unreadable", help=_HELP) from None
    if other:
        raise GraftError(
            f"{folder}/index.json: {other[0]}",
            [*other[1:], "hashes of different kinds cannot be compared"],
            help="dvc repro parent makes the index again from the records of the chain",
        )
    dates = tuple(document.get("dates", ()))
    problems = [problem for run in made for problem in _run_problems(folder, run)]
    problems += [f"{folder / name}: missing" for name in dates if not (folder / name).is_file()]
    if problems:
        raise GraftError(problems[0], problems[1:], help=_HELP)
    return Index(
        runs=made, folder=folder, labels=document["labels"], common=frozenset(document.get("common", ())), dates=dates
    )


def differences(document: Mapping[str, Any]) -> list[str]:
    """Why an index.json is of another kind than this Graft's: kinds are never mixed."""
    wanted = _kind()
    found = [
        f"{name} {document.get(name)!r}, this Graft has {wanted[name]!r}"
        for name in ("algorithm", "version", "normaliser")
        if document.get(name) != wanted[name]
    ]
    if not found and document.get("known_answers") != wanted["known_answers"]:
        return ["known answers differ: the libraries of this environment hash texts otherwise"]
    return found


def rows(
    prompts_N4: Rows,
    ids_N4: Rows,
    sketches: Sketches,
    *,
    evaluated: Flags,
    labelled: Flags,
    answers_N: Rows,
    keys_N: Rows,
) -> Rows:
    """Rows of records.

    Args:
        prompts_N4: SHA-256 of each prompt as 4 big-endian numbers.
        ids_N4: of each record's content, likewise.
        sketches: of the records' texts.
        evaluated: whether each stands on the evaluation side.
        labelled: whether each is a classification.
        answers_N: hash of each label, or of what else near-duplicates must have in common.
        keys_N: hash of each item's key, 0 for none.
    """
    made_CN = np.empty((runs.COLUMNS, len(prompts_N4)), np.uint64)
    made_CN[P0], made_CN[P1], made_CN[ID] = prompts_N4[:, 0], prompts_N4[:, 1], ids_N4[:, 0]
    made_CN[STATE] = (answers_N & LABEL) | np.where(labelled, np.uint64(LABELLED), np.uint64(0))
    made_CN[STATE] |= np.where(evaluated, np.uint64(EVAL), np.uint64(0))
    made_CN[KEY], made_CN[runs.MARKS] = keys_N, sketches.marks_N
    made_CN[runs.BAND :] = sketches.bands_N8.T
    return made_CN


def gone(rows_CM: Rows) -> Rows:
    """Newer rows for records that were superseded or withdrawn; their side stays known."""
    made_CM = rows_CM.copy()
    made_CM[STATE] |= np.uint64(GONE)
    return made_CM


def _kind() -> dict[str, Any]:
    return {
        "algorithm": ALGORITHM,
        "version": VERSION,
        "normaliser": sketch.NORMALISER,
        "known_answers": sketch.known_answers(),
    }


def _near(run: Open, sketches: Sketches, similarity: float) -> Matches:
    found = run.by_sketch(sketches)
    near_M = _agreement(sketches, found) >= similarity
    return Matches(found.query_M[near_M], found.rows_CM[:, near_M])


def _agreement(sketches: Sketches, found: Matches) -> npt.NDArray[np.float64]:
    theirs_MH = np.ascontiguousarray(found.rows_CM[runs.BAND :].T).view(np.uint8)
    return sketch.agreement(sketches.bytes_NH[found.query_M], theirs_MH)


def _any(query_M: Places, count: int) -> Flags:
    found = np.zeros(count, bool)
    found[query_M] = True
    return found


def _open(path: Path, run: IndexFile) -> Open:
    return Open(path, run.records, run.capacity)


def _run_problems(folder: Path, run: IndexFile) -> list[str]:
    path, wanted = folder / run.file, run.capacity * (runs.COLUMNS + runs.FINDERS) * 8
    if not path.is_file():
        return [f"{path}: missing"]
    size = path.stat().st_size
    return [] if size == wanted else [f"{path}: {size} bytes, expected {wanted}"]


def _write(folder: Path, file: str, increment: str, blocks: Iterable[Rows], capacity: int) -> IndexFile:
    records = runs.write(folder / file, blocks, capacity)
    return IndexFile(file=file, increment=increment, records=records, capacity=capacity)


def _unite(folder: Path, parts: list[IndexFile]) -> IndexFile:
    """Several runs as one file in their place."""
    name = f"{parts[0].number:05d}+{sum(run.span for run in parts)}.run"
    opened = [_open(folder / run.file, run) for run in parts]
    capacity = sum(run.records for run in parts)
    united = _write(folder, name, parts[-1].increment, runs.merged(opened), capacity)
    for run in parts:
        (folder / run.file).unlink()
    return united


def _share(source: Path, target: Path) -> None:
    # A link costs nothing, however long the history, and DVC knows its hash already.
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
