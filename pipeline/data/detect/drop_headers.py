"""Headers of the CSV files that come together: a file that is short or of one class may not show that it has one.

Of files with as many columns, a first row that another one has as its header is a header, whatever is below it; so is
one that several files begin with and whose cells no row has. A header in whose place others have data is none.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.data.detect import detect_csv, file_shape, header
from pipeline.data.detect.column_names import is_known
from pipeline.data.detect.file_shape import FileShape
from pipeline.data.reading import delimited
from pipeline.data.reading.limits import Limits

Shapes = dict[Path, FileShape]
Names = tuple[str, ...]
_FIRST = 3 * header.TITLES  # rows that are read, of which most may be comments
_ABOVE = 3  # rows as wide as the table among which another file's header is looked for: titles may be as wide

Head = tuple[int, Names]  # a line, and the names that it would give to the columns


def settle(shapes: Shapes, said: Collection[Path], earlier: Collection[Names], limits: Limits, count: int) -> None:
    """Tell headers from data by all files of as many columns: `shapes` change.

    Args:
        shapes: of the files.
        said: files of which the user said whether they have a header, or how their columns are called.
        earlier: headers of files that were read before.
        limits: of a file.
        count: of rows that are wanted.
    """
    groups: dict[tuple[str | None, int], list[Path]] = {}
    for path, one in shapes.items():
        if one.spec.format == "csv":
            groups.setdefault((one.spec.delimiter, len(one.spec.columns)), []).append(path)
    for paths in groups.values():
        open_ = [path for path in paths if path not in said]
        heads = {path: _heads(path, shapes[path], limits) for path in open_ if not shapes[path].spec.header}
        _take_away(open_, shapes, heads, limits, count)
        known = {_key(shapes[path].spec.columns) for path in paths if shapes[path].spec.header}
        known |= {_key(names) for names in earlier} | _shared(shapes, paths, heads)
        for path, found in heads.items():
            head = next((head for head in found[:_ABOVE] if _key(head[1]) in known), None)
            if head is not None:
                shapes[path] = _headed(path, shapes[path], head, limits, count)
        _share_names(paths, shapes)


def _heads(path: Path, one: FileShape, limits: Limits) -> list[Head]:
    """What each of a file's first rows would call the columns."""
    rows = detect_csv.cells(path, one.spec, limits, _FIRST)
    plain = [row for _, row in rows]
    places = ((place, header.fitted(plain, place, len(one.spec.columns))) for place in header.first_places(plain))
    return [(rows[place][0], delimited.column_names(row)) for place, row in places if row]


def _key(names: Names) -> Names:
    return tuple(name.casefold() for name in names)


def _values(shapes: Shapes, paths: Sequence[Path]) -> list[Counter[str]]:
    """Each column's values in all files, without the first row of those that have no header."""
    found = [Counter[str]() for _ in shapes[paths[0]].spec.columns]
    for path in paths:
        for row in shapes[path].rows[0 if shapes[path].spec.header else 1 :]:
            for column, value in zip(found, row.values(), strict=True):
                column[value.strip()] += 1
    return found


def _take_away(
    open_: Sequence[Path], shapes: Shapes, heads: dict[Path, list[Head]], limits: Limits, count: int
) -> None:
    """Read headers as data whose cells are data of other files, where most files have none.

    Of parts of one table only the first one has the header: a row that looks like one, alone in a later part, is data.
    """
    named = [path for path in open_ if shapes[path].spec.header]
    unusual = [path for path in named if not any(map(is_known, shapes[path].spec.columns))]
    if not unusual or len(heads) < len(named):
        return
    values = _values(shapes, open_)
    begins = Counter(_key(shapes[path].spec.columns) for path in named)
    begins.update(_key(found[0][1]) for found in heads.values() if found)
    for path in unusual:
        columns = shapes[path].spec.columns
        later = len(heads) > 1 and path != min(open_) and begins[_key(columns)] == 1
        if later or any(name in column for name, column in zip(columns, values, strict=True)):
            spec = replace(shapes[path].spec, header=False, columns=_numbered(len(columns)))
            shapes[path] = FileShape(spec, file_shape.sample(path, spec, limits, count))
            heads[path] = _heads(path, shapes[path], limits)


def _shared(shapes: Shapes, paths: Sequence[Path], heads: Mapping[Path, Sequence[Head]]) -> set[Names]:
    """First rows that several files have, in whose columns no row has their cells."""
    begins = [(_key(found[0][1]), found[1][1] if len(found) > 1 else None) for found in heads.values() if found]
    times = Counter(first for first, _ in begins)
    often = {first for first in times if times[first] > 1}
    if not often:
        return set()
    values = _values(shapes, paths)
    folded = [{value.casefold() for value in column} for column in values]
    return {
        first
        for first in often
        if any(values)
        and not any(cell in column or _is_number(cell) for cell, column in zip(first, folded, strict=True))
        and not _overlap([second for one, second in begins if one == first])
    }


def _is_number(cell: str) -> bool:
    return cell.replace(".", "").isdigit()


def _overlap(seconds: Sequence[Names | None]) -> bool:
    """Whether files have more rows in common than their first one: parts of one file that were cut out twice."""
    there = [second for second in seconds if second is not None]
    return len(set(there)) < len(there)


def _headed(path: Path, one: FileShape, head: Head, limits: Limits, count: int) -> FileShape:
    line, names = head
    spec = replace(one.spec, header=True, columns=names, skip=line - 1 or None)
    return FileShape(spec, file_shape.sample(path, spec, limits, count) or [dict.fromkeys(names, "")])


def _numbered(width: int) -> Names:
    return tuple(f"c{place + 1}" for place in range(width))


def _share_names(paths: Sequence[Path], shapes: Shapes) -> None:
    """Give the names that one header says to files without a header."""
    named = {_key(shapes[path].spec.columns): shapes[path].spec.columns for path in paths if shapes[path].spec.header}
    if len(named) != 1:
        return
    (columns,) = named.values()
    for path in paths:
        spec = shapes[path].spec
        if not spec.header and spec.columns == _numbered(len(columns)):
            rows = [dict(zip(columns, row.values(), strict=True)) for row in shapes[path].rows]
            shapes[path] = FileShape(replace(spec, columns=columns), rows)
