"""How to read a file that a user hands in: format, encoding, delimiter, header, and which columns matter."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pipeline.data import encoding as encodings
from pipeline.data import readers
from pipeline.data.columns import Column, has_header, label_column, text_column
from pipeline.data.increment import FileSpec
from pipeline.errors import GraftError

ROWS = 50_000  # rows that columns are judged by
FIRST_ROWS = 1_000  # rows that the format and the delimiter are judged by
DELIMITERS = (",", "\t", ";", "|")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wishes:
    """What the user said; None is detected."""

    text: str | None
    label: str | None
    columns: Sequence[str] | None
    header: bool | None
    delimiter: str | None


def detect(
    path: Path,
    *,
    text: str | None = None,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> FileSpec:
    r"""How to read `path`: what the user said, and the rest from its content.

    Args:
        path: the file.
        text: name of the text's column or key.
        label: name of the label's column or key.
        columns: names of all columns, for a CSV file without a header; otherwise c1, c2, ... JSON lines
            take no notice of this, nor of header and delimiter: files of both kinds may come together.
        header: whether the first row names the columns.
        delimiter: one character, or "\t" as typed in a shell.
        encoding: a name that Python knows.

    Raises:
        GraftError: the file cannot be opened, is empty or binary, lacks a column that the user named, or
            something cannot be told safely; the message says which option tells it.
    """
    encoding = encodings.detect(path, encoding)
    delimiter = "\t" if delimiter in ("\\t", "tab") else delimiter
    wishes = _Wishes(text=text, label=label, columns=columns, header=header, delimiter=delimiter)
    return _json(path, encoding, wishes) if _is_json(path, encoding) else _csv(path, encoding, wishes)


def _is_json(path: Path, encoding: str) -> bool:
    rows = list(itertools.islice(readers.json_rows(readers.lines(path, encoding)), FIRST_ROWS))
    start = rows[0].raw.strip() if rows else ""
    lists = sum(row.raw.lstrip().startswith("[") and row.raw.rstrip().endswith("]") for row in rows)
    if start in ("{", "[") or start.startswith("[{") or lists > 0.5 * len(rows):
        raise GraftError(f"{path}: JSON, but not one object a line", help="jq -c '.[]' FILE makes JSON lines of it")
    return sum(row.problem is None for row in rows) > 0.5 * len(rows)


def _json(path: Path, encoding: str, wishes: _Wishes) -> FileSpec:
    values: dict[str, list[str]] = {}
    for row in itertools.islice(readers.json_rows(readers.lines(path, encoding)), ROWS):
        for key, value in row.values.items():
            values.setdefault(key, [])
            if isinstance(value, str) and value.strip():
                values[key].append(value)
    text, label = _choose(path, [Column(key, found) for key, found in values.items()], wishes)
    return FileSpec(format="jsonl", encoding=encoding, text=text, label=label)


def _csv(path: Path, encoding: str, wishes: _Wishes) -> FileSpec:
    delimiter = wishes.delimiter or _delimiter(path, encoding)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise GraftError(f"{path}: the delimiter is one character, not {delimiter!r}")
    width, _ = _width(_cells(path, encoding, delimiter, FIRST_ROWS))
    rows = [cells for cells in _cells(path, encoding, delimiter, ROWS) if len(cells) == width]
    if width < 2:
        raise GraftError(f"{path}: no two columns with the delimiter {delimiter!r}", help="name it: --delimiter")
    header = wishes.header
    if header is None:
        header = has_header(rows[0], rows[1:]) if wishes.columns is None else _names(rows[0]) == tuple(wishes.columns)
    columns = _names(rows[0]) if header else tuple(wishes.columns or (f"c{place + 1}" for place in range(width)))
    _check_columns(path, columns, width, wishes)
    body = list(zip(*rows[1 if header else 0 :], strict=True)) or [()] * width
    sample = [Column(name, [v for v in found if v.strip()]) for name, found in zip(columns, body, strict=True)]
    text, label = _choose(path, sample, wishes)
    return FileSpec(
        format="csv",
        encoding=encoding,
        delimiter=delimiter,
        header=header,
        columns=columns,
        text=text,
        label=label,
    )


def _delimiter(path: Path, encoding: str) -> str:
    """The delimiter with which most rows have one and the same number of fields, two or more."""
    found = {}
    for delimiter in DELIMITERS:
        width, share = _width(_cells(path, encoding, delimiter, FIRST_ROWS))
        if width > 1:
            found[delimiter] = (share, width)
    best = max(found, key=lambda delimiter: found[delimiter], default=None)
    if best is None or found[best][0] < 0.5:
        raise GraftError(
            f"{path}: neither JSON lines nor CSV: no delimiter splits most rows into equally many fields",
            help="name it: --delimiter ';', say",
        )
    return best


def _width(rows: Iterable[Sequence[str]]) -> tuple[int, float]:
    """The most frequent number of fields (the larger of two), and the share of rows that have it."""
    widths = Counter(len(cells) for cells in rows)
    width = max(widths, key=lambda width: (widths[width], width), default=0)
    return width, widths[width] / max(1, widths.total())


def _cells(path: Path, encoding: str, delimiter: str, count: int) -> Iterable[Sequence[str]]:
    found = readers.csv_cells(readers.lines(path, encoding), delimiter)
    return (row.cells for row in itertools.islice(found, count))


def _names(first: Sequence[str]) -> tuple[str, ...]:
    return readers.column_names(first)


def _check_columns(path: Path, columns: Sequence[str], width: int, wishes: _Wishes) -> None:
    if len(columns) != width:
        raise GraftError(f"{path}: {width} columns, but {len(columns)} names: {', '.join(columns)}")
    if wishes.columns is not None and tuple(wishes.columns) != tuple(columns):
        raise GraftError(f"{path}: the header names the columns: {', '.join(columns)}", help="leave out --columns")


def _choose(path: Path, columns: Sequence[Column], wishes: _Wishes) -> tuple[str, str]:
    names = [column.name for column in columns]
    unknown = [wish for wish in (wishes.text, wishes.label) if wish is not None and wish not in names]
    if unknown:
        missing = " and ".join(repr(name) for name in unknown)
        raise GraftError(f"{path}: no column {missing}", [f"columns: {', '.join(names)}"], help="name one of these")
    label = wishes.label or label_column(columns, wishes.text)
    text = wishes.text or text_column(columns, label)
    if text is None or label is None:
        _unclear(path, columns, [name for name, found in (("text", text), ("label", label)) if found is None])
    if text == label:
        raise GraftError(f"{path}: {text!r} cannot be both text and label")
    return text, label


def _unclear(path: Path, columns: Sequence[Column], unclear: Sequence[str]) -> NoReturn:
    raise GraftError(
        f"{path}: cannot tell which column holds the {' and the '.join(unclear)}",
        [f"{column.name}: {' '.join(column.values[0].split())[:60] if column.values else ''}" for column in columns],
        help="name " + " and ".join(f"--{name} COLUMN" for name in unclear),
    )
