"""Computes a commit's verdict, metrics and report with the code of this tree, and compares them with what it records.

The verdict is a pure function of files that the commit names by hash, so nobody needs to believe a recorded one. The
computation is `python -m pipeline.recompute`, in a scratch folder that holds those files and none of the commit's code.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

from pipeline.chain.commits import git, outputs
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import import_closure, rule_changes
from pipeline.chain.verify.layout import Layout
from pipeline.chain.verify.manifest_check import Commit, Finding
from pipeline.common import documents, files, params, sources, yaml
from pipeline.common.errors import GraftError
from pipeline.settings import by_task, sections

SCRATCH = Path(".graft")
# What follows from predictions.json: the first three are the verdict.
COMPUTED = (
    "reports/verdict.json",
    "reports/decision.json",
    "reports/reasons.json",
    "reports/params.json",
    "reports/changes.json",
    "reports/rules.json",
    "reports/metrics.json",
    "reports/details.json",
    "reports/matrix.json",
    "reports/plots/calibration.csv",
    "reports/plots/confusion.csv",
    "reports/plots/forgetting.csv",
    "reports/plots/slices.csv",
    "reports/report.md",
    "reports/report.html",
)
VERDICT, DECISION = COMPUTED[:3], COMPUTED[1]
PREDICTIONS = "reports/predictions.json"
SCHEMA = "schemas/params.schema.json"
RECORD, COMPUTATION = "pipeline.settings.record", "pipeline.recompute"  # modules that are run
# Sections of params.yaml that a verdict follows from, and folders whose settings it does not: what a release recorded
# of these counts, whatever their defaults have become.
READ = ("prepare", "assemble", "evaluate", "gate")
FREE = ("pipeline/training", "pipeline/model", "pipeline/chain/release")
DIFFERS = "differs"  # the problem of a Finding: its bytes are as the manifest says, and something else is computed
# Beside what dvc.yaml lists for the stage `gate`; folders with all that is in them.
INPUTS = (
    "params.yaml",
    "models.lock",
    "data/assembled/labels.json",
    "data/assembled/lineage.parquet",
    "data/assembled/slices",
    "data/golden",
    "models/parent",
    "models/anchor",
    "reports/manifest.json",
    PREDICTIONS,
)
LEFT_OUT = ("models/parent/adapter", "models/parent/index", "models/anchor/adapter")  # large, and no input
OTHER_CODE = "verdict not recomputed: gate code differs"
HELP = "dvc repro --force --single-item evaluate gate writes them again from the candidate's predictions"


def findings(
    commit: Commit, revision: str | None, stores: Sequence[Store] = (), *, recorded_by: str | None = None
) -> list[Finding]:
    """What the commit records and this tree's code computes otherwise; empty where all of it is the same.

    Args:
        commit: what the revision says of its outputs.
        revision: a commit; None for the working tree.
        stores: whose remotes may have what the cache lacks; none: the cache has it all.
        recorded_by: the commit of a release that the working tree holds while code or defaults moved on: its
            settings and sources count, and params.yaml is compared with them elsewhere.
    """
    try:
        return compute(commit, revision, stores, recorded_by=recorded_by)
    except GraftError as error:  # a verdict that cannot be computed is not believed
        return [_finding(COMPUTED[0], "a verdict that can be computed", "; ".join([error.message, *error.problems]))]


def require(commit: Commit, revision: str | None, refusal: str) -> None:
    """Refuse a commit whose record is not what this tree's code computes.

    Args:
        commit: what the revision says of its outputs; the cache holds them.
        revision: a commit; None for the working tree.
        refusal: what is not done then, such as "not released".

    Raises:
        GraftError: every difference; or why nothing could be computed.
    """
    try:
        differing = compute(commit, revision)
    except GraftError as error:
        raise GraftError(f"{error.message}; nothing was pushed", error.problems, help=error.help or HELP) from None
    if differing:
        other = other_code(revision) if revision else []
        help_ = f"the gate's code is another one there: check {revision} out, then again" if other else HELP
        raise GraftError(
            f"{refusal}: what is recorded is not what the gate's code computes", map(str, differing), help=help_
        )


def decision(revision: str | None) -> str:
    """The recorded decision, pass or refused."""
    return _verdict(_recorded(DECISION, revision))


def compute(
    commit: Commit, revision: str | None, stores: Sequence[Store] = (), *, recorded_by: str | None = None
) -> list[Finding]:
    """As `findings`.

    Raises:
        GraftError: an input is absent or not as the manifest says, or the computation failed.
    """
    if recorded_by is None and revision is not None and _changed(revision, _free_code()):
        recorded_by = revision  # its params.json is compared with its params.yaml, as far as the verdict reads it
        if unlike := _unlike_params(revision):
            return [_finding(params.PATH.as_posix(), "what params.yaml gives", line) for line in unlike]
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="recompute-", dir=SCRATCH) as folder:
        scratch = Path(folder).resolve()
        layout = Layout(commit=commit, revision=revision, stores=stores, folder=scratch)
        increment = f"{commit.lock.increment}/increment.yaml"
        recorded = {params.PATH.as_posix()} if recorded_by else set()
        for path in sorted({*INPUTS, increment, *_inputs_of_gate()} - set(COMPUTED) | recorded):
            layout.add(path, without=LEFT_OUT)
        _run(scratch, *([] if (scratch / params.PATH).is_file() else [RECORD]), COMPUTATION)
        problems: list[str] = files.read_json(scratch / "problems.json")
        problems += _other_sources(scratch, recorded_by or revision)
        if problems:
            return [_finding(PREDICTIONS, "what slices, params and the parent's state give", line) for line in problems]
        return list(_compare(commit, revision, scratch))


def other_code(revision: str) -> list[str]:
    """Files that decide the verdict and are not the same at a revision as here; empty: both compute the same."""
    whole = [*git.files(revision, import_closure.PACKAGE), SCHEMA]
    here = {path.relative_to(files.ROOT).as_posix() for path in (files.ROOT / import_closure.PACKAGE).rglob("*.py")}
    if here <= {*whole} and not _changed(revision, whole):  # as nearly always: no import needs to be followed
        return []
    return _changed(revision, _code())


def _changed(revision: str, paths: Sequence[str]) -> list[str]:
    """Which of these files are not the same at a revision as here."""
    there = git.object_ids(f"{revision}:{path}" for path in paths)
    present = [path for path in paths if (files.ROOT / path).is_file()]
    ids = git.run("hash-object", "--no-filters", "--stdin-paths", stdin=_lines(files.ROOT / p for p in present)).split()
    here = dict(zip(present, ids, strict=True))
    return [path for path, old in zip(paths, there, strict=True) if old != here.get(path)]


@cache
def _code() -> list[str]:
    """Files whose bytes decide what is computed, relative to the root; sorted."""
    from pipeline.evaluation.predict import keys

    modules = import_closure.closure(files.ROOT / _path(COMPUTATION)) | {
        path for path in import_closure.closure(files.ROOT / _path(RECORD)) if not _is_free(path)
    }
    scoring = {folder for kind in ("classification", "sft") for folder in keys.folders(kind)}
    modules |= {files.ROOT / name for name in sources.hashes(scoring)}
    modules |= import_closure.packages(modules)
    return sorted(path.relative_to(files.ROOT).as_posix() for path in modules)


@cache
def _free_code() -> list[str]:
    """Settings and the schema, which say what is valid and what a release records anyway; sorted."""
    settings = {path for path in import_closure.closure(files.ROOT / _path(RECORD)) if _is_free(path)}
    settings -= import_closure.closure(files.ROOT / _path(COMPUTATION))
    return [*sorted(path.relative_to(files.ROOT).as_posix() for path in settings), SCHEMA]


def _is_free(path: Path) -> bool:
    return any(path.is_relative_to(files.ROOT / folder) for folder in FREE)


def _path(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


def _unlike_params(revision: str) -> list[str]:
    """What reports/params.json of a commit has otherwise than its params.yaml, of what the verdict reads."""
    given = yaml.parse(git.show(revision, "params.yaml") or b"", f"{revision}:params.yaml")
    task = by_task.task(partial(git.show, revision))
    expected = sections.fill(given if isinstance(given, dict) else {}, task)
    recorded = documents.parse_object(git.show(revision, params.PATH.as_posix()) or b"{}", f"{revision}:{params.PATH}")
    return [f"another section {name}" for name in READ if recorded.get(name) != expected[name]]


def _inputs_of_gate() -> list[str]:
    """What dvc.yaml lists as data of the stage `gate`."""
    stages = outputs.stages((files.ROOT / "dvc.yaml").read_bytes(), "dvc.yaml")
    return [path for path in stages["gate"]["deps"] if not path.startswith("pipeline/")]


_START = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); modules = sys.argv[1:]; del sys.argv[1:]; "
    "[runpy.run_module(name, None, '__main__') for name in modules]"
)
_NEEDED = ("pipeline", "schemas", "dvc.yaml")  # of the root: nothing else in it can be imported in a library's place


def _run(scratch: Path, *modules: str) -> None:
    if names := import_closure.shadows():
        raise GraftError(
            "not the code that git has: Python imports these in a module's place", names, help="rename or delete them"
        )
    with tempfile.TemporaryDirectory(prefix="code-", dir=scratch.parent) as folder:
        for name in _NEEDED:
            Path(folder, name).symlink_to(files.ROOT / name)
        done = subprocess.run(  # -I: neither the folder nor the environment's variables add a module
            [sys.executable, "-I", "-c", _START, folder, *modules],
            cwd=scratch, env=dict(os.environ), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise GraftError("the verdict could not be computed", [line.removeprefix("Error: ") for line in lines[-5:]])


def _compare(commit: Commit, revision: str | None, scratch: Path) -> Iterator[Finding]:
    for path in COMPUTED:
        new, digest = scratch / path, commit.manifest.get(path)
        if digest is None or not new.is_file() or files.sha256(new) != digest["sha256"]:
            yield _finding(path, *_words(path, revision, new))


def _words(path: str, revision: str | None, new: Path) -> tuple[str, str]:
    """What was computed and what is recorded: the words of a verdict, elsewhere that they differ."""
    if path not in VERDICT:
        return "what predictions.json gives", "other content"
    return _verdict(new.read_bytes() if new.is_file() else None), _verdict(_recorded(path, revision))


def _recorded(path: str, revision: str | None) -> bytes | None:
    return git.show(revision, path) if revision else files.content(Path(path))


def _other_sources(scratch: Path, revision: str | None) -> Iterator[str]:
    """Files that predictions.json says it was made by, and that are others in the commit."""
    recorded: dict[str, str] = files.read_json(scratch / PREDICTIONS).get("sources") or {}
    held = rule_changes.evaluated(revision)
    for path in sorted(recorded.keys() | held.keys()):
        if recorded.get(path) != held.get(path):
            yield f"sources: {path}: sha256 {recorded.get(path)}, the commit holds {held.get(path)}"


def _verdict(content: bytes | None) -> str:
    try:
        value = documents.parse(content or b"null", "the verdict")
    except GraftError:
        return "no JSON"
    if isinstance(value, dict):
        reasons = value.get("reasons")
        value = [value.get("verdict"), *(reasons if isinstance(reasons, list) else [])]
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _finding(path: str, expected: str, found: str) -> Finding:
    return Finding(path=path, place="git", problem=DIFFERS, expected=f"{expected} (computed again)", found=found)


def _lines(paths: Iterable[Path]) -> bytes:
    return "".join(f"{path}\n" for path in paths).encode()
