"""increment.yaml: what an increment holds, and how each of its files is read."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from pipeline import files, yaml
from pipeline.errors import GraftError

NAME = "increment.yaml"
RAW = "raw"
_HEADER = """What this increment brings and how its files are read; schemas/increment.schema.json.
Edit freely until the increment is released."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSpec:
    """How one file is read."""

    format: str  # csv | jsonl
    encoding: str  # a name that Python knows
    delimiter: str | None = None  # csv: one character
    header: bool | None = None  # csv: whether the first row names the columns
    columns: tuple[str, ...] = ()  # csv: every column's name, in order
    text: str  # column or key of the text
    label: str  # column or key of the label


@dataclass(frozen=True, kw_only=True, slots=True)
class Increment:
    """The whole of one increment.yaml."""

    name: str  # of its folder
    task: str
    instruction: str  # stands above each text in the prompt; empty for none
    files: dict[str, FileSpec]  # raw/FILE -> how to read it


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


def save(folder: Path, instruction: str, specs: Mapping[str, FileSpec]) -> None:
    """Write `folder`/increment.yaml; the same arguments give the same bytes."""
    document = CommentedMap(version=1, task="classification", instruction=instruction, files=_documents(specs))
    document.yaml_set_start_comment(_HEADER)
    yaml.dump(folder / NAME, document)


def join(folder: Path, specs: Mapping[str, FileSpec]) -> None:
    """Add files to an increment.yaml that exists, with everything that a person wrote there kept.

    Raises:
        GraftError: it is missing, not YAML or against its schema.
    """
    document = yaml.load(folder / NAME, "increment")
    document["files"].update(_documents(specs))
    yaml.dump(folder / NAME, document)


def name_problems(name: str) -> list[str]:
    """Why an increment cannot have this name: some names belong to slices of other kinds."""
    taken = name == "history" or name.startswith("golden-")
    return [f"the name {name!r} is kept for slices of another kind"] if taken else []


def _parse(folder: Path) -> tuple[Any, Increment]:
    document = yaml.load(folder / NAME, "increment")
    return document, Increment(
        name=folder.name,
        task=str(document["task"]),
        instruction=str(document["instruction"]),
        files={str(name): _spec(value) for name, value in document["files"].items()},
    )


def _refuse(folder: Path, problems: Sequence[str]) -> None:
    found = [*name_problems(folder.name), *problems]
    if found:
        raise GraftError(
            f"{folder / NAME}: {found[0]}",
            found[1:],
            help="edit it; `dvc pull` brings files that are missing, `graft add` lists those that are new",
        )


def _spec(value: Mapping[str, Any]) -> FileSpec:
    plain: dict[str, Any] = {key: str(item) if isinstance(item, str) else item for key, item in value.items()}
    plain["columns"] = tuple(str(column) for column in value.get("columns", ()))
    return FileSpec(**plain)


def _documents(specs: Mapping[str, FileSpec]) -> CommentedMap:
    return CommentedMap((name, _document(specs[name])) for name in sorted(specs))


def _document(spec: FileSpec) -> CommentedMap:
    document = CommentedMap((key, value) for key, value in asdict(spec).items() if value not in (None, ()))
    if spec.columns:
        document["columns"] = CommentedSeq(spec.columns)
        document["columns"].fa.set_flow_style()
    return document


def _spec_problems(document: Any, increment: Increment) -> Iterable[str]:
    for name, spec in increment.files.items():
        for key, problem in _faults(spec):
            line = yaml.line_of(document, ["files", name, key])
            yield f"line {line}: $.files['{name}'].{key}: {problem}"


def _faults(spec: FileSpec) -> Iterable[tuple[str, str]]:
    for key, column in (("text", spec.text), ("label", spec.label)):
        if spec.columns and column not in spec.columns:
            yield key, f"{column!r} is not among the columns: {', '.join(spec.columns)}"
    if spec.text == spec.label:
        yield "label", f"{spec.label!r} is the text's column, too"
    if spec.delimiter in ('"', "\r", "\n"):
        yield "delimiter", f"{spec.delimiter!r} cannot separate fields"
    if not known_encoding(spec.encoding):
        yield "encoding", f"{spec.encoding!r} is no encoding that Python knows"


def known_encoding(name: str) -> bool:
    """Whether Python can decode text of this encoding."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
    except (LookupError, ValueError):
        return False
    return True


def _raw_problems(folder: Path, increment: Increment) -> Iterable[str]:
    there = {path.relative_to(folder).as_posix() for path in files.files_below(folder / RAW)}
    yield from (f"{name}: no such file" for name in sorted(increment.files.keys() - there))
    yield from (f"{name}: not listed under files" for name in sorted(there - increment.files.keys()))
