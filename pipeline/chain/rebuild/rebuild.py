"""Train a release again, from its stored parent and data, and compare what comes out with what was released.

It runs the code of the release's own commit in a clone with a cache of its own: neither the run
cache nor an output that is already there can answer for the training.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.chain.commits import git, outputs
from pipeline.chain.lock import environment
from pipeline.chain.store import dvc
from pipeline.chain.store.objects import Store
from pipeline.chain.verify.manifest_check import Commit
from pipeline.common import files
from pipeline.common.errors import GraftError

SCRATCH = Path(".graft")
_STAGE = re.compile(r"^Running stage '(\w+)'")
_WEIGHTS = ".safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """How far a second training came to the first."""

    files: int
    within: float  # largest difference of a weight that still counts as equal
    weights: dict[str, float]  # safetensors file whose bytes differ -> its largest difference; inf: other tensors
    others: list[str]  # further files that differ, or that only one side has
    machine: dict[str, list[Any]]  # part of the machine class that is another one -> [released, here]

    @property
    def identical(self) -> bool:
        """Whether every byte is the same."""
        return not self.weights and not self.others

    @property
    def different(self) -> bool:
        """Whether it is another model: beyond `within`, or only its other files differ."""
        near = all(difference <= self.within for difference in self.weights.values())
        return not self.identical and not (near and self.weights)

    def words(self) -> str:
        """The verdict, in words."""
        if self.identical:
            return f"identical, {self.files} files"
        return "different" if self.different else f"equal within {self.within:g}"

    def lines(self) -> list[str]:
        """What differs, one line a file, and on what machine."""
        lines = [f"{path}: largest difference {value:.3g}" for path, value in sorted(self.weights.items())]
        lines += [f"{path}: differs" for path in self.others]
        return lines + [f"machine class: {key} was {old}, is {new} here" for key, (old, new) in self.machine.items()]

    def advice(self) -> str:
        """What to do about a difference."""
        if self.machine:
            return "bytes repeat within one machine class only; --within says which difference of weights is yours"
        return "the machine class is the same: something is not in git that changes bytes (a base, an environment)"

    def as_json(self) -> dict[str, Any]:
        """Plain dict, for --json."""
        return {"verdict": self.words(), "identical": self.identical, "different": self.different, **asdict(self)}


def compare(revision: str, commit: Commit, within: float) -> Rebuilt:
    """Train a revision again and compare.

    Args:
        revision: tag or commit.
        commit: what it says of its outputs, verified: the cache holds them.
        within: largest absolute difference of a weight that counts as equal. 1e-4 lies above what another
            order of summation in float32 does in some hundred steps, and below what changes a label.

    Raises:
        GraftError: the revision is not on the default branch, whose code alone is run; this environment is
            another one than the revision's; or its pipeline fails.
    """
    _require_on_default_branch(revision)
    differences = environment.differences(commit.lock.toolchain, environment.toolchain())
    if differences:
        raise GraftError(
            f"{revision}: not rebuilt: it was made in another environment",
            differences,
            help=f"git worktree add ../rebuild {revision} && cd ../rebuild && make setup, then there: "
            f".venv/bin/graft verify {revision} --rebuild",
        )
    SCRATCH.mkdir(exist_ok=True)
    clone = Path(tempfile.mkdtemp(prefix="rebuild-", dir=SCRATCH)).resolve()
    _prepare(revision, commit, clone)
    _repro(clone)
    found = _difference(commit, clone, within)
    shutil.rmtree(clone)
    return found


def _require_on_default_branch(revision: str) -> None:
    main = git.default_branch()
    tips = [tip for tip in (f"refs/remotes/origin/{main}", f"refs/heads/{main}") if git.exists(tip)]
    if not any(git.succeeds("merge-base", "--is-ancestor", git.commit_of(revision), tip) for tip in tips):
        raise GraftError(
            f"{revision}: not rebuilt: it is not on {main}, and a rebuild runs its code",
            help=f"read its code first; then merge it, or in a throw-away machine: git checkout {revision}, dvc repro",
        )


def _prepare(revision: str, commit: Commit, clone: Path) -> None:
    """A clone at that commit, with an empty cache, that fetches from this repository's cache."""
    store = Store()
    before = [release for release in (commit.lock.parent, commit.lock.anchor) if release]
    state = [output["md5"] for release in before for output in release.state.values()]
    raw_dvc = Path(commit.lock.increment, "raw.dvc").as_posix()
    imported = outputs.is_import(git.show(revision, raw_dvc) or b"outs: []")
    store.fetch([*state, *([commit.raw] if commit.raw and not imported else [])])
    git.run("clone", "--quiet", "--no-checkout", "--config", "core.autocrlf=false", ".", str(clone))
    git.run("-C", str(clone), "-c", "advice.detachedHead=false", "checkout", "--quiet", git.commit_of(revision))
    _link_base(commit.lock.base.requested.source, clone)
    dvc.run("config", "--local", "cache.dir", str(clone / ".dvc/cache"), folder=clone)
    dvc.run("remote", "add", "--local", "--force", "--default", "rebuild-from", str(store.cache_dir()), folder=clone)
    if not imported:
        dvc.run("pull", "--quiet", raw_dvc, folder=clone)


def _link_base(source: str, clone: Path) -> None:
    """A base in a folder is not in git: let the clone see it. The stage checks every file's hash."""
    folder = Path(source.removeprefix("path:"))
    if source.startswith("path:") and not folder.is_absolute() and not (clone / folder).exists():
        (clone / folder).parent.mkdir(parents=True, exist_ok=True)
        (clone / folder).symlink_to(folder.resolve())


def _repro(clone: Path) -> None:
    said: list[str] = []
    with subprocess.Popen(
        dvc.command("repro", "--force", "--no-run-cache"),
        cwd=clone, env=dvc.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - asked for above
        for line in process.stdout:
            said.append(line.rstrip())
            if match := _STAGE.match(line):
                print(f"rebuild: {match[1]}", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise GraftError("its pipeline failed", said[-10:], help=f"look into {clone}; delete it when you are done")


def _difference(commit: Commit, clone: Path, within: float) -> Rebuilt:
    made: dict[str, Any] = files.read_json(clone / "reports/manifest.json")["outputs"]
    changed = [p for p in sorted(made.keys() | commit.manifest.keys()) if _sha(made, p) != _sha(commit.manifest, p)]
    both = [path for path in changed if path.endswith(_WEIGHTS) and path in made and _released(commit, path).is_file()]
    weights = {}
    if both:
        from pipeline.chain.rebuild.weight_difference import largest

        weights = {path: largest(_released(commit, path), clone / path) for path in both}
    return Rebuilt(
        files=len(made),
        within=within,
        weights=weights,
        others=[path for path in changed if path not in weights],
        machine=_machine(commit, clone),
    )


def _sha(manifest: dict[str, Any], path: str) -> str | None:
    return manifest[path]["sha256"] if path in manifest else None


def _released(commit: Commit, path: str) -> Path:
    """Where the cache holds a file of the release; nowhere, when it is not one or was not kept."""
    store, nowhere = Store(), Path(os.devnull)
    output = next((o for o in commit.outputs if path == o.path or path.startswith(f"{o.path}/")), None)
    if output is None or store.missing([output.md5], "cache"):
        return nowhere
    inside = path.removeprefix(output.path).lstrip("/")
    listed = store.listing(output.md5, "cache") if inside else {"": output.md5}
    return store.path(listed[inside]) if inside in listed else nowhere


def _machine(commit: Commit, clone: Path) -> dict[str, list[Any]]:
    """Which parts of the machine class differ; the release's is in the training report that it names."""
    here = files.read_json(clone / "reports/training.json")["machine_class"] or {}
    released = commit.machine or {}
    keys = sorted(here.keys() | released.keys())
    return {key: [released.get(key), here.get(key)] for key in keys if released.get(key) != here.get(key)}
