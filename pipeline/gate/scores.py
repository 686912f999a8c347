"""Values of metrics over many bootstrap samples at once, and the difference of two models."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.gate.bootstrap import Difference, Floats
from pipeline.gate.values import TEXTS, Value

# Shape legend: B = samples, K = kinds of clusters, S = sums that a metric is made of, L = labels, E = entries.
Kind = tuple[tuple[Value, Value], ...]  # the items of a cluster: (candidate's value, reference's)


def difference(metric: str, kinds: Sequence[Kind]) -> Difference:
    """The function from how often each kind was drawn to the metric's difference."""
    if metric == "macro_f1":
        return _macro_f1(kinds)
    sums_KS = [np.array([_sum(pair[side] for pair in kind) for kind in kinds]) for side in (0, 1)]
    of = _texts(metric) if metric in TEXTS else _ratio
    return lambda counts_BK: of(counts_BK @ sums_KS[0]) - of(counts_BK @ sums_KS[1])


def weighed(metric: str, values: Sequence[Value]) -> bool:
    """Whether anything counts: weights of a user's metric, or tokens of a loss, may all be 0."""
    return metric == "macro_f1" or metric in TEXTS or any(found[1] for found in values)


def score(metric: str, values: Sequence[Value]) -> float:
    """The metric of some items; at least one."""
    if metric == "macro_f1":
        counts_BK = np.ones((1, 1))
        return float(_F1([tuple((found, found) for found in values)], 0)(counts_BK)[0])
    sums_BS = np.array([_sum(values)])
    return float((_texts(metric) if metric in TEXTS else _ratio)(sums_BS)[0])


def _sum(values: Iterable[Value]) -> Floats:
    found: Floats = np.array(list(values), dtype=np.float64).sum(axis=0)
    return found


def _ratio(sums_BS: Floats) -> Floats:
    weight_B = sums_BS[:, 1]
    return np.divide(sums_BS[:, 0], weight_B, out=np.zeros_like(weight_B), where=weight_B != 0)


def _texts(metric: str) -> Difference:
    from pipeline.evaluation.metrics import generation

    return lambda sums_BS: np.array([generation.score(metric, sums_S) for sums_S in sums_BS])


def _macro_f1(kinds: Sequence[Kind]) -> Difference:
    ours, theirs = _F1(kinds, 0), _F1(kinds, 1)
    return lambda counts_BK: ours(counts_BK) - theirs(counts_BK)


class _F1:
    """Macro-F1 over the labels that occur among a sample's answers, as pipeline/evaluation defines it."""

    def __init__(self, kinds: Sequence[Kind], side: int) -> None:
        labels = sorted({pair[side][0] for kind in kinds for pair in kind})
        number = {label: index for index, label in enumerate(labels)}
        support: Counter[tuple[int, int]] = Counter()  # (label, kind) -> items
        predicted: Counter[tuple[int, int]] = Counter()
        right: Counter[tuple[int, int]] = Counter()
        for index, kind in enumerate(kinds):
            for pair in kind:
                answer, guess = pair[side]
                support[number[answer], index] += 1
                if guess in number:
                    predicted[number[guess], index] += 1
                right[number[answer], index] += answer == guess
        self.labels = len(labels)
        self.support, self.predicted, self.right = (_entries(found) for found in (support, predicted, right))

    def __call__(self, counts_BK: Floats) -> Floats:
        support_BL = self._per_label(counts_BK, self.support)
        both_BL = support_BL + self._per_label(counts_BK, self.predicted)
        right_BL = self._per_label(counts_BK, self.right)
        f1_BL = np.divide(2 * right_BL, both_BL, out=np.zeros_like(both_BL), where=support_BL > 0)
        found: Floats = f1_BL.sum(axis=1) / (support_BL > 0).sum(axis=1)
        return found

    def _per_label(self, counts_BK: Floats, entries: tuple[NDArray[np.int64], ...]) -> Floats:
        label_E, kind_E, items_E = entries
        sums_BL = np.zeros((len(counts_BK), self.labels))
        if len(label_E):
            present, starts = np.unique(label_E, return_index=True)
            sums_BL[:, present] = np.add.reduceat(counts_BK[:, kind_E] * items_E, starts, axis=1)
        return sums_BL


def _entries(found: Counter[tuple[int, int]]) -> tuple[NDArray[np.int64], ...]:
    """Labels, kinds and counts, label by label, without zeros."""
    rows = sorted((label, kind, items) for (label, kind), items in found.items() if items)
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]
