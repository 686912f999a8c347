"""The index of seen records: which questions the chain has met, and with which answer.

One run per increment, never rewritten. A run of N records is 5 columns of N little-endian uint64, one
after the other: the prompt's SHA-256 as 4 numbers (read big-endian, so that numbers sort as the digests
do), then the first 8 bytes of the answer's SHA-256. Rows are sorted and unique. Columns, because a binary
search then touches a few pages of the mapped file and never copies it: the cost follows the increment.
"""

import hashlib
import os
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
_HELP = "graft verify names what is damaged"

# Shape legend: C = the 5 columns above, N = records.
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One sorted file of the index."""

    file: str
    increment: str  # which one brought these records
    records: int


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
        """Write the index with one run more to `target`; runs that exist keep their bytes.

        Args:
            target: an empty folder.
            increment: name of the one that brought these records.
            keys_CN: in any order; no new run is written when there are none.
        """
        for run in self.runs:
            _share(self._path(run), target / run.file)
        runs = self.runs
        if keys_CN.shape[1]:
            sorted_CN = _sorted(keys_CN)
            added = Run(file=self._next_file(increment), increment=increment, records=sorted_CN.shape[1])
            files.write_bytes(target / added.file, np.ascontiguousarray(sorted_CN, dtype="<u8").tobytes())
            runs = (*runs, added)
        document = {"algorithm": ALGORITHM, "version": VERSION, "runs": [asdict(run) for run in runs]}
        files.write_json(target / "index.json", document)

    def _path(self, run: Run) -> Path:
        return (self.folder or Path()) / run.file

    def _next_file(self, increment: str) -> str:
        # Numbered, so that an increment that comes a second time gets a file of its own.
        last = int(self.runs[-1].file.split("-", 1)[0]) if self.runs else 0
        return f"{last + 1:05d}-{increment}.run"


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
