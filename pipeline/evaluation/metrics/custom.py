"""Metrics of the user's own: functions in the repository's folder `metrics`, called with every item.

    def NAME(item: Mapping[str, Any]) -> float | tuple[float, float]

returns what an item counts, or that and its weight (1 unless told). The metric of a slice is
sum(weight * value) / sum(weight). docs/how-to/custom-metric.md has a worked example.
"""

import importlib.util
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.records.records import Record
from pipeline.evaluation.metrics.classification import DIGITS
from pipeline.evaluation.metrics.slice_metrics import NAMES

FOLDER = Path("metrics")
HELP = "docs/how-to/custom-metric.md says how such a function is called and what it may return"

_SPEC = re.compile(r"metrics(\.[A-Za-z_]\w*)+:([A-Za-z_]\w*)")

Item = Mapping[str, Any]
Asked = str | Sequence[str] | None  # evaluate.custom


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One function of evaluate.custom."""

    name: str  # the function's, and so the metric's
    path: Path  # of its file
    function: Callable[[Item], Any]


def load(asked: Asked) -> list[Metric]:
    """The functions that `evaluate.custom` names, in its order; none: null.

    Raises:
        GraftError: something named lies outside `metrics`, is not there, cannot be imported, or takes a name that
            a metric has already.
    """
    specs = [] if asked is None else [asked] if isinstance(asked, str) else list(asked)
    if specs:
        _refuse_compiled()
    found = [_load(spec) for spec in specs]
    for place, metric in enumerate(found):
        if metric.name in (*NAMES, *(other.name for other in found[:place])):
            raise _error(f"params.yaml: $.evaluate.custom: {specs[place]}: {metric.name} is another metric's name")
    return found


def item(record: Record, row: Mapping[str, Any]) -> Item:
    """What a function is given of an item; nothing in it can be written to.

    Args:
        record: the item.
        row: what a model said of it, of predictions.json.
    """
    view: dict[str, Any] = {
        "id": record.id,
        "kind": record.kind,
        "text": record.answer if record.kind == "text" or not record.prompt else str(record.prompt[-1]["content"]),
        "messages": record.messages,
        "answer": record.answer,
        **{name: getattr(record, name) for name in ("key", "increment", "file", "line")},
    }
    if record.kind == "classification":
        view |= {"label": record.answer, "predicted": row["predicted"]}
    if "text" in row:
        view["generated"] = row["text"]
    return MappingProxyType(view)


def values(metrics: Sequence[Metric], items: Sequence[Item]) -> list[dict[str, list[float]]]:
    """What each metric gives each item: [value, weight], for `custom` of its row.

    Raises:
        GraftError: a function fails, or returns anything but numbers; with the item and the user's own line.
    """
    with _no_bytecode():
        return [{metric.name: _value(metric, one) for metric in metrics} for one in items]


def added(
    metrics: Sequence[Metric], records: Sequence[Record], rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What a model said of records, each row with `custom` where there are metrics; raises like `values`.

    What an earlier release's metrics gave, in rows of its state, is left out: a function may have changed since.
    """
    plain = [{name: figure for name, figure in row.items() if name != "custom"} for row in rows]
    if not metrics:
        return plain
    found = values(metrics, [item(record, row) for record, row in zip(records, plain, strict=True)])
    return [{**row, "custom": one} for row, one in zip(plain, found, strict=True)]


def _load(spec: str) -> Metric:
    where = f"params.yaml: $.evaluate.custom: {spec}"
    if not _SPEC.fullmatch(spec):
        raise _error(f"{where}: not of the form metrics.FILE:FUNCTION; functions live in the folder {FOLDER}/")
    module, _, name = spec.partition(":")
    path = Path(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        raise _error(f"{where}: there is no {path.as_posix()}")
    function = getattr(_imported(module, path), name, None)
    if not callable(function):
        raise _error(f"{where}: {path.as_posix()} has no function {name}")
    return Metric(name=name, path=path, function=function)


def _imported(module: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(module, path.resolve())
    if spec is None or spec.loader is None:  # never of a file that ends in .py
        raise _error(f"{path.as_posix()}: no Python module")
    made = importlib.util.module_from_spec(spec)
    with _no_bytecode():
        try:
            spec.loader.exec_module(made)
        except Exception as error:  # the user's code: it may raise anything
            raise _error(f"{_place(error, path)}: {_what(error)}") from None
    return made


def _value(metric: Metric, one: Item) -> list[float]:
    try:
        returned = metric.function(one)
    except Exception as error:  # the user's code: it may raise anything
        raise _item_error(f"{_place(error, metric.path)}: {metric.name}: {_what(error)}", one) from None
    value, weight = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, 1.0)
    for part, name in ((value, "value"), (weight, "weight")):
        if not isinstance(part, Real) or not math.isfinite(part):
            raise _item_error(f"{metric.path.as_posix()}: {metric.name}: the {name} is {part!r}, not a number", one)
    if weight < 0:
        raise _item_error(f"{metric.path.as_posix()}: {metric.name}: the weight is {weight!r}, below 0", one)
    return [round(float(value), DIGITS), round(float(weight), DIGITS)]


def _place(error: Exception, path: Path) -> str:
    """File and line in the user's folder where it went wrong, the innermost."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_relative(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(FOLDER.resolve())]
    return f"{_relative(own[-1].filename)}:{own[-1].lineno}" if own else path.as_posix()


def _relative(name: str) -> str:
    path = Path(name)
    return (path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path).as_posix()


def _what(error: Exception) -> str:
    said = error.msg if isinstance(error, SyntaxError) else str(error).partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _error(message: str) -> GraftError:
    return GraftError(message, help=HELP)


def _item_error(message: str, one: Item) -> GraftError:
    return GraftError(
        f"{message}, for item {one['id'][:16]} of {one['increment']}, {one['file']}:{one['line']}", help=HELP
    )


def _refuse_compiled() -> None:
    """Refuse compiled modules: Python imports them in place of a source, and DVC does not hash them.

    Raises:
        GraftError: naming each file.
    """
    found = sorted(path.as_posix() for path in FOLDER.rglob("*.py[co]") if path.parent.name != "__pycache__")
    if found:
        raise GraftError(
            f"{found[0]}: compiled code in place of a source", found[1:], help="delete it, or put its .py there"
        )


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """No bytecode is written into the folder or read from it: stage evaluate depends on its sources alone."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    prefix, sys.pycache_prefix = sys.pycache_prefix, os.devnull  # no folder, so nothing is found below it
    try:
        yield
    finally:
        sys.dont_write_bytecode, sys.pycache_prefix = before, prefix
