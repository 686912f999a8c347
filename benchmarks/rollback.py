"""Rolling back a 2 GB model: warm (git and DVC's cache), cold (a pull), and what people do by hand.

`python benchmarks/rollback.py [GB]`; it needs five times that on one file system.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.chain.verify import hashing
from pipeline.common import files

ROOT = Path(__file__).resolve().parent.parent
TARGET = 1.5  # seconds, for git checkout and dvc checkout together
SHARD = 1 << 29  # bytes: models are published in shards
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "GIT_AUTHOR_NAME": "A. Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.com",
    "GIT_COMMITTER_NAME": "A. Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.com",
}


def run(folder: Path, *command: str) -> None:
    """A command that must succeed."""
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)


def write_model(folder: Path, size: int, seed: int) -> None:
    """Shards of bytes that do not repeat; a new file each, never a write through a link into the cache."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, size, SHARD)):
        block = hashlib.shake_128(f"{seed} {number}".encode()).digest(1 << 20)
        with (folder / f"model-{number:05d}.safetensors").open("wb") as file:
            for part in range(min(SHARD, size - start) >> 20):
                file.write(part.to_bytes(8, "little") + block[8:])


def two_releases(folder: Path, size: int) -> Path:
    """A repository with the settings that Graft ships and a model at the tags v1.0.0 and v1.1.0."""
    work = folder / "work"
    work.mkdir()
    run(work, "git", "init", "--quiet", "--initial-branch", "main")
    run(work, "dvc", "init", "--quiet")
    shutil.copy(ROOT / ".dvc/config", work / ".dvc/config")
    run(work, "dvc", "remote", "add", "--quiet", "--default", "storage", str(folder / "remote"))
    for number in range(2):
        write_model(work / "model", size, number)
        run(work, "dvc", "add", "--quiet", "model")
        run(work, "git", "add", "--all")
        run(work, "git", "commit", "--quiet", "--message", f"Model {number}")
        run(work, "git", "tag", "--annotate", f"v1.{number}.0", "--message", "released")
    run(work, "dvc", "push", "--quiet", "--all-tags")
    run(work, "dvc", "checkout", "--quiet", "--relink")
    return work


def seconds(action: Callable[[], object]) -> float:
    """Wall time of an action."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def warm(work: Path, tag: str) -> None:
    """What rolling back is, with the bytes in the cache."""
    run(work, "git", "checkout", "--quiet", tag)
    run(work, "dvc", "checkout", "--quiet")


def cold(work: Path, tag: str) -> None:
    """The same from the remote: the cache is gone."""
    run(work, "git", "checkout", "--quiet", tag)
    run(work, "dvc", "pull", "--quiet")


def by_copy(folder: Path, source: Path) -> None:
    """Copy the old folder over: the live model is away or mixed meanwhile."""
    shutil.rmtree(folder / "live", ignore_errors=True)
    shutil.copytree(source, folder / "live")


def by_link(folder: Path, source: Path) -> None:
    """Every version lies in a folder of its own, and a link says which one is live."""
    run(folder, "ln", "-sfn", str(source), str(folder / "current"))


def main() -> None:
    """Measure and print; the last line is JSON."""
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else 2) * 1e9) >> 20 << 20
    with tempfile.TemporaryDirectory(prefix="graft-rollback-", dir=os.environ.get("TMPDIR")) as scratch:
        folder = Path(scratch)
        work = two_releases(folder, size)
        shutil.copytree(work / "model", folder / "old", copy_function=shutil.copyfile)
        shards = files.files_below(work / "model")
        read = [path.read_bytes()[:0] for path in shards]  # in memory, as a model that is served is
        figures = {
            "git checkout + dvc checkout, warm cache": min(
                seconds(lambda tag=tag: warm(work, tag)) for tag in ("v1.0.0", "v1.1.0", "v1.0.0", "v1.1.0")
            ),
            "copy of the folder": seconds(lambda: by_copy(folder, folder / "old")),
            "ln -sfn": seconds(lambda: by_link(folder, folder / "old")),
            "SHA-256 of every file, one core": seconds(lambda: [files.sha256(path) for path in shards]),
            f"SHA-256 of every file, {os.cpu_count()} cores": seconds(lambda: hashing.sha256(shards)),
        }
        shutil.rmtree(work / ".dvc/cache")
        shutil.rmtree(work / "model")
        figures["git checkout + dvc pull, cold cache, local remote"] = seconds(lambda: cold(work, "v1.0.0"))
        del read
    print(f"{size / 1e9:.2f} GB in {len(shards)} shards")
    for name, taken in figures.items():
        print(f"  {name:52}{taken:8.2f} s" + (f"{size / 1e9 / taken:8.2f} GB/s" if "SHA" in name else ""))
    ours, theirs = figures["git checkout + dvc checkout, warm cache"], figures["copy of the folder"]
    print(
        json.dumps(
            {
                "name": f"rollback of {size / 1e9:.1f} GB, warm",
                "ours": round(ours, 2),
                "theirs": f"copy of the folder: {theirs:.2f}; ln -sfn: {figures['ln -sfn']:.3f}",
                "ratio": round(theirs / ours, 1),
                "target": TARGET,
                "unit": "s",
            }
        )
    )


if __name__ == "__main__":
    main()
