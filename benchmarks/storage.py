"""What a release takes in the remote, beside a full copy of the model per version.

`python benchmarks/storage.py [RELEASES]` makes the chain twice in throw-away clones, with `merge.keep` full and
on-demand, and weighs the remote after each release. Both clones share one cache: the second trains nothing,
for `merge.keep` changes no byte. One epoch and a gate that lets all pass: bytes are measured here, not models.
"""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from examples import drops  # noqa: E402
from examples.titles import Dice  # noqa: E402
from pipeline.chain.commits import outputs  # noqa: E402

RELEASES = 6  # the shipped sample, then drops of its kind
ROWS = 1000  # of each drop
TARGET = 1.1  # times (adapter + new data + state + reports), on demand
QUICK = {r"epochs: \d+": "epochs: 1", r"at_least: [\d.]+": "at_least: 0", r"may_drop: [\d.]+": "may_drop: 1"}
PERSON = {f"GIT_{role}_{key}": "bench@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}


def chain(folder: Path, keep: str, cache: Path, count: int) -> list[dict[str, int]]:
    """Make `count` releases; bytes of each one: `growth` of the remote, `copy` of models/merged, `needed`."""
    clone, remote = folder / "clone", folder / "remote"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    _type(clone, "git remote remove origin && git checkout --quiet -B main")  # whatever happens to ROOT meanwhile
    remote.mkdir()
    _type(clone, f"dvc cache dir --local {cache} && dvc remote add --default storage {remote}")
    _settings(clone, keep)
    released, before, known = [], 0, set[str]()
    for number in range(count):
        if number:
            drop = _drop(folder, number)
            _type(clone, f"graft add drop-{number:02} {drop}")
        _type(clone, "dvc repro && git add --all && git commit --message Candidate && graft release")
        size = _bytes(remote)
        copy, needed = _bytes(clone / "models/merged"), _needed(clone, known)
        released.append({"growth": size - before, "copy": copy, "needed": needed})
        print(
            f"{keep:9} release {number + 1}: remote +{size - before:,} B, needed {needed:,} B, copy {copy:,} B",
            flush=True,
        )
        before = size
    return released


def _settings(clone: Path, keep: str) -> None:
    text = (clone / "params.yaml").read_text(encoding="utf-8")
    for pattern, value in {**QUICK, r"keep: full": f"keep: {keep}"}.items():
        text = re.sub(pattern, value, text)
    (clone / "params.yaml").write_text(text, encoding="utf-8")


def _drop(folder: Path, number: int) -> Path:
    path = folder / f"drop-{number}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["title", "category"])
        rows.writerows((row.title, row.category) for row in drops.clean(ROWS, drops.FIRST, Dice(7000 + number)))
    return path


def _needed(clone: Path, known: set[str]) -> int:
    """Adapter, new data, state and reports of the tree's release, as far as no release before it had the bytes."""
    manifest = json.loads((clone / "reports/manifest.json").read_text())["outputs"]
    paths = [path for path in manifest if path.startswith("reports/") or outputs.below(path, outputs.STATE)]
    new = {manifest[path]["sha256"]: manifest[path]["size"] for path in paths}
    size = sum(size for digest, size in new.items() if digest not in known)
    known.update(new)
    [raw] = (clone / json.loads((clone / "models.lock").read_text())["increment"]).glob("raw")
    return size + _bytes(raw)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _type(clone: Path, line: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = PERSON | os.environ | {"PATH": path}
    line = line.replace("graft ", f"{sys.executable} -m pipeline ")
    done = subprocess.run(
        ["bash", "-ec", line], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{line}\n{done.stdout}{done.stderr}")


def _mean(released: list[dict[str, int]], key: str) -> int:
    return round(sum(release[key] for release in released) / len(released))


def main() -> None:
    """Measure both ways and print the line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RELEASES
    with tempfile.TemporaryDirectory(prefix="graft-storage-") as scratch:
        cache = Path(scratch, "cache")
        full, on_demand = (chain(Path(scratch, keep), keep, cache, count) for keep in ("full", "on-demand"))
    copy = _mean(full, "copy")
    print(f"mean of {count} releases: full {_mean(full, 'growth'):,} B, data and state included; full copy {copy:,} B")
    share = _mean(on_demand, "growth") / _mean(on_demand, "needed")
    print(f"on demand: {share:.3f} x (adapter + new data + state + reports), target {TARGET}")
    line = {
        "name": "remote's growth per release, merge.keep on-demand",
        "ours": _mean(on_demand, "growth"),
        "theirs": copy,
        "ratio": round(copy / _mean(on_demand, "growth"), 2),
        "target": round(TARGET * _mean(on_demand, "needed")),
        "unit": "bytes",
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
