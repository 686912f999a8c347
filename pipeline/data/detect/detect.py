"""How to read the files that a user hands in together, as one drop: files with the same columns are read alike."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.detect import content_types, detect_rows, file_shape, odd_files
from pipeline.data.detect.detect_rows import FIRST_ROWS, ROWS, Ask, Wishes
from pipeline.data.detect.file_shape import FileShape
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

_ROLES = ("content", "keys", "text", "label", "template")  # what of a FileSpec says what columns hold
_FEW = 0.1  # share of a drop's rows: an odd file among many, no second kind of them


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
        earlier: how the files are read that these join; the same columns matter.
    """
    count = max(FIRST_ROWS, ROWS // max(1, len(wishes)))
    shapes: dict[Path, FileShape] = {}
    faults: dict[Path, GraftError] = {}
    for path, wish in wishes.items():
        try:
            shapes[path] = file_shape.shape(path, limits, wish, count)
        except GraftError as error:
            faults[path] = error
    twins = odd_files.settle(shapes, faults, wishes, limits, count)
    specs: dict[Path, FileSpec] = {}
    roles: list[Mapping[str, Any]] = [{name: getattr(spec, name) for name in _ROLES} for spec in earlier]
    for group in _groups(shapes, wishes):
        columns = _columns(shapes[group[0]])
        found = [_spelled(row, columns) for path in group for row in shapes[path].rows]
        try:
            known = None if wishes[group[0]].asked or wishes[group[0]].content else _known_roles(columns, roles)
            said = known or (detect_rows.roles(_where(group), found, wishes[group[0]], ask) if found else {})
        except GraftError as error:
            if odd := _without_rows(group, shapes, specs):
                specs |= odd
            else:
                faults[group[0]] = error
            continue
        roles.append(said)
        specs |= {path: replace(shapes[path].spec, **_as_spelled(said, _columns(shapes[path]))) for path in group}
    specs |= {
        path: replace(specs[twin], encoding=spec.encoding, compression=spec.compression)
        for path, (twin, spec) in twins.items()
        if twin in specs
    }
    return {path: specs[path] for path in wishes if path in specs}, list(faults.values())


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
        found.setdefault((frozenset(_folded(_columns(one))), repr(wishes[path])), []).append(path)
    return sorted(found.values(), key=lambda paths: -sum(len(shapes[path].rows) for path in paths))


def _columns(one: FileShape) -> frozenset[str]:
    """The keys that more than half of a file's rows have; of a CSV all."""
    counts = Counter(key for row in one.rows for key, value in row.items() if value is not None)
    return frozenset(one.spec.columns or (key for key, count in counts.items() if count > 0.5 * len(one.rows)))


def _folded(columns: Iterable[str]) -> dict[str, str]:
    """Columns by their name without regard to case, where that tells them apart."""
    exact = {name: name for name in columns}
    folded = {name.casefold(): name for name in exact}
    return folded if len(folded) == len(exact) else exact


def _spelled(row: Mapping[str, Any], columns: Iterable[str]) -> Mapping[str, Any]:
    """A row with its keys as another file spells them."""
    known = _folded(columns)
    return row if row.keys() <= set(known.values()) else {known.get(key.casefold(), key): row[key] for key in row}


def _as_spelled(said: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    """What columns hold, by the names that a file has for them."""
    known = _folded(columns)
    named = {name: said[name] for name in ("text", "label") if said.get(name)}
    return {**said, **{name: known.get(column.casefold(), column) for name, column in named.items()}}


def _known_roles(columns: frozenset[str], earlier: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What was told of other files, where these have the same text and label."""
    there = _folded(columns).keys()
    for said in earlier:
        named = {name.casefold() for name in (said.get("text"), said.get("label")) if name}
        if said.get("text") and named <= there:
            return said
    return None


def _without_rows(
    group: Sequence[Path], shapes: Mapping[Path, FileShape], specs: Mapping[Path, FileSpec]
) -> dict[Path, FileSpec]:
    """Few rows without any column that matters in most others, such as messages of an error: read alike, and counted.

    Empty where they are too many, or another kind of table.
    """
    alike = [spec for path, spec in specs.items() if spec.format == shapes[group[0]].spec.format and spec.text]
    counts = {path: len(shapes[path].rows) for path in shapes}
    few = sum(counts[path] for path in group) <= _FEW * sum(counts.values())
    if not alike or not few or {alike[0].text, alike[0].label} & _columns(shapes[group[0]]):
        return {}
    own = {path: shapes[path].spec for path in group}
    return {path: replace(alike[0], encoding=spec.encoding, compression=spec.compression) for path, spec in own.items()}


def _where(group: Sequence[Path]) -> str:
    """The files of a group, in a message."""
    more = f" and {len(group) - 1} more with these columns" if len(group) > 1 else ""
    return f"{group[0]}{more}"
