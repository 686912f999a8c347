"""increment.yaml: what an increment holds, and how each of its files is read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from pipeline.common import files, sources, yaml
from pipeline.common.errors import GraftError
from pipeline.data.reading import filespec
from pipeline.data.reading.filespec import FileSpec, known_encoding

__all__ = ["FileSpec", "known_encoding"]

NAME = "increment.yaml"
RAW = "raw"
IMAGES = "images"  # a folder of this name below raw/ holds what rows refer to: its files are not listed
_HEADER = """yaml-language-server: $schema=../../../schemas/increment.schema.json
What this increment brings and how its files are read. Edit freely until the increment is released."""
_ONCE = ("key", "date")  # what the increment says once for all of its files


@dataclass(frozen=True, kw_only=True, slots=True)
class Increment:
    """The whole of one increment.yaml."""

    name: str  # of its folder
    task: str
    instruction: str  # stands above each text in the prompt; empty for none
    files: dict[str, FileSpec]  # raw/FILE -> how to read it
    key: str | None = None  # column or key that names an item over time
    date: str | None = None  # column or key that orders rows which contradict each other
    withdrawn: tuple[str, ...] = ()  # keys of items that leave
    evaluation: tuple[str, ...] = ()  # files that are held out whole, in place of a share of all


def load(folder: Path) -> Increment:
    """Read `folder`/increment.yaml and compare it with what lies in `folder`/raw.

    Raises:
        GraftError: as `read`; or a file that it names is not there, or raw/ holds one that it does not
            name. All problems at once.
    """
    document, increment = _parse(folder)
    _refuse(folder, [*_spec_problems(document, increment), *_raw_problems(folder, increment)])
    return increment


def read(folder: Path) -> Increment:
    """Read `folder`/increment.yaml, wherever its files may be.

    Raises:
        GraftError: it is missing, not YAML or against its schema; or it names a column or an encoding that
            does not exist.
    """
    document, increment = _parse(folder)
    _refuse(folder, list(_spec_problems(document, increment)))
    return increment


def save(
    folder: Path,
    instruction: str,
    specs: Mapping[str, FileSpec],
    *,
    task: str = "classification",
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write `folder`/increment.yaml; the same arguments give the same bytes.

    Args:
        folder: the increment's.
        instruction: stands above each text of a classification.
        specs: how to read each file.
        task: what is taught.
        more: key, date, withdrawn, evaluation; what is empty is left out.
    """
    document = CommentedMap(version=1, task=task, instruction=instruction)
    _extend(document, more or {})
    document["files"] = _documents(specs)
    document.yaml_set_start_comment(_HEADER)
    yaml.dump(folder / NAME, document)


def join(
    folder: Path, specs: Mapping[str, FileSpec], *, task: str | None = None, more: Mapping[str, Any] | None = None
) -> None:
    """Add files to an increment.yaml that exists, with everything that a person wrote there kept.

    Raises:
        GraftError: it is missing, not YAML or against its schema; or what is added contradicts it.
    """
    document = yaml.load(folder / NAME, "increment")
    there = {"task": document["task"]} | {name: document.get(name) for name in _ONCE}
    wanted = {"task": task} | {name: (more or {}).get(name) for name in _ONCE}
    problems = [
        f"{name}: {value} is asked for, the open increment has {there[name]}"
        for name, value in wanted.items()
        if value is not None and there[name] not in (None, value)
    ]
    if problems:
        raise GraftError(
            f"{folder / NAME}: {problems[0]}", problems[1:], help="an increment is of one task: open another"
        )
    _extend(document, more or {})
    document["files"].update(_documents(specs))
    yaml.dump(folder / NAME, document)


def name_problems(name: str) -> list[str]:
    """Why an increment cannot have this name: some names belong to slices of other kinds."""
    taken = name in ("all", "history") or name.startswith("golden-") or "=" in name
    return [f"the name {name!r} is kept for slices of another kind"] if taken else []


def _parse(folder: Path) -> tuple[Any, Increment]:
    document = yaml.load(folder / NAME, "increment")
    return document, Increment(
        name=folder.name,
        task=str(document["task"]),
        instruction=str(document["instruction"]),
        files={str(name): filespec.parse(value) for name, value in document["files"].items()},
        key=_text(document.get("key")),
        date=_text(document.get("date")),
        withdrawn=tuple(map(str, document.get("withdrawn", ()))),
        evaluation=tuple(map(str, document.get("evaluation", ()))),
    )


def _refuse(folder: Path, problems: Sequence[str]) -> None:
    found = [*name_problems(folder.name), *problems]
    if found:
        raise GraftError(
            f"{folder / NAME}: {found[0]}",
            found[1:],
            help="edit it; `dvc pull` brings files that are missing, `graft add` lists those that are new",
        )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _extend(document: CommentedMap, more: Mapping[str, Any]) -> None:
    """Put what an increment says once, and add to its lists; all of it stands before `files`."""
    place = list(document).index("files") if "files" in document else len(document)
    for name in ("key", "date", "withdrawn", "evaluation"):
        value = more.get(name)
        if value and isinstance(value, str):
            value = [value] if name not in _ONCE else value
        if not value or (name in _ONCE and name in document):
            continue
        if name in document:
            document[name].extend(item for item in value if item not in document[name])
        else:
            document.insert(place, name, value if name in _ONCE else list(value))
            place += 1


def _documents(specs: Mapping[str, FileSpec]) -> CommentedMap:
    return CommentedMap((name, filespec.document(specs[name])) for name in sorted(specs))


def _spec_problems(document: Any, increment: Increment) -> Iterable[str]:
    for name, spec in increment.files.items():
        found = [*filespec.faults(spec, increment.task), *_once_faults(spec, increment)]
        for key, problem in found:
            line = yaml.line_of(document, ["files", name, key])
            yield f"line {line}: $.files['{name}'].{key}: {problem}"
    for place, name in enumerate(increment.evaluation):
        if name not in increment.files:
            line = yaml.line_of(document, ["evaluation", place])
            yield f"line {line}: $.evaluation[{place}]: '{name}' is not listed under files"
    if increment.evaluation and not increment.files.keys() - set(increment.evaluation):
        yield f"line {yaml.line_of(document, ['evaluation'])}: $.evaluation: no file is left to train on"


def _once_faults(spec: FileSpec, increment: Increment) -> Iterable[tuple[str, str]]:
    for name in _ONCE:
        column = getattr(spec, name) or getattr(increment, name)
        if column is not None and spec.columns and column not in spec.columns:
            yield "columns", f"the {name}'s column {column!r} is not among them"


def _raw_problems(folder: Path, increment: Increment) -> Iterable[str]:
    there = {path.relative_to(folder).as_posix() for path in files.files_below(folder / RAW)}
    named = {name for name in there if IMAGES not in name.split("/")[1:-1] and not sources.is_leaving(name)}
    yield from (f"{name}: no such file" for name in sorted(increment.files.keys() - there))
    yield from (f"{name}: not listed under files" for name in sorted(named - increment.files.keys()))
