"""prepare: an increment's raw files -> canonical records, and every row that cannot be one with its reason.

Stateless: only the increment and the params count, never the chain. Every row read is either a record or a
reject. Records are sorted by id, so the order of files and rows does not change what is trained.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import errors, files, params
from pipeline.chain import lockfile
from pipeline.data import arrow, conflicts, jsonl, rejects, rows, selection, validate, views
from pipeline.data import increment as increments
from pipeline.data import prepared as reports
from pipeline.data.arrow import SCHEMA
from pipeline.data.clean import clean, pii
from pipeline.data.increment import Increment
from pipeline.data.records import Record
from pipeline.model import pinned

OUT = Path("data/prepared")
KEPT_REJECTS = Path(".graft/rejects.jsonl")  # where a stopped run leaves them: DVC removes a failed stage's outputs


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `prepare` of params.yaml, which says what each key means."""

    max_reject_share: float
    max_bytes: int
    max_line: int
    min_chars: int
    max_chars: int
    normalize: Mapping[str, Any]
    pii: Mapping[str, Any]
    quality: Mapping[str, Any]
    near_duplicates: float | None
    conflicts: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What an increment comes to."""

    table: pa.Table  # records, by id
    content: bytes | bytearray  # of records.jsonl
    rejects: pa.Table  # by file and line
    review: str  # questions for people, where prepare.conflicts is review
    report: dict[str, Any]

    @property
    def records(self) -> list[Record]:
        """The records one by one."""
        return arrow.records_of(self.table)


def prepare(increment: Increment, folder: Path, options: Params) -> Prepared:
    """Read every file of an increment; writes nothing.

    Raises:
        GraftError: a file cannot be opened, is larger than allowed, or its header is not the declared one;
            labels contradict each other, and that is to stop the stage. A bad row raises nothing.
    """
    usable, unusable, masked = read(increment, folder, options)
    chosen = selection.select(usable, similarity=options.near_duplicates, conflicts_policy=options.conflicts)
    wholly = finished(chosen.table, increment)
    content, problems = written(wholly)
    valid = pa.array([problem is None for problem in problems], pa.bool_())
    invalid = rejects.of(chosen.table.filter(pc.invert(valid)), [problem for problem in problems if problem])
    lost = rejects.united([unusable, chosen.dropped, invalid])
    kept = wholly.filter(valid)
    return Prepared(
        table=kept,
        content=content,
        rejects=lost,
        review=conflicts.questions(chosen.open),
        report=reports.report(increment, kept, lost, masked, chosen),
    )


def read(increment: Increment, folder: Path, options: Params) -> tuple[pa.Table, pa.Table, dict[str, int]]:
    """Every row of every file, cleaned: those that can be used, the rejects, and what was masked."""
    limits = rows.Limits(max_bytes=options.max_bytes, max_line=options.max_line)
    cleaning = clean.Options.of(asdict(options), _tokenizer(options))
    kept, lost, masked = [], [], Counter[str]()
    for file, spec in sorted(increment.files.items()):
        for batch in rows.batches(folder / file, file, spec, increment, limits):
            cleaned = clean.clean(batch, cleaning)
            good = pc.is_null(cleaned.column("problem"))
            kept.append(views.instructed(cleaned.filter(good), increment.instruction))
            lost.append(rejects.of(bad := cleaned.filter(pc.invert(good)), bad.column("problem").to_pylist()))
            masked.update(pii.counts(kept[-1].column("messages").flatten().field("content")))
    return pa.Table.from_batches(kept, arrow.ROWS), rejects.united(lost), masked


def written(records: pa.Table) -> tuple[bytearray, list[str | None]]:
    """A line of JSON for every record that is as its schema says, and for every record what is wrong, if anything."""
    content, problems = bytearray(), []
    for document in jsonl.documents(records):
        problems.append(problem := validate.problem(document))
        if problem is None:
            content += jsonl.line(document)
    return content, problems


def _tokenizer(options: Params) -> Path | None:
    """The base's tokenizer, if texts are bounded in tokens."""
    bounded = options.quality["min_tokens"] is not None or options.quality["max_tokens"] is not None
    return pinned.load().folder / "tokenizer.json" if bounded else None


def finished(rows: pa.Table, increment: Increment) -> pa.Table:
    """Rows as records: with id and increment, without what only served to choose them."""
    columns = {name: rows.column(name) for name in rows.column_names}
    columns["increment"] = pa.array([increment.name] * rows.num_rows, pa.string())
    columns["weight"] = pa.nulls(rows.num_rows, pa.float32())
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA).combine_chunks()


def main() -> None:
    """Prepare the open increment: data/prepared."""
    options = params.load("prepare", Params)
    folder = Path(lockfile.load().increment)
    files.empty_dir(OUT)
    increment = increments.load(folder)
    print(f"prepare: {increment.name}: {', '.join(sorted(increment.files))}", flush=True)
    prepared = prepare(increment, folder, options)
    try:
        reports.check(prepared.report, options.max_reject_share)
    except errors.GraftError:
        rejects.write(KEPT_REJECTS, prepared.rejects)
        print(f"prepare: every rejected row is in {KEPT_REJECTS}", flush=True)
        raise
    files.write_bytes(OUT / "records.jsonl", prepared.content)
    rejects.write(OUT / "rejects.jsonl", prepared.rejects)
    files.write_text(OUT / "review.csv", prepared.review)
    files.write_json(OUT / "report.json", prepared.report)
    print(f"prepare: {prepared.report['read']} rows read, {len(prepared.table)} records")
    for line in reports.summary(prepared.report):
        print(f"prepare: rejected: {line}")


if __name__ == "__main__":
    errors.run(main)
