"""Files of a drop that by themselves would be read otherwise than most of their kind, or not at all.

One shard of hundreds has a single row, no row, another delimiter inside its texts, a few broken lines; of the parts
of one table only the first has the header. Each is read as the others are, where that fits.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.detect import detect_csv, drop_headers, file_shape
from pipeline.data.detect.column_names import is_known
from pipeline.data.detect.detect_csv import UnclearHeaderError
from pipeline.data.detect.detect_rows import Wishes
from pipeline.data.detect.file_shape import FileShape
from pipeline.data.prepare import rows
from pipeline.data.reading import delimited, lines, source, text_encoding
from pipeline.data.reading.filespec import TEXTUAL, FileSpec
from pipeline.data.reading.limits import Limits

Shapes = dict[Path, FileShape]
_SMALL = 1 << 12  # bytes
_DAMAGED = 0.3  # share of the rows that are whole, at least, in a file that cannot be read by itself
Twins = dict[Path, tuple[Path, FileSpec]]  # a file that is read as another one is, and how it is packed and encoded


def settle(
    shapes: Shapes,
    faults: dict[Path, GraftError],
    wishes: Mapping[Path, Wishes],
    limits: Limits,
    count: int,
    earlier: Collection[tuple[str, ...]] = (),
) -> Twins:
    """Read odd files as most of their kind are: `shapes` and `faults` change.

    Args:
        shapes: of the files that can be read.
        faults: why others cannot be.
        wishes: what the user said, by file.
        limits: of a file.
        count: of rows that are wanted.
        earlier: headers of files that were read before.

    Returns:
        files without rows of their own to judge.
    """
    twins: Twins = {}
    told = {_table(one.spec) for one in shapes.values()}
    unclear = _unclear(faults, wishes, limits, count)
    settled = {path for path, one in unclear.items() if _table(one.spec) in told}
    for paths in _by_suffix(wishes):
        usual, times = _usual([path for path in paths if path in shapes], shapes)
        if usual is None:
            continue
        utf8 = partial(_surely_utf8, [path for path in paths if path in shapes and _is_plain(shapes[path].spec)])
        known, most = shapes[usual].spec, times > max(1, 0.5 * sum(path in shapes for path in paths))
        for path in paths:
            if path in faults and path not in settled and (spec := _unread(path, known, utf8, limits, most=most)):
                faults.pop(path)
                if found := file_shape.sample(path, spec, limits, count):
                    shapes[path] = FileShape(spec, found)
                else:
                    twins[path] = (usual, spec)
            elif path in shapes and (adapted := _adapted(path, shapes[path], known, limits, count, most=most)):
                shapes[path] = adapted
    unclear = {path: one for path, one in unclear.items() if path in faults}
    shapes |= unclear
    said = [path for path, wish in wishes.items() if wish.header is not None or wish.columns is not None]
    drop_headers.settle(shapes, said, earlier, limits, count)
    for path in unclear:
        if path in settled or shapes[path].spec.header:
            faults.pop(path)
        else:
            shapes.pop(path)
    return twins


def _unclear(
    faults: Mapping[Path, GraftError], wishes: Mapping[Path, Wishes], limits: Limits, count: int
) -> dict[Path, FileShape]:
    """Files of whose first row it cannot be told by itself whether it names the columns, read as if it did not.

    Beside files of as many columns that can be read, such a row is data if it is none of their headers.
    """
    paths = [path for path, fault in faults.items() if isinstance(fault, UnclearHeaderError)]
    return {path: file_shape.shape(path, limits, replace(wishes[path], header=False), count) for path in paths}


def _table(spec: FileSpec) -> tuple[str, str | None, int]:
    return spec.format, spec.delimiter, len(spec.columns)


def _by_suffix(paths: Iterable[Path]) -> list[list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(path.suffix.casefold(), []).append(path)
    return list(found.values())


def _usual(paths: list[Path], shapes: Shapes) -> tuple[Path | None, int]:
    """One of the files that are read as most of some are, and how many these are."""
    counts = Counter(_reading(shapes[path].spec) for path in paths)
    most, count = next(iter(counts.most_common(1)), (None, 0))
    alike = [path for path in paths if _reading(shapes[path].spec) == most]
    encodings = Counter(shapes[path].spec.encoding for path in alike if not _is_plain(shapes[path].spec))
    encoding = next((name for name, _ in encodings.most_common(1)), None)
    found = next((path for path in alike if shapes[path].spec.encoding == encoding), alike[0] if alike else None)
    return found, count


def _is_plain(spec: FileSpec) -> bool:
    """Whether an encoding says nothing: ASCII alone is UTF-8, too."""
    return spec.encoding == "utf-8"


def _reading(spec: FileSpec) -> tuple[object, ...]:
    return spec.format, spec.delimiter, spec.skip, spec.header, spec.columns, spec.rows, spec.content


def _unread(path: Path, known: FileSpec, utf8: Callable[[], bool], limits: Limits, *, most: bool) -> FileSpec | None:
    """How a file that cannot be read by itself is read as another one is; None if it cannot be.

    A file that says that it has no rows can always be, and a CSV with the other's header, whatever is below it;
    others where most files are read as that one is.
    """
    try:
        spec = replace(known, compression=source.compression_of(path))
        if known.format not in TEXTUAL:
            return None if _has_rows(path, spec, limits) else spec
        with source.opened(path, spec.compression, limits) as file:
            head = file.read(_SMALL)
        empty = _is_without_rows(head) or (most and not head.strip())  # one of two files that is blank is a mistake
        return replace(spec, rows=None) if empty else _with_rows(path, spec, utf8, limits, most=most)
    except GraftError:
        return None


def _with_rows(path: Path, known: FileSpec, utf8: Callable[[], bool], limits: Limits, *, most: bool) -> FileSpec | None:
    encoding = _encoding(path, known, utf8, limits)
    if encoding is None:
        return None
    spec = replace(known, encoding=encoding)
    if spec.format != "csv":
        fitting = most and (spec.format == "jsonl" or bool(file_shape.sample(path, spec, limits, 1)))
    elif spec.header:
        fitting = _has_names(path, spec, limits)
    else:
        fitting = most and detect_csv.fits(path, spec, limits, _DAMAGED)
    return spec if fitting else None


def _has_rows(path: Path, spec: FileSpec, limits: Limits) -> bool:
    return any(chunk.lines for chunk in rows.READERS[spec.format](path, spec, limits))


def _is_without_rows(head: bytes) -> bool:
    """Whether a file is JSON that holds no rows: [], or an object with an empty array and no full one."""
    try:
        whole = json.loads(head)
    except (ValueError, RecursionError):
        return False
    parts = list(whole.values()) if isinstance(whole, dict) else [whole]
    return [] in parts and not any(isinstance(part, list) and part for part in parts)


def _has_names(path: Path, spec: FileSpec, limits: Limits) -> bool:
    """Whether a file's first row is the header of another one."""
    return delimited.names_them(detect_csv.first_row(path, spec, limits), spec.columns)


def _encoding(path: Path, known: FileSpec, utf8: Callable[[], bool], limits: Limits) -> str | None:
    """A file's encoding; where that cannot be told, that of the others, if all of the file is text in it.

    If the others are UTF-8, a broken byte or two are damage.
    """
    usual = known.encoding
    try:
        return text_encoding.detect(path, None, known.compression)
    except GraftError:
        if usual == "utf-8":
            return usual if text_encoding.is_ascii_but_for_few(path) and utf8() else None
        with lines.text(path, usual, known.compression, limits) as file:
            return None if any("\ufffd" in block for block in lines.blocks(file)) else usual


def _surely_utf8(paths: Iterable[Path]) -> bool:
    return any(map(text_encoding.is_surely_utf8, paths))


def _adapted(
    path: Path, own: FileShape, known: FileSpec, limits: Limits, count: int, *, most: bool
) -> FileShape | None:
    """The shape of a file as most of its kind have it; None where its own is as good."""
    if _reading(own.spec) == _reading(known) or own.spec.format not in (known.format, "csv", "txt"):
        return None
    spec = replace(known, encoding=own.spec.encoding, compression=own.spec.compression)
    if spec.format == "csv":
        if (own.spec.delimiter, len(own.spec.columns)) == (spec.delimiter, len(spec.columns)):
            return None  # but for the header, which is told by all files
        if spec.header and _has_names(path, spec, limits):
            found = file_shape.sample(path, spec, limits, count)
            return FileShape(spec, found or [dict.fromkeys(spec.columns, "")])
        if own.spec.header and any(map(is_known, own.spec.columns)):
            return None  # columns of its own
        nameless = most and not own.spec.header and not spec.header  # wider for cells that hold a delimiter
        spec = replace(spec, header=False, skip=own.spec.skip)
        if not (detect_csv.fits(path, spec, limits, _DAMAGED) if nameless else detect_csv.fits(path, spec, limits)):
            return None
    found = file_shape.sample(path, spec, limits, count) if most else []
    return FileShape(spec, found) if found else None
