"""Hashes of the files in git that a stage reads: its code, and what people keep by hand."""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from functools import cache
from pathlib import Path

from pipeline.common import files, yaml_values

PIPELINE = Path("dvc.yaml")
# What systems and tools leave in any folder; .dvcignore names the same. No raw data has such a name.
LEAVINGS = (
    "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints", ".idea", ".vscode", ".history",
    ".vs", ".fleet", ".zed", ".nova", ".cursor", ".claude", ".metals", ".devcontainer", ".project", ".settings",
    "nbproject", ".ropeproject", ".spyproject", ".hypothesis", ".pyre", ".DS_Store", "._*", ".AppleDouble",
    "__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini", "@eaDir", ".directory", ".Trash-*", ".nfs*",
    ".fuse_hidden*", ".goutputstream-*", ".~lock.*", "~$*", ".*.kate-swp",
)  # fmt: skip
# What editors leave beside a file. Raw data may be called so: only in folders of files that people keep by hand.
KEPT = ("pipeline", "metrics", "data/augment", "data/golden", "data/templates", "examples/base")
BESIDE = (
    ".*", "*.py[co]", "*.sw[a-px]", "*~", "#*#", "*.orig", "*.rej", "*.bak", "*.save", "*.tmp", "4913", "nohup.out",
)  # fmt: skip


def stage_hashes(stage: str) -> dict[str, str]:
    """Path -> SHA-256 of every file that the stage reads and that no stage writes; report wording left out.

    dvc.yaml is no dependency of the stage: where its entry of the stage changes, DVC runs the stage anyway.
    """
    return hashes(dependencies((files.ROOT / PIPELINE).read_bytes(), stage))


def dependencies(dvc_yaml: bytes, stage: str) -> list[str]:
    """Files and folders that a dvc.yaml names for a stage, but for outputs and for what only words a report."""
    stages = yaml_values.load(dvc_yaml.decode())["stages"]
    written = {out if isinstance(out, str) else next(iter(out)) for other in stages.values() for out in other["outs"]}
    deps: list[str] = stages.get(stage, {}).get("deps", [])
    named = [dep for dep in deps if dep not in written and not dep.startswith(("pipeline/report/", "$"))]
    return sorted({*named, *_imported_with(named)})


def _imported_with(deps: Iterable[str]) -> Iterator[str]:
    """What Python runs with modules or in their place: the files of their packages, a folder of a module's name."""
    for dep in deps:
        if dep.startswith("pipeline/"):
            yield dep.removesuffix(".py")
            yield from (f"{package.as_posix()}/__init__.py" for package in Path(dep).parents if package.name)


def hashes(deps: Iterable[str]) -> dict[str, str]:
    """Path -> SHA-256 of every file at or below these paths, sorted by path; what is no code left out."""
    return dict(sorted(_hashes(deps)))


def _hashes(deps: Iterable[str]) -> Iterator[tuple[str, str]]:
    for dep in deps:
        root = files.ROOT if dep.startswith("pipeline/") else Path()
        for path in source_files(root / dep, root):
            yield path.relative_to(root).as_posix(), files.sha256(path)


def source_files(path: Path, root: Path) -> list[Path]:
    """Every file at or below a path, but for what tools leave there; sorted.

    Args:
        path: a file or folder.
        root: of the repository that it is in; of no account for a relative path.
    """
    return [file for file in files.files_below(path) if not is_leaving(_inside(file, root).as_posix())]


def _inside(file: Path, root: Path) -> Path:
    return file.relative_to(root) if file.is_relative_to(root) else file


def ignored() -> list[str]:
    """Lines of .dvcignore for what tools leave: DVC then sees the files that `source_files` gives."""
    return [*LEAVINGS, *(f"/{folder}/**/{pattern}" for folder in KEPT for pattern in BESIDE)]


def is_leaving(name: str, lines: Sequence[str] | None = None) -> bool:
    """Whether a file is none of the repository's, but what a tool left.

    Args:
        name: its path in the repository.
        lines: those of `ignored` that count; None: all.
    """
    parts = name.split("/")
    return any(
        pattern.fullmatch(part)
        for folder, pattern in _matchers(tuple(ignored() if lines is None else lines))
        if name.startswith(folder)
        for part in parts
    )


@cache
def _matchers(lines: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    """A folder ("": any) and the names that are left there."""
    names: dict[str, list[str]] = {}
    for line in lines:
        folder, _, pattern = line.rpartition("/**/")
        names.setdefault(f"{folder.strip('/')}/" if folder else "", []).append(translate(pattern))
    return [(folder, re.compile("|".join(patterns))) for folder, patterns in names.items()]
