"""What new data costs: `prepare` and `assemble` on 200,000 titles against an index of 10 million.

`python benchmarks/data.py [FILE]`; FILE is the CSV of docs/how-to/real-titles.md, tiled with variation; without it
the shipped sample titles are tiled. Both sides run on one core. The peer, datatrove, is installed from the package
registry into a throw-away environment (DATATROVE_PYTHON names one that is there); it does its MinHash
deduplication alone, Graft reads, cleans, validates, deduplicates, compares, splits and writes.
"""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.common import files
from pipeline.data.assemble import slices
from pipeline.data.index import index, runs
from pipeline.data.reading import increment
from pipeline.data.reading.increment import FileSpec
from pipeline.data.records import arrow

ROOT = Path(__file__).resolve().parent.parent
TITLES = ROOT / "../shared/data/pricerunner/pricerunner_aggregate.csv"
SAMPLE = ROOT / "examples/increments/2026-01-winter/products.csv"
ROWS, HISTORY = 200_000, 10_000_000
CHAIN, STEP = 10, 20_000  # increments of the second measurement, and their rows
RATE = 20_000  # records a second, the target
PEER = "datatrove[io,multilingual,processing]==0.10.1"
COLOURS = "red blue green black white silver gold grey pink orange purple brown".split()  # noqa: SIM905
DATATROVE = """
import sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
if __name__ == "__main__":
    source, work = sys.argv[1:]
    config = MinhashConfig()
    steps = [
        [JsonlReader(source), MinhashDedupSignature(f"{work}/signatures", config=config, language="en")],
        [MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)],
        [MinhashDedupCluster(f"{work}/buckets", f"{work}/remove", config=config)],
        [JsonlReader(source), MinhashDedupFilter(f"{work}/remove"), JsonlWriter(f"{work}/kept")],
    ]
    for number, step in enumerate(steps):
        tasks = config.num_buckets if number == 1 else 1
        LocalPipelineExecutor(step, tasks=tasks, workers=1, logging_dir=f"{work}/logs/{number}").run()
"""


def titles(source: Path) -> list[tuple[str, str]]:
    """(title, category) pairs of the public data set, or of the sample."""
    with source.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return [(row[1], row[6]) for row in rows] if len(rows[0]) == 7 else [(row[0], row[1]) for row in rows[1:]]


def varied(pairs: list[tuple[str, str]], count: int, salt: str = "") -> Iterator[tuple[str, str, str]]:
    """`count` (id, title, category) rows: further rounds are other products, with other numbers and colours."""
    for number in range(count):
        title, category = pairs[number % len(pairs)]
        turn = number // len(pairs)
        if turn or salt:
            draw = hashlib.sha256(f"{salt}/{turn}/{title}".encode()).digest()
            title = re.sub(r"\d", lambda m: str((int(m[0]) + draw[m.start() % 32]) % 10), title)  # noqa: B023
            title = f"{title} {COLOURS[draw[0] % 12]} {COLOURS[draw[1] % 12]} {draw[2]}{chr(97 + draw[3] % 26)}"
        yield f"{salt}{number}", title, category


def workspace(folder: Path, name: str, rows: Iterator[tuple[str, str, str]]) -> None:
    """A tree as the two stages need it, with one increment."""
    for path in ("params.yaml", "reports/params.json", "schemas", "data/golden", "data/augment", "data/review.csv"):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / path, folder / path)
    target = folder / "data/increments" / name
    (target / "raw").mkdir(parents=True)
    with (target / "raw/titles.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    columns = ("id", "title", "category")
    spec = FileSpec(
        format="csv", encoding="utf-8", delimiter=",", header=False, columns=columns, text="title", label="category"
    )
    increment.save(target, "", {"raw/titles.csv": spec})
    lock = json.loads((ROOT / "models.lock").read_text())
    files.write_json(folder / "models.lock", lock | {"increment": f"data/increments/{name}", "parent": None})


def history(parent: Path, count: int) -> None:
    """The state of a parent whose index holds `count` records of random content."""
    source = np.random.default_rng(7)
    rows_CN = source.integers(0, 2**64, (runs.COLUMNS, count), dtype=np.uint64)
    rows_CN[runs.STATE] &= runs.LABEL
    rows_CN[runs.KEY] = 0
    (parent / "index").mkdir(parents=True)
    index.Index().extended(parent / "index", "history", rows_CN, {})
    slices.write(parent / "slices", {})
    arrow.write_records(parent / "reservoir.arrow", [])
    files.write_json(parent / "labels.json", [])


def timed(*command: str, folder: Path) -> tuple[float, float]:
    """Wall seconds and peak memory (MB) of a command on one core."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
    started = time.perf_counter()
    with subprocess.Popen(
        ["taskset", "-c", "0", *command], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    ) as run:
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        sys.exit(f"{' '.join(command)}: exit {run.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1e3


def stages(folder: Path) -> tuple[float, float]:
    """Seconds of the two stages together, start-up included, and the higher peak (MB)."""
    both = [timed(sys.executable, "-m", f"pipeline.stages.{name}", folder=folder) for name in ("prepare", "assemble")]
    for name, (seconds, megabytes) in zip(("prepare", "assemble"), both, strict=True):
        print(f"  {name}: {seconds:.2f} s, peak {megabytes:.0f} MB", flush=True)
    return sum(seconds for seconds, _ in both), max(megabytes for _, megabytes in both)


def against_history(pairs: list[tuple[str, str]], folder: Path) -> tuple[float, float]:
    """One large increment against a large index."""
    workspace(folder, "new", varied(pairs, ROWS))
    print(f"index of {HISTORY:,} records: building", flush=True)
    # In a process of its own: a child's peak memory counts from its parent's.
    subprocess.run([sys.executable, __file__, "--history", folder / "models/parent"], check=True)
    print(f"{ROWS:,} rows against it")
    return stages(folder)


def over_a_chain(pairs: list[tuple[str, str]], folder: Path) -> float:
    """Cost of the tenth increment over that of the second: 1 when history costs nothing."""
    seconds = []
    parent = folder / "models/parent"
    parent.mkdir(parents=True)
    (parent / "NONE").touch()
    for number in range(CHAIN):
        name = f"increment-{number:02d}"
        workspace(folder, name, varied(pairs, STEP, f"{name} "))
        seconds.append(min(stages(folder)[0] for _ in range(3)))
        files.empty_dir(parent).rmdir()
        shutil.copytree(folder / "data/assembled", parent)
        for path in ("params.yaml", "reports/params.json", "schemas", "data/golden", "data/augment", "data/review.csv"):
            (shutil.rmtree if (folder / path).is_dir() else os.remove)(folder / path)
    return seconds[-1] / seconds[1]


def datatrove(pairs: list[tuple[str, str]], folder: Path) -> float:
    """Seconds of the peer's four steps on the same rows."""
    python = os.environ.get("DATATROVE_PYTHON")
    if not python:
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        python = str(folder / "venv/bin/python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
    (folder / "source").mkdir()
    with (folder / "source/titles.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": id_, "text": title}) + "\n" for id_, title, _ in varied(pairs, ROWS))
    (folder / "peer.py").write_text(DATATROVE)
    return timed(python, "peer.py", "source", "work", folder=folder)[0]


def main() -> None:
    """Measure both sides, print a line of JSON for each claim; the last is the headline."""
    if sys.argv[1:2] == ["--history"]:
        history(Path(sys.argv[2]), HISTORY)
        return
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else TITLES if TITLES.is_file() else SAMPLE
    pairs = titles(source)
    print(f"{len(pairs):,} titles of {source.name}, tiled to {ROWS:,}")
    with tempfile.TemporaryDirectory(prefix="graft-data-") as scratch:
        seconds, megabytes = against_history(pairs, Path(scratch) / "history")
        growth = over_a_chain(pairs, Path(scratch) / "chain")
        (Path(scratch) / "peer").mkdir()
        theirs = datatrove(pairs, Path(scratch) / "peer")
    rate = ROWS / seconds
    claim("records a second against 10M seen", round(rate), f"target {RATE}", rate / RATE, 1.0, "records/s")
    claim("peak memory", round(megabytes), "limit 1000", 1000 / megabytes, 1.0, "MB")
    claim("10th increment over the 2nd", round(growth, 3), "limit 1.15", 1.15 / growth, 1.0, "ratio of seconds")
    claim(
        "new data, whole, against MinHash alone", round(seconds, 2), f"{PEER}: {theirs:.1f}", theirs / seconds, 5.0, "s"
    )


def claim(name: str, ours: float, theirs: str, ratio: float, target: float, unit: str) -> None:
    """One line of JSON."""
    print(
        json.dumps(
            {"name": name, "ours": ours, "theirs": theirs, "ratio": round(ratio, 2), "target": target, "unit": unit}
        )
    )


if __name__ == "__main__":
    main()
