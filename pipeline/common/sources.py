"""Hashes of the files in git that a stage reads: its code, and what people keep by hand."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from pipeline.common import files, yaml_values

PIPELINE = Path("dvc.yaml")
# What tools leave in folders; .dvcignore names the same.
LEAVINGS = (
    "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints", ".idea", ".vscode",
    ".DS_Store", "Thumbs.db", "desktop.ini",
)  # fmt: skip
CODE = ("pipeline", "metrics")
CODE_LEAVINGS = ("*.py[co]", "*.swp", "*.swo", "*~", ".#*", "*.orig", "*.rej")  # a data file may be called so


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
        for path in source_files(root / dep, code=dep.split("/", 1)[0] in CODE):
            yield path.relative_to(root).as_posix(), files.sha256(path)


def source_files(path: Path, *, code: bool = True) -> list[Path]:
    """Every file at or below a path, but for what tools leave there; sorted.

    Args:
        path: a file or folder.
        code: it holds code, and no data file that may be called `titles.orig`.
    """
    patterns = (*LEAVINGS, *CODE_LEAVINGS) if code else LEAVINGS
    return [
        file
        for file in files.files_below(path)
        if not any(fnmatch(part, pattern) for part in file.relative_to(path.parent).parts for pattern in patterns)
    ]


def ignored() -> list[str]:
    """Lines of .dvcignore for what tools leave: DVC then sees the files that `source_files` gives."""
    return [*LEAVINGS, *(f"/{folder}/**/{pattern}" for folder in CODE for pattern in CODE_LEAVINGS)]
