"""prepare: an increment's raw files -> canonical records, and every row that cannot be one with its reason.

Stateless: only the increment and the params count, never the chain. Every row read is either a record or a
reject. Records are sorted by id, so the order of files and rows does not change what is trained. Rows wait on disk
for what is decided of them; memory holds a batch, and some 200 bytes of each row.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.chain.lock import lockfile
from pipeline.common import errors, files, params
from pipeline.data.clean import clean
from pipeline.data.prepare import conflicts, dates, prepared, rejects, rows, selection, survey, validate
from pipeline.data.prepare.prepare_report import Tally
from pipeline.data.prepare.selection import Selected
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.data.prepare.spool import Sorted, Spool
from pipeline.data.prepare.survey import Survey
from pipeline.data.reading import increment as increments
from pipeline.data.reading.increment import Increment
from pipeline.data.records import jsonl, message_columns
from pipeline.data.records.arrow import SCHEMA
from pipeline.model.base import pinned

OUT = Path("data/prepared")
KEPT_REJECTS = Path(".graft/rejects.jsonl")  # where a stopped run leaves them: DVC removes a failed stage's outputs
PART = 1 << 28  # bytes of rows whose records are sorted in one go
ID = len(b'{"id":"')  # what stands before the id in a record's line


def prepare(increment: Increment, folder: Path, options: PrepareSettings, out: Path) -> dict[str, Any]:
    """Read every file of an increment and write records.jsonl, rejects.jsonl, review.csv and report.json to `out`.

    Returns:
        The report.

    Raises:
        GraftError: a file cannot be opened, is larger than allowed, or its header is not the declared one;
            labels contradict each other, and that is to stop the stage. A bad row raises nothing.
    """
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        waiting = Spool(Path(scratch, "rows.arrow"))
        known = survey.united(list(read(increment, folder, options, waiting)))
        waiting.close()
        known = replace(known, dates=sortable_dates(known, waiting))
        common = survey.common_to_many(known, waiting)
        known = survey.sketched_without(known, waiting, common)
        chosen = selection.select(
            known, waiting, similarity=options.near_duplicates, policy=options.conflicts, common=common
        )
        parts = Sorted(Path(scratch), parts=1 + waiting.size // PART, prefix=ID)
        report = sort_out(increment, known, chosen, waiting, parts, out / "rejects.jsonl")
        with (out / "records.jsonl").open("wb") as sink:
            for lines in parts.read():
                sink.writelines(lines)
    unsettled = [conflict for conflict, label in chosen.settled if label is None]
    review = conflicts.read_review() if options.conflicts == "review" else None
    files.write_text(out / "review.csv", conflicts.questions(unsettled, review))
    files.write_json(out / "report.json", report)
    return report


def read(increment: Increment, folder: Path, options: PrepareSettings, waiting: Spool) -> Iterator[Survey]:
    """Clean every row of every file and put it on the spool; a survey of each batch."""
    limits = rows.Limits(max_bytes=options.max_bytes, max_line=options.max_line)
    cleaning = options.cleaning(_tokenizer(options))
    for file, spec in sorted(increment.files.items()):
        for batch in rows.batches(folder / file, file, spec, increment, limits):
            cleaned = message_columns.instructed(clean.clean(batch, cleaning), increment.instruction)
            yield survey.survey_batch(cleaned, increment.evaluation)
            waiting.append(cleaned)


def sort_out(
    increment: Increment, known: Survey, chosen: Selected, waiting: Spool, parts: Sorted, rejected: Path
) -> dict[str, Any]:
    """Write each row to where it belongs: records to `parts`, the others with their reasons; returns the report."""
    tally = Tally()
    with rejected.open("wb") as sink:
        for start, batch in waiting.batches():
            stop = start + batch.num_rows
            ids = message_columns.hexes(known.ids_N4[start:stop])
            decided = zip(batch.column("problem").to_pylist(), chosen.reasons[start:stop], strict=True)
            reasons = [problem or reason for problem, reason in decided]
            records = finished(batch, ids, known.dates[start:stop], increment).filter(_where(reasons, None))
            lines, problems = written(records)
            parts.write(lines)
            tally.records(records.filter(_where(problems, None)))
            for place, problem in zip(np.flatnonzero([reason is None for reason in reasons]), problems, strict=True):
                reasons[place] = problem
            left = pa.array([reason is not None for reason in reasons])
            near = _stand_ins(known, chosen, range(start, stop))
            known_ids = pc.if_else(pa.array(known.usable_N[start:stop]), ids, None)
            lost = batch.append_column("id", known_ids).append_column("near", near).filter(left)
            why = [reason for reason in reasons if reason is not None]
            rejects.write(sink, rejects.rejected(lost, why))
            tally.rejects(lost, why)
    return tally.report(increment, chosen)


def sortable_dates(known: Survey, waiting: Spool) -> list[str | None]:
    """The date of each row as text that sorts by time.

    Raises:
        GraftError: as `dates.sortable`.
    """
    if not any(known.dates):
        return known.dates
    places: dict[str, dict[str, str]] = {}
    files_of: list[str] = []
    for start, batch in waiting.batches():
        rows_of = zip(batch.column("file").to_pylist(), batch.column("line").to_pylist(), strict=True)
        for row, (file, line) in enumerate(rows_of, start):
            files_of.append(file)
            if (value := known.dates[row]) is not None:
                places.setdefault(file, {}).setdefault(value, f"{file}:{line}")
    found = dates.sortable(places)
    return [None if value is None else found[file][value] for file, value in zip(files_of, known.dates, strict=True)]


def finished(batch: pa.RecordBatch, ids: pa.Array, dated: Sequence[str | None], increment: Increment) -> pa.RecordBatch:
    """Rows as records: with id, date and increment, without what only served to choose them."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns |= {
        "date": pa.array(dated, pa.string()),
        "id": ids,
        "increment": pa.array([increment.name] * len(ids), pa.string()),
    }
    columns["weight"] = pa.nulls(len(ids), pa.float32())
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def written(records: pa.RecordBatch) -> tuple[list[bytes], list[str | None]]:
    """A line of JSON for every record that is as its schema says, and for every record what is wrong, if anything."""
    lines, problems = [], []
    for document in jsonl.documents(pa.Table.from_batches([records])):
        problems.append(problem := validate.problem(document))
        if problem is None:
            lines.append(jsonl.line(document))
    return lines, problems


def main() -> None:
    """Prepare the open increment: data/prepared."""
    options = params.load("prepare", PrepareSettings)
    folder = Path(lockfile.load().increment)
    files.empty_dir(OUT)
    increment = increments.load(folder)
    print(f"prepare: {increment.name}: {', '.join(sorted(increment.files))}", flush=True)
    report = prepare(increment, folder, options, OUT)
    try:
        prepared.check(report, options.max_reject_share)
    except errors.GraftError:
        KEPT_REJECTS.parent.mkdir(exist_ok=True)
        (OUT / "rejects.jsonl").replace(KEPT_REJECTS)
        files.empty_dir(OUT)
        print(f"prepare: every rejected row is in {KEPT_REJECTS}", flush=True)
        raise
    print(f"prepare: {report['read']} rows read, {report['records']} records")
    for line in prepared.summary(report):
        print(f"prepare: rejected: {line}")
    if questions := conflicts.count((OUT / "review.csv").read_text(encoding="utf-8")):
        print(f"prepare: {questions} contradictions are open: {OUT}/review.csv; answers go to {conflicts.REVIEW}")
    if options.conflicts == "review" and (agreement := conflicts.read_review().agreement()):
        print(f"prepare: review: {agreement}")


def _tokenizer(options: PrepareSettings) -> Path | None:
    """The base's tokenizer, if texts are bounded in tokens."""
    bounded = options.quality.min_tokens is not None or options.quality.max_tokens is not None
    return pinned.load().folder / "tokenizer.json" if bounded else None


def _where(values: Sequence[str | None], wanted: str | None) -> pa.Array:
    return pa.array([value is wanted for value in values], pa.bool_())


def _stand_ins(known: Survey, chosen: Selected, places: range) -> pa.Array:
    """Id of the record that stands in each row's place, if one does."""
    keepers = pa.array([chosen.stands_for.get(row) for row in places], pa.int64())
    rows, back = np.unique(keepers.drop_null().to_numpy(), return_inverse=True)
    place = np.full(len(places), -1)
    place[keepers.is_valid().to_numpy(zero_copy_only=False)] = back
    return message_columns.hexes(known.ids_N4[rows]).take(pa.array(place, mask=place < 0))


if __name__ == "__main__":
    errors.run(main)
