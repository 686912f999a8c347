"""A released model on newly labelled data: `python -m pipeline.ci.decay SOURCE`, in a checkout of the release.

SOURCE is what `pipeline.ci.refresh` takes: a URL, a file, a folder or a script.

Prints JSON: accuracy, macro_f1, items (or the metrics of other kinds of records, as in reports/metrics.json), floors
(of gate.rules.all), below (the metrics that fell below their floor, or a loss above its ceiling). Needs models/adapter,
models/base and data/assembled/labels.json: `dvc pull` brings them.
"""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipeline.chain.lock import lockfile
from pipeline.ci import refresh
from pipeline.common import errors, files, params
from pipeline.common.errors import GraftError
from pipeline.data.detect import detect
from pipeline.data.detect.detect_rows import Wishes
from pipeline.data.prepare import prepared as reports
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.data.reading import increment
from pipeline.data.reading.limits import Limits
from pipeline.data.records import arrow, jsonl
from pipeline.data.records.records import Record
from pipeline.evaluation import compared_models
from pipeline.evaluation.metrics import slice_metrics
from pipeline.evaluation.settings import EvaluateSettings
from pipeline.stages import prepare


def records(sources: list[Path], instruction: str) -> list[Record]:
    """The files' records, read and cleaned as the stage `prepare` does.

    Raises:
        GraftError: a file cannot be read, or too many of its rows are rejected.
    """
    options = params.load("prepare", PrepareSettings)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "labelled")
        (folder / increment.RAW).mkdir(parents=True)
        for source in sources:
            shutil.copyfile(source, folder / increment.RAW / source.name)
        found, faults = detect.detect_drop({source: Wishes() for source in sources}, Limits())
        if faults:
            raise faults[0]
        specs = {f"{increment.RAW}/{source.name}": spec for source, spec in found.items()}
        increment.save(folder, instruction, specs)
        report = prepare.prepare(increment.load(folder), folder, options, Path(scratch))
        reports.check(report, options.max_reject_share)
        return arrow.records_of(jsonl.read(Path(scratch, "records.jsonl")))


def measure(items: list[Record]) -> dict[str, Any]:
    """Metrics of the checked-out release, beside the gate's floors and ceilings."""
    asked = params.load("evaluate", EvaluateSettings)
    with contextlib.redirect_stdout(sys.stderr):  # what is printed there is JSON
        said = compared_models.judged(items, asked)
    found = slice_metrics.measure(said, "candidate", asked.language)
    rules = {name: rule for name, rule in params.load_all()["gate"]["rules"]["all"].items() if name in found}
    floors = {name: rule["at_least"] for name, rule in rules.items() if "at_least" in rule}
    below = [name for name, floor in floors.items() if not (found[name] or 0.0) >= floor]
    return {**found, "floors": floors, "below": below + _above(found, rules)}


def _above(found: dict[str, Any], rules: dict[str, Any]) -> list[str]:
    """Losses above their ceilings."""
    ceilings = {name: rule["at_most"] for name, rule in rules.items() if rule.get("at_most") is not None}
    return [name for name, ceiling in ceilings.items() if not found[name] <= ceiling]


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
