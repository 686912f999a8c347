"""What people think of answers: ratings.csv, and the list of what nobody rated yet, which they fill in."""

import codecs
import csv
import hashlib
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.common import files
from pipeline.common.errors import GraftError

COLUMNS = ("id", "hash", "score")
LISTED = ("id", "hash", "question", "reference", "answer", "score")  # of the list that people fill in
LONGEST = 30_000  # characters of a text in the list: what a spreadsheet's cell holds
HELP = "docs/how-to/judge.md: columns id, hash and score; a row without a score says nothing"

_HEX = re.compile(r"[0-9a-f]{64}")
_FORMULA = tuple("=+-@\t\r")  # a spreadsheet would run a cell that begins so

Rated = tuple[str, str]  # id of the item, hash of the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Unrated:
    """One line of the list, as people see it; nothing tells which model it is of."""

    id: str
    hash: str
    question: str
    reference: str
    answer: str


def hashed(answer: str) -> str:
    """SHA-256 of an answer's UTF-8 text, 64 hex digits."""
    return hashlib.sha256(answer.encode("utf-8", "surrogatepass")).hexdigest()


def read(path: Path, scale: Sequence[float]) -> dict[Rated, float | None]:
    """Every rating by item and answer; null where the row has no score. None without a file.

    A spreadsheet may have saved it: semicolons or tabs will do, a byte order mark and UTF-16 too. Further columns,
    such as who rated and why, are people's own.

    Args:
        path: a CSV file.
        scale: the lowest and the highest score.

    Raises:
        GraftError: columns are missing, or rows are no good; names every one with its line.
    """
    if not path.is_file():
        return {}
    lines = _lines(path)
    _, header = next(lines, (1, []))
    names = [name.strip().casefold() for name in header]
    if missing := [name for name in COLUMNS if names.count(name) != 1]:
        wanted = f"one column each of {', '.join(missing)} is needed; between columns stand commas, semicolons or tabs"
        raise GraftError(f"{path}: line 1: {wanted}", help=HELP)
    places = [names.index(name) for name in COLUMNS]
    found: dict[Rated, float | None] = {}
    first: dict[Rated, int] = {}
    problems: list[str] = []
    for line, cells in lines:
        id_, digest, told = (cells[place].strip() if place < len(cells) else "" for place in places)
        wrong = _wrong(id_, digest, told, scale)
        if len(cells) == 1:
            wrong = f"one cell, and the header has {len(names)}: between columns stands something else there"
        if not wrong and told and (id_, digest) in first:
            wrong = f"this answer is rated in line {first[id_, digest]} already"
        if wrong:
            problems.append(f"line {line}: {wrong}")
        elif told:
            first[id_, digest] = line
            found[id_, digest] = _number(told)
        else:
            found.setdefault((id_, digest), None)
    if problems:
        raise GraftError(f"{path}: {problems[0]}", problems[1:], help=HELP)
    return found


def taken(path: Path, filled: Path, scale: Sequence[float]) -> int:
    """Move what people filled into the list to the ratings, below what stands there; returns how many were new.

    Args:
        path: the ratings; whatever else they hold stays as it is.
        filled: the list, with scores.
        scale: the lowest and the highest score.

    Raises:
        GraftError: as `read`, of either; or an answer has another rating already. Nothing was written.
    """
    rated = read(path, scale)
    told = {place: score for place, score in read(filled, scale).items() if score is not None}
    problems = [
        f"{digest[:12]} of item {id_[:12]}: {score:g}, and {path} has {rated[id_, digest]:g}"
        for (id_, digest), score in sorted(told.items())
        if rated.get((id_, digest)) not in (None, score)
    ]
    if problems:
        raise GraftError(f"{filled}: {problems[0]}", problems[1:], help="empty these scores, or correct the ratings")
    new = {place: score for place, score in told.items() if rated.get(place) is None}
    if new:
        files.write_text(path, _appended(path, new))
    return len(new)


def _appended(path: Path, new: Mapping[Rated, float]) -> str:
    """Text of the ratings with further rows, in the columns that it has."""
    text = _text(path).rstrip("\r\n") if path.is_file() else ""
    text = text or ",".join(COLUMNS)
    delimiter = _delimiter(text)
    names = [name.strip().casefold() for name in next(csv.reader([text.partition("\n")[0]], delimiter=delimiter))]
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n", delimiter=delimiter)
    for (id_, digest), score in sorted(new.items()):
        cells = {"id": id_, "hash": digest, "score": f"{score:g}"}
        writer.writerow([cells.get(name, "") for name in names])
    return f"{text}\n{sink.getvalue()}"


def listed(rows: Iterable[Unrated], most: int) -> str:
    """The list that people fill in, at most `most` rows.

    By id, so that the answers of several models to one question stand together, and among these by hash, so that
    nothing tells whose they are. A cell that a spreadsheet would run as a formula begins with an apostrophe, and a
    byte order mark tells it that this is UTF-8.
    """
    ordered = sorted(rows, key=lambda row: (row.id, row.hash))[:most]
    cells = ([row.id, row.hash, *map(_harmless, (row.question, row.reference, row.answer)), ""] for row in ordered)
    return "\ufeff" + _csv(LISTED, cells)


def _wrong(id_: str, digest: str, told: str, scale: Sequence[float]) -> str | None:
    for name, value in (("id", id_), ("hash", digest)):
        if not _HEX.fullmatch(value):
            return f"{name}: {value[:40]!r} is not 64 hex digits, as `make judge` lists them"
    low, high = scale
    score = _number(told)
    if told and not low <= score <= high:  # so written, NaN is not
        return f"score: {told[:40]!r} is not a number from {low:g} to {high:g}"
    return None


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line that each begins in; empty ones left out."""
    text = _text(path)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    before = 0
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield before + 1, cells
            before = rows.line_num
    except csv.Error as error:
        raise GraftError(f"{path}: line {before + 1}: {error}", help=HELP) from None


def _text(path: Path) -> str:
    """Content of a file; all that is read of it is ASCII, so that other encodings than these do no harm."""
    content = path.read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig", "replace")


def _delimiter(text: str) -> str:
    return max(",;\t", key=text.partition("\n")[0].count)


def _harmless(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # csv leaves a lone one without quotes
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell.encode("utf-8", "replace").decode() for cell in row] for row in rows)
    return sink.getvalue()
