"""A released model on newly labelled data: `python -m pipeline.ci.decay SOURCE`, in a checkout of the release.

SOURCE is what `pipeline.ci.refresh` takes: a URL, a file, a folder or a script.

Prints JSON: accuracy, macro_f1, items, floors (of gate.rules.all), below (the metrics that fell below their
floor). Needs models/adapter, models/base and data/assembled/labels.json: `dvc pull` brings them.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipeline import errors, files, params
from pipeline.chain import lockfile
from pipeline.ci import refresh
from pipeline.data import arrow, detect, increment, jsonl
from pipeline.data import prepared as reports
from pipeline.data.records import Record
from pipeline.errors import GraftError
from pipeline.stages import prepare

ADAPTER = Path("models/adapter")
LABELS = Path("data/assembled/labels.json")


def records(sources: list[Path], instruction: str) -> list[Record]:
    """The files' records, read and cleaned as the stage `prepare` does.

    Raises:
        GraftError: a file cannot be read, or too many of its rows are rejected.
    """
    options = params.load("prepare", prepare.Params)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "labelled")
        (folder / increment.RAW).mkdir(parents=True)
        for source in sources:
            shutil.copyfile(source, folder / increment.RAW / source.name)
        specs = {f"{increment.RAW}/{source.name}": detect.detect(source) for source in sources}
        increment.save(folder, instruction, specs)
        report = prepare.prepare(increment.load(folder), folder, options, Path(scratch))
        reports.check(report, options.max_reject_share)
        return arrow.records_of(jsonl.read(Path(scratch, "records.jsonl")))


def measure(items: list[Record]) -> dict[str, Any]:
    """Accuracy and macro-F1 of the checked-out release, beside the gate's floors."""
    from pipeline.stages import evaluate

    scored = evaluate.predict(evaluate.scorer(), ADAPTER, files.read_json(LABELS), items)
    predicted = {item.id: row["predicted"] for item, row in zip(items, scored.rows, strict=True)}
    found = evaluate.measure({"labelled": items}, predicted)["all"]
    floors = {name: rule["at_least"] for name, rule in params.load_all()["gate"]["rules"]["all"].items()}
    below = [name for name, floor in floors.items() if not (found[name] or 0.0) >= floor]
    return {**found, "floors": floors, "below": below}


def main() -> None:
    """Measure what the source holds."""
    if len(sys.argv) != 2:
        raise GraftError("usage: python -m pipeline.ci.decay SOURCE")
    instruction = increment.read(Path(lockfile.load().increment)).instruction
    with tempfile.TemporaryDirectory() as scratch:
        items = records(refresh.fetch(sys.argv[1], Path(scratch)), instruction)
    print(files.dumps(measure(items)), end="")


if __name__ == "__main__":
    errors.run(main)
