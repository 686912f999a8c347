"""reports/matrix.json: what each release of the chain scored on each slice, and what that says of remembering.

A row is a release, a column a slice, a figure the accuracy on the slice's classifications. It is extended from the
parent's matrix: no older release is ever scored again.

Lopez-Paz & Ranzato 2017, Gradient Episodic Memory (GEM), arXiv:1706.08840, section 3; Chaudhry et al. 2018,
Riemannian Walk (RWalk), arXiv:1801.10112, section 4. A task there is an increment's slice here: its release is the
first whose increment it is. Golden slices and those of a field are no tasks: they can be forgotten, that is all.
`history` holds other items whenever a slice folds into it: it counts in the average alone, and a slice that folded
is out of all other figures.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.evaluation.metrics.classification import DIGITS

HISTORY = "history"  # what the oldest slices fold into
GOLDEN = "golden-"  # so begin those that people keep by hand
FIELD = "="  # in the names of those of evaluate.slice_by
FIRST, LAST = 10, 50  # rows that are kept of a long chain

Blocks = Mapping[str, Mapping[str, Any]]  # metrics of each slice, as metrics.json has them
Row = Mapping[str, Any]


def extend(
    known: Mapping[str, Any] | None,
    parent_release: str | None,
    increment: str,
    candidate: Blocks,
    parent: Blocks | None,
) -> dict[str, Any]:
    """The parent's matrix with a row for the candidate; at most the first 10 and the last 50 rows.

    The parent's row gets its name, and its accuracy on the slices that are new: R[i-1, i] of forward transfer. On the
    slices that it had, its row keeps what it scored when it was released.

    Args:
        known: the parent's matrix; None before the first release, or of a parent that has none.
        parent_release: its tag; None before the first release.
        increment: the candidate's, such as 2026-02-spring.
        candidate: its metrics of each slice.
        parent: the parent's metrics of the same slices.
    """
    rows = list(known["releases"]) if known else []
    if parent_release is not None:
        own = rows.pop() if rows else {"increment": None, "items": {}, "accuracy": {}}
        items, accuracy = _figures(parent or {})
        rows.append({
            "release": parent_release,
            "increment": own["increment"],
            "items": items | own["items"],
            "accuracy": accuracy | own["accuracy"],
        })  # fmt: skip
    items, accuracy = _figures(candidate)
    rows.append({"release": None, "increment": increment, "items": items, "accuracy": accuracy})
    return {"version": 1, "releases": rows if len(rows) <= FIRST + LAST else [*rows[:FIRST], *rows[-LAST:]]}


def chain(matrix: Mapping[str, Any], labels: int) -> dict[str, Any] | None:
    """The figures of the candidate, the last row; null without any classification.

    Args:
        matrix: of `extend`.
        labels: that the candidate knows.
    """
    rows = matrix["releases"]
    if not rows or not rows[-1]["accuracy"]:
        return None
    return {
        "average_accuracy": average_accuracy(rows),
        "backward_transfer": backward_transfer(rows),
        "forward_transfer": forward_transfer(rows, labels),
        "forgetting": forgetting(rows),
    }


def average_accuracy(rows: Sequence[Row]) -> float | None:
    """GEM's ACC = 1/T sum_i R[T, i]: the mean over the increments' slices, each counting once, whatever its items.

    Increments that folded into `history` count through it, together as one.
    """
    return _mean([accuracy for name, accuracy in rows[-1]["accuracy"].items() if _brought(name)])


def backward_transfer(rows: Sequence[Row]) -> float | None:
    """GEM's BWT = 1/(T-1) sum_{i<T} R[T, i] - R[i, i]: what later increments did to earlier ones; below 0: harm.

    Over the earlier increments that still have a slice and whose own release is among the rows; null without any.
    """
    last = rows[-1]["accuracy"]
    earlier = [(name, place) for name, place in _tasks(rows).items() if place < len(rows) - 1 and name in last]
    return _mean([last[name] - rows[place]["accuracy"][name] for name, place in earlier])


def forward_transfer(rows: Sequence[Row], labels: int) -> float | None:
    """GEM's FWT = 1/(T-1) sum_{i>1} R[i-1, i] - b_i: what a release could do of the next increment before it.

    b, the baseline of chance, is 1 / labels for every increment, the candidate's labels: no model that was never
    trained is scored. An increment of labels that its parent does not know scores 0 there, below chance. Over the
    increments whose parent's row is known; null without any.
    """
    known = [
        rows[place - 1]["accuracy"][name]
        for name, place in _tasks(rows).items()
        if place and name in rows[place - 1]["accuracy"]
    ]
    return _mean([accuracy - 1 / labels for accuracy in known]) if labels else None


def forgetting(rows: Sequence[Row]) -> dict[str, float]:
    """RWalk's f[j] = max_{l<k} a[l, j] - a[k, j] of each slice j: how far it is below its best; below 0: it gained.

    Of every slice that an earlier release was measured on, but `history` and the candidate's own increment, which
    nobody learned before. A slice that appears later, such as golden items, counts from the parent of the release
    that it appeared in. Where people change golden items, the best is that of the items as they were.
    """
    *earlier, last = rows
    own = {HISTORY} | {name for name, place in _tasks(rows).items() if place == len(rows) - 1}
    found = {}
    for name, accuracy in sorted(last["accuracy"].items()):
        before = [row["accuracy"][name] for row in earlier if name in row["accuracy"]]
        if before and name not in own:
            found[name] = round(max(before) - accuracy, DIGITS)
    return found


def _tasks(rows: Sequence[Row]) -> dict[str, int]:
    """Increments that have a slice of their own, and the first row that learned each."""
    found: dict[str, int] = {}
    for place, row in enumerate(rows):
        if row["increment"] in row["accuracy"]:
            found.setdefault(row["increment"], place)
    return found


def _brought(name: str) -> bool:
    """Whether increments brought a slice; no increment may have a name of the others."""
    return not name.startswith(GOLDEN) and FIELD not in name


def _figures(blocks: Blocks) -> tuple[dict[str, int], dict[str, float]]:
    """Items and accuracy of the slices that have an accuracy."""
    measured = {name: block for name, block in blocks.items() if block.get("accuracy") is not None}
    return (
        {name: block["items"] for name, block in measured.items()},
        {name: block["accuracy"] for name, block in measured.items()},
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(math.fsum(values) / len(values), DIGITS) if values else None
