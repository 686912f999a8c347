"""Hashes of the files in git that a stage reads: its code, and what people keep by hand."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from pipeline.common import files, yaml_values

PIPELINE = Path("dvc.yaml")
# What Python, editors, checkers and file managers leave beside code; .dvcignore names the same.
LEAVINGS = (
    "__pycache__", "*.py[co]", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints",
    "*.swp", "*.swo", "*~", ".#*", "#*#", "*.orig", "*.rej", ".DS_Store",
    "Thumbs.db", "desktop.ini", ".idea", ".vscode",
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
        for path in source_files(root / dep):
            yield path.relative_to(root).as_posix(), files.sha256(path)


def source_files(path: Path) -> list[Path]:
    """Every file at or below a path but what tools leave there, as DVC sees it; sorted."""
    return [file for file in files.files_below(path) if not any(map(_is_leaving, file.relative_to(path.parent).parts))]


def _is_leaving(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in LEAVINGS)
