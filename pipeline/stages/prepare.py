"""prepare: an increment's raw files -> canonical records, and every row that cannot be one with its reason.

Stateless: only the increment and the params count, never the chain. Every row read is either a record or a
reject. Records are sorted by id, so the order of files and rows does not change what is trained.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from pipeline import errors, files, params
from pipeline.chain import lockfile
from pipeline.data import increment as increments
from pipeline.data import readers, records, text
from pipeline.data.increment import FileSpec, Increment
from pipeline.data.records import Record
from pipeline.errors import GraftError

OUT = Path("data/prepared")
KEPT_REJECTS = Path(".graft/rejects.jsonl")  # where a stopped run leaves them: DVC removes a failed stage's outputs
DUPLICATE, CONFLICT = "duplicate", "conflicting labels"


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `prepare` of params.yaml."""

    max_reject_share: float  # of the rows read, duplicates not counted: leaving them out loses nothing
    min_chars: int
    max_chars: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """A row that is no record."""

    file: str
    line: int
    reason: str
    raw: str  # the row's first characters, as they were


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What an increment comes to."""

    records: list[Record]  # sorted by id
    rejects: list[Reject]  # sorted by file and line
    report: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A row whose text and label can be used."""

    text: str
    label: str
    file: str
    line: int
    raw: str


def prepare(increment: Increment, folder: Path, options: Params) -> Prepared:
    """Read every file of an increment; writes nothing.

    Raises:
        GraftError: a file cannot be opened, or its header is not the declared one. A bad row raises nothing.
    """
    examples: list[Example] = []
    rejects: list[Reject] = []
    for file, spec in sorted(increment.files.items()):
        for row in readers.rows(folder / file, spec):
            read = example(row, file, spec, options)
            if isinstance(read, Reject):
                rejects.append(read)
            else:
                examples.append(read)
    unique, repeated = distinct(examples)
    rejects = sorted([*rejects, *repeated], key=attrgetter("file", "line"))
    kept = sorted((record(item, increment) for item in unique), key=attrgetter("id"))
    return Prepared(records=kept, rejects=rejects, report=report(increment, kept, rejects))


def example(row: readers.Row, file: str, spec: FileSpec, options: Params) -> Example | Reject:
    """Clean one row; a row that cannot be used becomes a reject."""
    found, label = row.values.get(spec.text), row.values.get(spec.label)
    problem = row.problem or _missing("text", found) or _missing("label", label)
    if problem is None:
        found, label = text.clean(str(found)), text.clean(str(label))
        problem = _unfit(found, label, options)
    if problem is not None:
        return Reject(file=file, line=row.line, reason=problem, raw=row.raw)
    return Example(text=text.mask(str(found)), label=str(label), file=file, line=row.line, raw=row.raw)


def distinct(examples: Sequence[Example]) -> tuple[list[Example], list[Reject]]:
    """Leave one example of each content: the first by file and line; none where labels contradict each other."""
    labels: dict[str, set[str]] = defaultdict(set)
    for item in examples:
        labels[item.text].add(item.label)
    unique: dict[str, Example] = {}
    rejects = []
    for item in sorted(examples, key=attrgetter("file", "line")):
        if len(labels[item.text]) > 1:
            rejects.append(_reject(item, CONFLICT))
        elif item.text in unique:
            rejects.append(_reject(item, DUPLICATE))
        else:
            unique[item.text] = item
    return list(unique.values()), rejects


def record(item: Example, increment: Increment) -> Record:
    """The canonical record of an example."""
    messages = records.classification(item.text, item.label, increment.instruction)
    return Record(
        id=records.content_id(messages), messages=messages, increment=increment.name, file=item.file, line=item.line
    )


def report(increment: Increment, kept: Sequence[Record], rejects: Sequence[Reject]) -> dict[str, Any]:
    """Counts: `read` is `records` plus the sum of `rejects`."""
    masked = Counter[str]()
    for item in kept:
        prompt = item.prompt[0]["content"]
        masked.update(email=prompt.count(text.EMAIL), phone=prompt.count(text.PHONE))
    return {
        "increment": increment.name,
        "read": len(kept) + len(rejects),
        "records": len(kept),
        "rejects": dict(sorted(Counter(reject.reason for reject in rejects).items())),
        "labels": dict(sorted(Counter(item.answer for item in kept).items())),
        "masked": dict(masked),
    }


def check(prepared: Prepared, options: Params) -> None:
    """Refuse an increment of which too much, or all, was rejected.

    Raises:
        GraftError: names the reasons, most frequent first, with the first rows of each.
    """
    read = prepared.report["read"]
    lost = [reject for reject in prepared.rejects if reject.reason != DUPLICATE]
    name = prepared.report["increment"]
    if not prepared.records:
        message = f"{name}: none of {read} rows can be trained on"
    elif len(lost) > options.max_reject_share * read:
        message = (
            f"{name}: {len(lost)} of {read} rows rejected ({len(lost) / read:.1%}), "
            f"prepare.max_reject_share allows {options.max_reject_share:.1%}"
        )
    else:
        return
    raise GraftError(
        message,
        list(_summary(prepared.rejects)),
        help="correct the files, or how increment.yaml says to read them, or raise prepare.max_reject_share",
    )


def json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON Lines: one object a line, in the order given."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    """Prepare the open increment: data/prepared."""
    options = params.load("prepare", Params)
    folder = Path(lockfile.load().increment)
    files.empty_dir(OUT)
    increment = increments.load(folder)
    print(f"prepare: {increment.name}: {', '.join(sorted(increment.files))}", flush=True)
    prepared = prepare(increment, folder, options)
    rejects = json_lines(map(asdict, prepared.rejects))
    try:
        check(prepared, options)
    except GraftError:
        files.write_text(KEPT_REJECTS, rejects)
        print(f"prepare: every rejected row is in {KEPT_REJECTS}", flush=True)
        raise
    files.write_text(OUT / "records.jsonl", json_lines(map(asdict, prepared.records)))
    files.write_text(OUT / "rejects.jsonl", rejects)
    files.write_json(OUT / "report.json", prepared.report)
    print(f"prepare: {prepared.report['read']} rows read, {len(prepared.records)} records")
    for line in _summary(prepared.rejects):
        print(f"prepare: rejected: {line}")


def _missing(name: str, value: object) -> str | None:
    if value is None:
        return f"no {name}"
    return None if isinstance(value, str) else f"{name} is not a string"


def _unfit(found: str, label: str, options: Params) -> str | None:
    if text.undecodable(found) or text.undecodable(label):
        return "undecodable characters"
    if text.marks_a_turn(found) or text.marks_a_turn(label):
        return "control tokens of a chat template"
    if not label:
        return "empty label"
    if not found:
        return "empty text"
    if len(found) < options.min_chars:
        return "text too short"
    return "text too long" if len(found) > options.max_chars else None


def _reject(item: Example, reason: str) -> Reject:
    return Reject(file=item.file, line=item.line, reason=reason, raw=item.raw)


def _summary(rejects: Sequence[Reject]) -> Iterator[str]:
    places: dict[str, list[str]] = defaultdict(list)
    for reject in rejects:
        places[reject.reason].append(f"{reject.file}:{reject.line}")
    for reason, found in sorted(places.items(), key=lambda item: (-len(item[1]), item[0])):
        more = ", ..." if len(found) > 3 else ""
        yield f"{reason}: {len(found)} ({', '.join(found[:3])}{more})"


if __name__ == "__main__":
    errors.run(main)
