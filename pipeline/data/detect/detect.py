"""How to read the files that a user hands in together, as one drop: files with the same columns are read alike."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.common.visible import UNSAFE, one_line
from pipeline.data.detect import content_types, detect_rows, file_shape, odd_files, shared_roles
from pipeline.data.detect.detect_rows import FIRST_ROWS, ROWS, Ask, Wishes
from pipeline.data.detect.file_shape import FileShape
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits


def detect(path: Path, limits: Limits | None = None, **said: Any) -> FileSpec:
    r"""How to read one file: what the user said, and the rest from its content.

    Args:
        path: the file.
        limits: of its size.
        said: fields of Wishes. text, label: names of columns or keys. columns: names of all columns, for a CSV
            file without a header; otherwise c1, c2, ... header: whether the first row names the columns.
            delimiter: one character, or "\t" as typed in a shell. encoding: a name that Python knows.
            format, content, template, blocks: as in increment.yaml. What does not concern a file's format is
            taken no notice of: files of several kinds may come together.

    Raises:
        GraftError: the file cannot be opened, is empty or binary, lacks a column that the user named, or
            something cannot be told safely; the message says which option tells it.
    """
    specs, problems = detect_drop({path: Wishes(**said)}, limits or Limits())
    if problems:
        raise problems[0]
    return specs[path]


def detect_drop(
    wishes: Mapping[Path, Wishes], limits: Limits, ask: Ask | None = None, earlier: Iterable[FileSpec] = ()
) -> tuple[dict[Path, FileSpec], list[GraftError]]:
    """How to read each file of a drop, and what is wrong with the others.

    A file that by itself would be read otherwise than most of its kind, or not at all, is read as they are where
    that fits. What columns hold is told from the rows of all files that have them.

    Args:
        wishes: what the user said, by file.
        limits: of a file.
        ask: asks the user which column is meant; None: what is unclear is a problem.
        earlier: how files are read that these join.
    """
    count = max(FIRST_ROWS, ROWS // max(1, len(wishes)))
    earlier = list(earlier)
    shapes: dict[Path, FileShape] = {}
    faults: dict[Path, GraftError] = {}
    for path, wish in wishes.items():
        try:
            shapes[path] = file_shape.shape(path, limits, wish, count)
        except GraftError as error:
            faults[path] = error
    headers = [spec.columns for spec in earlier if spec.header]
    twins = odd_files.settle(shapes, faults, wishes, limits, count, headers)
    specs: dict[Path, FileSpec] = {}
    told = shared_roles.of_specs(earlier)
    for group in _groups(shapes, wishes):
        try:
            said = _roles(group, [shapes[path] for path in specs], shapes, wishes[group[0]], ask, told)
        except GraftError as error:
            faults[group[0]] = error
            continue
        told.append((shared_roles.caseless(shared_roles.columns(shapes[group[0]])), said))
        specs |= {path: shared_roles.applied(shapes[path].spec, shapes[path], said) for path in group}
    specs |= {
        path: replace(specs[twin], encoding=spec.encoding, compression=spec.compression, rows=spec.rows)
        for path, (twin, spec) in twins.items()
        if twin in specs
    }
    faults |= {path: fault for path, spec in specs.items() if (fault := _unsafe_name(path, spec))}
    return {path: specs[path] for path in wishes if path in specs and path not in faults}, list(faults.values())


def _unsafe_name(path: Path, spec: FileSpec) -> GraftError | None:
    """The refusal of a key that increment.yaml could not name."""
    names = [name for name in (spec.text, spec.label, *spec.keys.values()) if name and UNSAFE.search(name)]
    if not names:
        return None
    return GraftError(
        f"{path}: control characters in names of keys or columns",
        [one_line(name) for name in names],
        help="rename them in the file, or name others: --text KEY --label KEY",
    )


def _roles(
    group: Sequence[Path],
    others: Sequence[FileShape],
    shapes: Mapping[Path, FileShape],
    wishes: Wishes,
    ask: Ask | None,
    told: Sequence[shared_roles.Told],
) -> dict[str, Any]:
    """What the columns of a group of files hold.

    Raises:
        GraftError: it cannot be told.
    """
    alike = [shapes[path] for path in group]
    known = shared_roles.known(alike[0], wishes, told)
    found = shared_roles.rows(alike)
    if known or not found:
        return known or {}
    odd = shared_roles.is_odd(alike, others) and len({repr(said) for _, said in told}) == 1
    try:
        return detect_rows.roles(_where(group), found, wishes, None if odd else ask)
    except GraftError:
        if odd:
            return told[0][1]
        raise


def tasks(specs: Mapping[Path, FileSpec], limits: Limits | None = None) -> dict[Path, str]:
    """What each file of a drop most likely teaches; instructions are judged by the answers of all files."""
    limits = limits or Limits()
    asked = [path for path, spec in specs.items() if spec.content == "alpaca"]
    rows = max(FIRST_ROWS, ROWS // max(1, len(asked)))
    found = [row for path in asked for row in file_shape.sample(path, specs[path], limits, rows)]
    few = bool(asked) and content_types.few_answers(found, specs[asked[0]].keys)
    return {path: _task(spec, few_answers=few) for path, spec in specs.items()}


def task(path: Path, spec: FileSpec, limits: Limits | None = None) -> str:
    """What a file most likely teaches."""
    return tasks({path: spec}, limits)[path]


def _task(spec: FileSpec, *, few_answers: bool) -> str:
    if spec.content in ("preference", "kto", "text"):
        return spec.content
    return "classification" if spec.content == "table" or (spec.content == "alpaca" and few_answers) else "sft"


def _groups(shapes: Mapping[Path, FileShape], wishes: Mapping[Path, Wishes]) -> list[list[Path]]:
    """Files whose rows have the same columns, of which the same was said; those with the most rows first."""
    found: dict[tuple[Any, ...], list[Path]] = {}
    for path, one in shapes.items():
        found.setdefault((shared_roles.caseless(shared_roles.columns(one)), repr(wishes[path])), []).append(path)
    return sorted(found.values(), key=lambda paths: -sum(len(shapes[path].rows) for path in paths))


def _where(group: Sequence[Path]) -> str:
    """The files of a group, in a message."""
    more = f" and {len(group) - 1} more with these columns" if len(group) > 1 else ""
    return f"{group[0]}{more}"
