"""The index of seen records: which questions the chain has met, and with which answer.

One run per increment. As soon as eight of one age lie there, they become one: a chain of a thousand
has some twenty files and not a thousand, and a record is written again once for each power of eight.

A run of N records is 5 columns of N little-endian uint64, one after the other: the prompt's SHA-256 as
4 numbers (read big-endian, so that numbers sort as the digests do), then the first 8 bytes of the
answer's SHA-256. Rows are sorted and unique. Columns, because a binary search then touches a few pages
of the mapped file and never copies it: the cost follows the increment.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import files
from pipeline.errors import GraftError

ALGORITHM, VERSION = "sha256", 1
NEW, CONFLICT, SEEN = 0, 1, 2  # conflict: the same prompt with another answer; the larger wins over runs
COLUMNS = 5
FAN = 8  # runs of one age that become one
BLOCK = 1 << 20  # records merged at a time: 40 MB of them
_UNITED = re.compile(r"\d{5,}\+(\d+)\.run")
_HELP = "graft verify names what is damaged"

# Shape legend: C = the 5 columns above, N = records.
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One sorted file of the index."""

    file: str
    increment: str  # which one brought these records; of several, the newest
    records: int

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
class Index:
    """Every run of the chain, oldest first, mapped into memory."""

    runs: tuple[Run, ...] = ()
    folder: Path | None = None  # where the runs lie

    def compare(self, keys_CN: Keys) -> npt.NDArray[np.int8]:
        """NEW, CONFLICT or SEEN for each of `keys_CN` against all runs, in the order given."""
        order_N = np.argsort(keys_CN[0])  # neighbours then share pages of a run: five times faster
        sorted_CN = keys_CN[:, order_N]
        found_N = np.zeros(keys_CN.shape[1], dtype=np.int8)
        for run in self.runs:
            run_CN = _open(self._path(run), run.records)
            found_N[order_N] = np.maximum(found_N[order_N], _compare(run_CN, sorted_CN))
        return found_N

    def extended(self, target: Path, increment: str, keys_CN: Keys) -> None:
        """Write the index with one run more to `target`; runs keep their bytes until eight of one age unite.

        Args:
            target: an empty folder.
            increment: name of the one that brought these records.
            keys_CN: in any order; no new run is written when there are none.
        """
        for run in self.runs:
            _share(self._path(run), target / run.file)
        runs = list(self.runs)
        if keys_CN.shape[1]:
            sorted_CN = _sorted(keys_CN)
            added = Run(file=self._next_file(increment), increment=increment, records=sorted_CN.shape[1])
            files.write_bytes(target / added.file, np.ascontiguousarray(sorted_CN, dtype="<u8").tobytes())
            runs.append(added)
        while len(runs) >= FAN and len({run.span for run in runs[-FAN:]}) == 1:
            runs[-FAN:] = [_unite(target, runs[-FAN:])]
        document = {"algorithm": ALGORITHM, "version": VERSION, "runs": [asdict(run) for run in runs]}
        files.write_json(target / "index.json", document)

    def _path(self, run: Run) -> Path:
        return (self.folder or Path()) / run.file

    def _next_file(self, increment: str) -> str:
        # Numbered, so that an increment that comes a second time gets a file of its own.
        following = self.runs[-1].number + self.runs[-1].span if self.runs else 1
        return f"{following:05d}-{increment}.run"


def load(folder: Path) -> Index:
    """Open the index that lies in `folder`.

    Raises:
        GraftError: it is absent, of another algorithm or version, or a run is missing or cut short.
    """
    try:
        document = files.read_json(folder / "index.json")
        found = document["algorithm"], document["version"]
        runs = tuple(Run(**run) for run in document["runs"]) if found == (ALGORITHM, VERSION) else ()
    except (OSError, ValueError, KeyError, TypeError):
        raise GraftError(f"{folder}/index.json: missing or unreadable", help=_HELP) from None
    if found != (ALGORITHM, VERSION):
        raise GraftError(
            f"{folder}/index.json: algorithm {found[0]!r}, version {found[1]!r}; this Graft reads only "
            f"{ALGORITHM!r}, version {VERSION}: hashes of different kinds cannot be compared",
            help="use the Graft that the parent release's own pipeline/ holds",
        )
    problems = [problem for run in runs for problem in _run_problems(folder, run)]
    if problems:
        raise GraftError(problems[0], problems[1:], help=_HELP)
    return Index(runs=runs, folder=folder)


def keys(pairs: Iterable[tuple[str, str]]) -> Keys:
    """Index keys of (prompt's id in hex, answer) pairs, shape (C, N), in the order given."""
    rows = b"".join(bytes.fromhex(prompt) + _answer_digest(answer) for prompt, answer in pairs)
    return np.frombuffer(rows, dtype=">u8").reshape(-1, COLUMNS).T.astype(np.uint64)


def _answer_digest(answer: str) -> bytes:
    return hashlib.sha256(answer.encode("utf-8", "surrogatepass")).digest()[:8]


def _run_problems(folder: Path, run: Run) -> list[str]:
    path, wanted = folder / run.file, run.records * COLUMNS * 8
    if not path.is_file():
        return [f"{path}: missing"]
    size = path.stat().st_size
    return [] if size == wanted else [f"{path}: {size} bytes, expected {wanted}"]


def _open(path: Path, records: int) -> Keys:
    return np.memmap(path, dtype="<u8", mode="r", shape=(COLUMNS, records))


def _sorted(keys_CN: Keys) -> Keys:
    ordered_CN = keys_CN[:, np.lexsort(keys_CN[::-1])]
    repeats_N = np.all(ordered_CN[:, 1:] == ordered_CN[:, :-1], axis=0)
    return ordered_CN[:, np.concatenate(([True], ~repeats_N))]


def _unite(folder: Path, runs: list[Run]) -> Run:
    """Several runs as one file in their place; memory is bounded, since hashes spread evenly."""
    united = Run(
        file=f"{runs[0].number:05d}+{sum(run.span for run in runs)}.run",
        increment=runs[-1].increment,
        records=sum(run.records for run in runs),
    )
    parts = [_open(folder / run.file, run.records) for run in runs]
    whole_CN = np.memmap(folder / united.file, dtype="<u8", mode="w+", shape=(COLUMNS, united.records))
    pieces = -(-united.records // BLOCK)
    edges = [2**64 * piece // pieces for piece in range(1, pieces)]
    cuts = [[0, *(int(np.searchsorted(part[0], np.uint64(edge))) for edge in edges), part.shape[1]] for part in parts]
    done = 0
    for piece in range(pieces):
        block_CN = np.concatenate([p[:, c[piece] : c[piece + 1]] for p, c in zip(parts, cuts, strict=True)], axis=1)
        whole_CN[:, done : done + block_CN.shape[1]] = block_CN[:, np.lexsort(block_CN[::-1])]
        done += block_CN.shape[1]
    whole_CN.flush()
    for run in runs:
        (folder / run.file).unlink()
    return united


def _compare(run_CN: Keys, keys_CN: Keys) -> npt.NDArray[np.int8]:
    """One run's answer. Rows that share the first number are few: a prompt's answers, or a chance in 2^64."""
    low_N = np.searchsorted(run_CN[0], keys_CN[0], side="left")
    high_N = np.searchsorted(run_CN[0], keys_CN[0], side="right")
    found_N = np.zeros(keys_CN.shape[1], dtype=np.int8)
    for step in range(int((high_N - low_N).max(initial=0))):
        (here,) = np.nonzero(low_N + step < high_N)
        rows_CN, wanted_CN = run_CN[:, low_N[here] + step], keys_CN[:, here]
        same_prompt = np.all(rows_CN[:4] == wanted_CN[:4], axis=0)
        state_N = np.where(same_prompt, np.where(rows_CN[4] == wanted_CN[4], SEEN, CONFLICT), NEW)
        found_N[here] = np.maximum(found_N[here], state_N)
    return found_N


def _share(source: Path, target: Path) -> None:
    # A link costs nothing, however long the history, and DVC knows its hash already.
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
