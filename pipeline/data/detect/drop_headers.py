"""Which tables of a drop begin with a header, told by all of them: a file alone may show too little.

A row that stands above nothing, above one class or above few rows is a header where another file has the same one;
a row whose cells are values in other files is none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.detect import detect_csv, file_shape
from pipeline.data.detect.column_names import is_known
from pipeline.data.detect.detect_rows import Wishes
from pipeline.data.detect.file_shape import FileShape
from pipeline.data.reading import delimited
from pipeline.data.reading.filespec import FileSpec
from pipeline.data.reading.limits import Limits

Shapes = dict[Path, FileShape]
Cells = tuple[str, ...]


def settle(
    shapes: Shapes, faults: dict[Path, GraftError], wishes: Mapping[Path, Wishes], limits: Limits, count: int
) -> None:
    """Tell headers from data in files of as many columns each: `shapes` and `faults` change.

    Args:
        shapes: of the files that can be read.
        faults: why others cannot be.
        wishes: what the user said, by file.
        limits: of a file.
        count: of rows that are wanted.
    """
    free = [path for path, wish in wishes.items() if wish.header is None and wish.columns is None]
    unclear = {
        path: file_shape.shape(path, limits, replace(wishes[path], header=False), count)
        for path in free
        if isinstance(faults.get(path), detect_csv.UnclearHeaderError)
    }
    tables = unclear | {path: shapes[path] for path in free if path in shapes and shapes[path].spec.format == "csv"}
    for paths in _alike(tables):
        if len(paths) == 1:
            continue
        firsts = {path: _first(tables[path]) for path in paths}
        headers = _headers(firsts, {path: tables[path] for path in paths})
        for path in paths:
            own = tables[path].spec
            if firsts[path] in headers and not own.header:
                shapes[path] = _read(path, replace(own, header=True, columns=firsts[path]), limits, count)
                faults.pop(path, None)
            elif own.header and firsts[path] not in headers:
                shapes[path] = _read(
                    path, replace(own, header=False, columns=_numbered(len(own.columns))), limits, count
                )


def _alike(tables: Mapping[Path, FileShape]) -> list[list[Path]]:
    """Tables with as many columns and the same delimiter."""
    found: dict[tuple[int, str | None], list[Path]] = {}
    for path, one in tables.items():
        found.setdefault((len(one.spec.columns), one.spec.delimiter), []).append(path)
    return list(found.values())


def _first(one: FileShape) -> Cells:
    """The first row, as names of columns."""
    if one.spec.header:
        return one.spec.columns
    return delimited.column_names(tuple(one.rows[0].values())) if one.rows else ()


def _headers(firsts: Mapping[Path, Cells], tables: Mapping[Path, FileShape]) -> set[Cells]:
    """First rows that name columns: those of files that tell so, and those that several files begin with.

    No cell of such a row is a value of its column in any file. Where as many files have no header, only the first
    one can have one of its own: they are parts of one table.
    """
    common = {row for row, count in Counter(firsts.values()).items() if count > 1 and row}
    named = [path for path, one in tables.items() if one.spec.header]
    parts = sum(firsts[path] not in common for path in tables.keys() - named) >= max(2, len(named))
    told = {firsts[path] for path in named if not parts or path == min(tables) or any(map(is_known, firsts[path]))}
    values = [_values(place, firsts, tables) for place in range(max(map(len, firsts.values())))]
    return {
        row
        for row in told | common
        if not any(cell in known for cell, known in zip(row, values, strict=True) if not cell.isdecimal())
    }


def _values(place: int, firsts: Mapping[Path, Cells], tables: Mapping[Path, FileShape]) -> set[str]:
    """What stands in a column below the first rows, in all files; of files without a header the first rows, too."""
    common = Counter(firsts.values())
    found: set[str] = set()
    for path, one in tables.items():
        rows: Iterable[Mapping[str, str]] = one.rows
        alone = one.spec.header or common[firsts[path]] == 1
        found |= {_cell(row, place) for number, row in enumerate(rows) if number or alone}
    return found


def _cell(row: Mapping[str, str], place: int) -> str:
    return " ".join(list(row.values())[place].split())


def _numbered(width: int) -> Cells:
    return tuple(f"c{place + 1}" for place in range(width))


def _read(path: Path, spec: FileSpec, limits: Limits, count: int) -> FileShape:
    return FileShape(spec, file_shape.sample(path, spec, limits, count))
