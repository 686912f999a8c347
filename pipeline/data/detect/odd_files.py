"""Files of a drop that by themselves would be read otherwise than most of their kind, or not at all.

One shard of hundreds has a single row, no row, another delimiter inside its texts, a few broken lines; of the parts
of one table only the first has the header. Each is read as the others are, where that fits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.data.detect import detect_csv, drop_headers, file_shape
from pipeline.data.detect.column_names import is_known
from pipeline.data.detect.detect_rows import Wishes
from pipeline.data.detect.file_shape import FileShape
from pipeline.data.prepare import rows
from pipeline.data.reading import lines, source, text_encoding
from pipeline.data.reading.filespec import TEXTUAL, FileSpec
from pipeline.data.reading.limits import Limits

Shapes = dict[Path, FileShape]
Twins = dict[Path, tuple[Path, FileSpec]]  # a file that is read as another one is, and how it is packed and encoded


def settle(
    shapes: Shapes, faults: dict[Path, GraftError], wishes: Mapping[Path, Wishes], limits: Limits, count: int
) -> Twins:
    """Read odd files as most of their kind are: `shapes` and `faults` change.

    Args:
        shapes: of the files that can be read.
        faults: why others cannot be.
        wishes: what the user said, by file.
        limits: of a file.
        count: of rows that are wanted.

    Returns:
        files without rows of their own to judge.
    """
    twins: Twins = {}
    for paths in _by_suffix(wishes):
        usual = _usual([path for path in paths if path in shapes], shapes)
        if usual is not None:
            known = shapes[usual].spec
            for path in paths:
                bare = path in shapes and (shapes[path].spec.format, known.format) == ("jsonl", "json")
                if (bare or path in faults) and (spec := _unread(path, known, limits)):
                    twins[path] = (usual, spec)
                    faults.pop(path, None)
                    shapes.pop(path, None)  # `{"data": []}` is a line of JSON, too
                elif path in shapes and (adapted := _adapted(path, shapes[path], known, limits, count)):
                    shapes[path] = adapted
        drop_headers.settle(shapes, faults, {path: wishes[path] for path in paths}, limits, count)
        _share_names(paths, shapes)
    return twins


def _by_suffix(paths: Iterable[Path]) -> list[list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(path.suffix.casefold(), []).append(path)
    return list(found.values())


def _usual(paths: list[Path], shapes: Shapes) -> Path | None:
    """One of the files that are read as more than half of some are, if these are more than one."""
    counts = Counter(_reading(shapes[path].spec) for path in paths)
    most, count = next(iter(counts.most_common(1)), (None, 0))
    alike = [path for path in paths if _reading(shapes[path].spec) == most]
    encodings = Counter(shapes[path].spec.encoding for path in alike if not _is_plain(shapes[path].spec))
    encoding = next((name for name, _ in encodings.most_common(1)), None)
    found = next((path for path in alike if shapes[path].spec.encoding == encoding), alike[0] if alike else None)
    return found if count > max(1, 0.5 * len(paths)) else None


def _is_plain(spec: FileSpec) -> bool:
    """Whether an encoding says nothing: ASCII alone is UTF-8, too."""
    return spec.encoding == "utf-8"


def _reading(spec: FileSpec) -> tuple[object, ...]:
    return spec.format, spec.delimiter, spec.skip, spec.header, spec.columns, spec.rows, spec.content


def _unread(path: Path, known: FileSpec, limits: Limits) -> FileSpec | None:
    """How a file that cannot be read by itself is read as another one is; None if it cannot be.

    A file without any row is read so in every format; in a table, rows that do not fit are rejects where the file
    has the others' header.
    """
    try:
        compression = source.compression_of(path)
        if known.format not in TEXTUAL:
            spec = replace(known, compression=compression)
            return spec if not any(chunk.lines for chunk in rows.READERS[spec.format](path, spec, limits)) else None
        with source.opened(path, compression, limits) as file:
            if not file.read(1 << 12).strip():
                return replace(known, compression=compression)
        encoding = _encoding(path, known.encoding, compression, limits)
        if encoding is None:
            return None
        spec = replace(known, encoding=encoding, compression=compression)
        if spec.format != "csv":
            empty = spec.format == "json" and not any(chunk.lines for chunk in rows.READERS["json"](path, spec, limits))
            return spec if spec.format == "jsonl" or empty or file_shape.sample(path, spec, limits, 1) else None
        named = spec.header and detect_csv.first_row(path, spec, limits) == spec.columns
        return spec if named or (not spec.header and detect_csv.fits(path, spec, limits)) else None
    except GraftError:
        return None


def _encoding(path: Path, usual: str, compression: str | None, limits: Limits) -> str | None:
    """A file's encoding; where that cannot be told, that of the others, if all of the file is text in it."""
    try:
        return text_encoding.detect(path, None, compression)
    except GraftError:
        if usual == "utf-8":
            return None
        with lines.text(path, usual, compression, limits) as file:
            return None if any("\ufffd" in block for block in lines.blocks(file)) else usual


def _adapted(path: Path, own: FileShape, known: FileSpec, limits: Limits, count: int) -> FileShape | None:
    """The shape of a file as most of its kind have it; None where its own is as good."""
    if _reading(own.spec) == _reading(known) or own.spec.format not in (known.format, "csv", "txt"):
        return None
    spec = replace(known, encoding=own.spec.encoding, compression=own.spec.compression)
    if spec.format == "csv":
        alike = own.spec.delimiter == known.delimiter and len(own.spec.columns) == len(known.columns)
        if alike or (own.spec.header and any(map(is_known, own.spec.columns))):
            return None  # columns of its own, or the same ones: whether they are named, all files tell
        named = spec.header and detect_csv.first_row(path, spec, limits) == spec.columns
        if not named and not detect_csv.fits(path, spec, limits):
            return None
        spec = replace(spec, header=named)
    found = file_shape.sample(path, spec, limits, count)
    return FileShape(spec, found) if found or spec.header else None


def _share_names(paths: Iterable[Path], shapes: Shapes) -> None:
    """Give the names that one header says to files without a header that have as many columns."""
    tables = [path for path in paths if path in shapes and shapes[path].spec.format == "csv"]
    named = {shapes[path].spec.columns for path in tables if shapes[path].spec.header}
    if len(named) != 1:
        return
    (columns,) = named
    for path in tables:
        spec = shapes[path].spec
        numbered = tuple(f"c{place + 1}" for place in range(len(columns)))
        if not spec.header and spec.columns == numbered:
            named_rows = [dict(zip(columns, row.values(), strict=True)) for row in shapes[path].rows]
            shapes[path] = FileShape(replace(spec, columns=columns), named_rows)
