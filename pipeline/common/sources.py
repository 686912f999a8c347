"""Hashes of the files in git that a stage reads: its code, and what people keep by hand."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from pipeline.common import files, yaml_values

PIPELINE = Path("dvc.yaml")
# What tools leave in folders; .dvcignore names the same.
LEAVINGS = (
    "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints", ".idea", ".vscode", ".vs",
    ".fleet", ".zed", ".DS_Store", "Thumbs.db", "desktop.ini",
)  # fmt: skip
# Folders of code, and of files kept by hand. There an editor's copies count as leavings, too; a file of raw data may
# be called so.
EDITED = ("pipeline", "metrics", "data/augment", "data/golden", "data/templates")
EDITORS_LEAVINGS = ("*.py[co]", "*.swp", "*.swo", "*~", ".#*", "._*", "*.orig", "*.rej")


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
        for path in source_files(root / dep, edited=_is_edited(dep)):
            yield path.relative_to(root).as_posix(), files.sha256(path)


def source_files(path: Path, *, edited: bool = True) -> list[Path]:
    """Every file at or below a path, but for what tools leave there; sorted.

    Args:
        path: a file or folder.
        edited: it is one of EDITED or below one, and no raw data, of which a file may be called `titles.orig`.
    """
    return [
        file
        for file in files.files_below(path)
        if not _matches(file.relative_to(path.parent).parts, _patterns(edited=edited))
    ]


def is_leaving(path: str) -> bool:
    """Whether a file, named from the root, is what a tool left there: DVC does not hash it, and no stage reads it."""
    return _matches(Path(path).parts, _patterns(edited=_is_edited(path)))


def ignored() -> list[str]:
    """Lines of .dvcignore for what tools leave: DVC then sees the files that `source_files` gives."""
    return [*LEAVINGS, *(f"/{folder}/**/{pattern}" for folder in EDITED for pattern in EDITORS_LEAVINGS)]


def _is_edited(path: str) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in EDITED)


def _patterns(*, edited: bool) -> tuple[str, ...]:
    return (*LEAVINGS, *EDITORS_LEAVINGS) if edited else LEAVINGS


def _matches(parts: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatch(part, pattern) for part in parts for pattern in patterns)
