"""Key samples: the records from which more are made first, because they are rare, long, or hardly told apart."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from pipeline.common.errors import GraftError

_LONG = 0.1  # of the records: the longest
_MARGIN = 0.2  # between the two likeliest labels


def load(path: Path) -> dict[str, dict[str, float]]:
    """Probabilities by record: lines of {"id": ..., "probabilities": {label: p}}.

    Raises:
        GraftError: the file cannot be read, or lines are none such; all of them at once.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise GraftError(
            f"{path}: cannot be read: {error.strerror}",
            help="assemble.augment.predictions or assemble.suspects names it",
        ) from None
    found: dict[str, dict[str, float]] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        item = _parsed(line)
        if item is None:
            problems.append(f'{path}:{number}: no {{"id": ..., "probabilities": {{label: number}}}}')
        else:
            found[item["id"]] = item["probabilities"]
    if problems:
        raise GraftError(problems[0], problems[1:], help="the predictions of an earlier model on training records")
    return found


def choose(
    texts: Mapping[str, tuple[str, str]], rare_below: int, predictions: Mapping[str, Mapping[str, float]]
) -> set[str]:
    """Ids of the key samples.

    Args:
        texts: text and label by id.
        rare_below: labels with fewer records are rare.
        predictions: of some of the records.
    """
    counts = Counter(label for _, label in texts.values())
    rare = {name for name, (_, label) in texts.items() if counts[label] < rare_below}
    longest = heapq.nsmallest(int(_LONG * len(texts)), texts, key=lambda name: (-len(texts[name][0]), name))
    close = {name for name in texts.keys() & predictions.keys() if margin(predictions[name].values()) < _MARGIN}
    return rare | set(longest) | close


def margin(probabilities: Iterable[float]) -> float:
    """By how much the likeliest label leads; 1 where there is but one."""
    top = heapq.nlargest(2, probabilities)
    return top[0] - top[1] if len(top) > 1 else 1.0


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    found = item.get("probabilities")
    fits = isinstance(found, dict) and found and all(type(value) in (int, float) for value in found.values())
    return item if fits else None
