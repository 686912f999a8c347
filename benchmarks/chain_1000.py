"""What a chain of 1,000 releases costs: `python benchmarks/chain_1000.py [RELEASES]`.

The releases are commits and annotated tags as `graft release` leaves them, with real DVC objects of a few
bytes: no training, but every file, hash and listing that a chain of that length has.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from pipeline.chain.commits import outputs
from pipeline.common import files, sources, yaml
from pipeline.data.index import index

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = os.environ | {
    f"GIT_{who}_{what}": f"{who.lower()}@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
VERDICT = {
    "verdict": "pass",
    "decision": "pass",
    "reasons": [],
    "warnings": [],
    "override": None,
    "checks": [],
    "undecided": [],
}
INCREMENT = """\
version: 1
task: classification
instruction: ''
files:
  raw/new.csv:
    format: csv
    encoding: utf-8
    delimiter: ','
    header: true
    columns: [title, category]
    text: title
    label: category
"""
COMMANDS = {
    "graft log": ("-m", "pipeline", "log"),
    "graft verify": ("-m", "pipeline", "verify", "{tag}"),
    "graft add": ("-m", "pipeline", "add", "next", "{file}"),
    "graft gc": ("-m", "pipeline", "gc", "--keep", "10"),
    "dvc status": ("-m", "dvc", "status"),
    "dvc checkout": ("-m", "dvc", "checkout"),
}
TARGET = dict.fromkeys(COMMANDS, 2.0) | {"graft gc": 20.0}  # seconds


@dataclass
class Objects:
    """DVC's objects, written once each into the cache and as links into the remote."""

    cache: Path
    remote: Path
    sha256: dict[str, str] = field(default_factory=dict)  # md5 -> SHA-256
    size: dict[str, int] = field(default_factory=dict)  # md5 -> bytes

    def put(self, content: bytes, suffix: str = "") -> str:
        """Store bytes; returns their name."""
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
        if md5 not in self.sha256:
            self.sha256[md5], self.size[md5] = hashlib.sha256(content).hexdigest(), len(content)
            for place in (self.cache, self.remote):
                path = place / "files/md5" / md5[:2] / md5[2:]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                path.chmod(0o444)
        return md5

    def put_folder(self, names: dict[str, str]) -> str:
        """Store a folder's listing, relative path -> MD5; returns its name."""
        rows = [{"md5": md5, "relpath": name} for name, md5 in sorted(names.items())]
        return self.put(json.dumps(rows).encode(), ".dir")


Tree = dict[str, str | dict[str, str]]  # output path -> MD5 of a file, or a folder's relative path -> MD5


def state_of(made: Tree) -> dict[str, str]:
    """What stage `parent` lays out for the child: relative path -> MD5."""
    found: dict[str, str] = {}
    for path in outputs.STATE:
        content = made[path]
        name = Path(path).name
        found |= {name: content} if isinstance(content, str) else {f"{name}/{k}": v for k, v in content.items()}
    return found


def made_by(number: int, before: Tree, objects: Objects) -> Tree:
    """Outputs of the release of that number, a few bytes each; the index grows as the stage `assemble` lets it."""

    def new(what: str) -> str:
        return objects.put(f"{what} of release {number:05d}\n".encode())

    old = before.get("data/assembled/index", {})
    kept = dict(old) if isinstance(old, dict) else {}
    names = runs_after(sorted(kept.keys() - {"index.json"}), number)
    runs = {name: kept.get(name) or new(name) for name in names} | {"index.json": new("index.json")}
    parent = state_of(before) if before else {"NONE": objects.put(b"none\n")}
    same = objects.put(b"the same for every release\n")
    tree: Tree = {
        "models/base": {"pin.json": same},
        "models/parent": parent,
        "models/anchor": {"NONE": objects.put(b"none\n")},
        "data/assembled/slices": {name: new(name) for name in ("history.arrow", "golden-bestsellers.arrow")},
        "data/assembled/index": runs,
        "models/adapter": {name: new(name) for name in ("adapter_config.json", "adapter_model.safetensors")},
        "models/merged": {"model.safetensors": new("merged"), "tokenizer.json": same},
    }
    return tree | {
        path: new(path)
        for path in (
            "data/prepared/records.jsonl", "data/prepared/rejects.jsonl", "data/prepared/review.csv",
            "data/prepared/report.json", "data/assembled/lineage.parquet", "data/assembled/review.csv",
            "data/assembled/train.arrow", "data/assembled/reservoir.arrow", "data/assembled/labels.json",
            "data/assembled/dropped.jsonl", "data/assembled/report.json",
            "reports/predictions.json", "reports/matrix.json", "reports/details.json", "reports/plots/confusion.csv",
            "reports/data.html", "reports/report.html", "reports/rules.json",
        )
    }  # fmt: skip


def runs_after(names: list[str], number: int) -> list[str]:
    """The index's files once a release's run has come to those of its parent."""
    runs = [index.IndexFile(file=name, increment="", records=1, capacity=1) for name in names]
    runs.append(index.IndexFile(file=f"{number + 1:05d}-{name_of(number)}.run", increment="", records=1, capacity=1))
    while len(runs) >= index.FAN and len({run.span for run in runs[-index.FAN :]}) == 1:
        last = runs[-index.FAN :]
        file = f"{last[0].number:05d}+{sum(run.span for run in last)}.run"
        runs[-index.FAN :] = [index.IndexFile(file=file, increment="", records=1, capacity=1)]
    return [run.file for run in runs]


def name_of(number: int) -> str:
    """Increment of a release."""
    return f"drop-{number:05d}"


def tag_of(number: int) -> str:
    """Its tag: v1.0.0 is number 0."""
    return f"v1.{number}.0"


def reports(number: int) -> dict[str, str]:
    """Outputs that git keeps."""
    accuracy = {"accuracy": 0.9, "macro_f1": 0.9, "items": 100}
    measured = {"all": accuracy, "slices": dict.fromkeys(("history", "golden-bestsellers"), accuracy)}
    return {
        "reports/metrics.json": files.dumps(
            {"candidate": measured, "parent": measured if number else None, "truncated": 0}
        ),
        "reports/training.json": files.dumps({"records": 100 + number, "increments": {name_of(number): 100}}),
        "reports/verdict.json": files.dumps(VERDICT),
        "reports/decision.json": files.dumps("pass"),
        "reports/reasons.json": files.dumps([]),
        "reports/changes.json": files.dumps([]),
        "reports/report.md": f"# {name_of(number)}\n",
        "reports/plots/loss.csv": "step,loss,learning_rate,gradient_norm\n1,1,1,1\n",
        "reports/plots/learning_rate.csv": "learning_rate,loss\n",
        "reports/plots/slices.csv": "slice,release,accuracy\n",
        "reports/plots/calibration.csv": "confidence,accuracy,items\n",
        "reports/plots/forgetting.csv": "release,slice,accuracy\n",
    }


def manifest(made: Tree, in_git: dict[str, str], objects: Objects) -> str:
    """Size and SHA-256 of every output."""
    found = {}
    for path, content in made.items():
        files_of = {path: content} if isinstance(content, str) else {f"{path}/{k}": v for k, v in content.items()}
        found |= {name: {"sha256": objects.sha256[md5], "size": objects.size[md5]} for name, md5 in files_of.items()}
    for path, text in in_git.items():
        found[path] = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "size": len(text)}
    return json.dumps({"machine_class": None, "outputs": found, "version": 1}, sort_keys=True, indent=0) + "\n"


def pipeline_lock(stages: dict[str, Any], params: dict[str, Any], lock: dict[str, Any], md5s: dict[str, str]) -> str:
    """dvc.lock of a run of these stages: what DVC writes, values as JSON."""
    lines = ["schema: '2.0'", "stages:"]

    def entries(title: str, paths: Iterable[str]) -> None:
        lines.append(f"    {title}:")
        for path in paths:
            lines.extend([f"    - path: {path}", "      hash: md5", f"      md5: {md5s[path]}", "      size: 1"])

    for name, stage in stages.items():
        lines += [f"  {name}:", f"    cmd: {stage['cmd']}"]
        entries("deps", [dep.replace("${increment}", lock["increment"]) for dep in stage["deps"]])
        asked: dict[str, dict[str, Any]] = {}
        for key in stage.get("params", []):
            for file, names in key.items():
                values = lock if file == "models.lock" else params
                asked[file] = {name: reduce(getitem, name.split("."), values) for name in names}
        if asked:
            lines.append("    params:")
        for file, values in asked.items():
            lines += [f"      {file}:", *(f"        {key}: {json.dumps(value)}" for key, value in values.items())]
        entries("outs", [out if isinstance(out, str) else next(iter(out)) for out in stage["outs"]])
    return "\n".join(lines) + "\n"


@dataclass
class Writer:
    """A chain in the making: one commit and one tag a release, by `git fast-import`."""

    clone: Path
    objects: Objects
    stages: dict[str, Any]
    params: dict[str, Any]
    lock: dict[str, Any]
    md5s: dict[str, str]  # of what no release changes: code, base, golden items

    def stream(self, count: int) -> Iterator[bytes]:
        """Input of fast-import."""
        start = git(self.clone, "rev-parse", "HEAD")
        made: Tree = {}
        parent = None
        for number in range(count):
            made = made_by(number, made, self.objects)
            tree_files = self._files(number, made, parent)
            yield b"commit refs/heads/main\nmark :%d\n" % (number + 1)
            yield b"committer A. Tester <tester@example.com> %d +0000\n" % (1767225600 + number * 3600)
            yield _data(f"Release {number}")
            if number == 0:
                yield f"from {start}\n".encode()
            for path, text in tree_files.items():
                yield f"M 100644 inline {path}\n".encode() + _data(text)
            yield b"tag %s\nfrom :%d\n" % (tag_of(number).encode(), number + 1)
            yield b"tagger A. Tester <tester@example.com> %d +0000\n" % (1767225600 + number * 3600)
            yield _data(tag_of(number))
            parent = {"release": tag_of(number), "commit": "0" * 40, "state": self._state(made)}

    def _state(self, made: Tree) -> dict[str, dict[str, str]]:
        return {path: {"md5": self._md5(made[path])} for path in outputs.STATE}

    def _md5(self, content: str | dict[str, str]) -> str:
        return content if isinstance(content, str) else self.objects.put_folder(content)

    def _files(self, number: int, made: Tree, parent: dict[str, Any] | None) -> dict[str, str]:
        """What the release's commit holds in git."""
        folder = f"data/increments/{name_of(number)}"
        raw = self.objects.put_folder({"new.csv": self.objects.put(f"title,category\ntitle {number},Toys\n".encode())})
        in_git = reports(number) | {"reports/params.json": files.dumps(self.params)}
        lock = self.lock | {"increment": folder, "parent": parent}
        text = manifest(made, in_git, self.objects)
        md5s = self.md5s | {path: self._md5(content) for path, content in made.items()}
        md5s |= {path: _md5(content) for path, content in (in_git | {"reports/manifest.json": text}).items()}
        md5s |= {f"{folder}/raw": raw, f"{folder}/increment.yaml": _md5(INCREMENT)}
        return in_git | {
            "reports/manifest.json": text,
            "models.lock": files.dumps(lock),
            "dvc.lock": pipeline_lock(self.stages, self.params, lock, md5s),
            ".dvcignore": f"/data/increments/*\n/tests/\n!/{folder}\n",
            f"{folder}/increment.yaml": INCREMENT,
            f"{folder}/raw.dvc": f"outs:\n- md5: {raw}\n  size: 1\n  nfiles: 1\n  hash: md5\n  path: raw\n",
        }


def build(source: Path, folder: Path, count: int) -> Path:
    """Make a clone of `source` whose main holds `count` releases, everything checked out; returns the clone."""
    clone, remote = folder / "clone", folder / "remote"
    subprocess.run(["git", "clone", "--quiet", source, clone], check=True, env=ENVIRONMENT)
    git(clone, "remote", "remove", "origin")
    git(clone, "checkout", "--quiet", "-B", "main")
    run(clone, "-m", "dvc", "remote", "add", "--quiet", "--default", "--local", "storage", str(remote))
    lock = json.loads((clone / "models.lock").read_text())
    stages = yaml.load_unchecked(clone / "dvc.yaml")["stages"]
    fixed = {dep for stage in stages.values() for dep in stage["deps"] if (clone / dep).is_file()}
    objects = Objects(clone / ".dvc/cache", remote)
    md5s = {dep: _md5((clone / dep).read_bytes()) for dep in fixed}
    for folder_dep in {dep for stage in stages.values() for dep in stage["deps"] if (clone / dep).is_dir()}:
        below = sources.source_files(clone / folder_dep, clone)  # in git, and a stage's input as a whole
        names = {path.relative_to(clone / folder_dep).as_posix(): _md5(path.read_bytes()) for path in below}
        md5s[folder_dep] = objects.put_folder(names)
    writer = Writer(clone, objects, stages, files.read_json(clone / "reports/params.json"), lock, md5s)
    importer = subprocess.Popen(["git", "fast-import", "--quiet", "--force"], cwd=clone, stdin=subprocess.PIPE)
    assert importer.stdin is not None  # noqa: S101 - asked for above
    with importer.stdin as pipe:
        pipe.writelines(writer.stream(count))
    if importer.wait() != 0:
        raise SystemExit("git fast-import failed")
    git(clone, "reset", "--quiet", "--hard", "main")
    run(clone, "-m", "dvc", "checkout", "--quiet")
    return clone


def seconds(clone: Path, *arguments: str) -> float:
    """Wall time of one command."""
    started = time.perf_counter()
    run(clone, *arguments)
    return time.perf_counter() - started


def run(clone: Path, *arguments: str) -> None:
    """A Python command in the clone."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=clone, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def git(clone: Path, *arguments: str) -> str:
    """Output of a git command in the clone."""
    return subprocess.run(
        ["git", *arguments], cwd=clone, env=ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout.strip()


def measure(clone: Path, drop: Path, count: int) -> dict[str, float]:
    """Seconds of each command, the faster of two runs; what `graft add` opens is dropped again."""
    found = {}
    for name, arguments in COMMANDS.items():
        typed = [word.format(tag=tag_of(count - 1), file=drop) for word in arguments]
        times = []
        for _ in range(2):
            times.append(seconds(clone, *typed))
            if name == "graft add":
                git(clone, "reset", "--quiet", "--hard")
                git(clone, "clean", "-dffqx", "data/increments")
                run(clone, "-m", "dvc", "checkout", "--quiet")
        found[name] = min(times)
    return found


def plain_status(clone: Path) -> float:
    """`dvc status` without the .dvcignore that `graft add` writes: DVC then reads every increment's raw.dvc."""
    ignore = clone / ".dvcignore"
    kept = ignore.read_bytes()
    ignore.write_text("/tests/\n")
    times = [seconds(clone, "-m", "dvc", "status") for _ in range(2)]
    ignore.write_bytes(kept)
    return min(times)


def main() -> None:
    """Build and measure chains of a quarter, a half and all of the releases."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="graft-chain-") as scratch:
        drop = Path(scratch, "drop.csv")
        drop.write_text(
            "title,category\n" + "".join(f"blue kettle {n},Kettles\nred lamp {n},Lamps\n" for n in range(20))
        )
        for part in (count // 4, count // 2, count):
            clone = build(ROOT, Path(scratch, str(part)), part)
            found[part] = measure(clone, drop, part)
        theirs = plain_status(clone)
    print(f"{'seconds':14}" + "".join(f"{part:>8}" for part in found) + "  target")
    for name, target in TARGET.items():
        print(f"{name:14}" + "".join(f"{times[name]:8.2f}" for times in found.values()) + f"  {target:g}")
    ours = found[count]
    print(
        json.dumps(
            {
                "name": f"dvc status at {count} releases",
                "ours": round(ours["dvc status"], 2),
                "theirs": f"dvc 3.67 without the .dvcignore: {theirs:.2f}",
                "ratio": round(theirs / ours["dvc status"], 1),
                "target": TARGET["dvc status"],
                "unit": "s",
            }
        )
    )


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%s\n" % (len(content), content)


def _md5(content: bytes | str) -> str:
    return hashlib.md5(content.encode() if isinstance(content, str) else content, usedforsecurity=False).hexdigest()


if __name__ == "__main__":
    main()
