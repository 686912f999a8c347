"""Labels that are probably wrong: confident learning over predictions that an earlier model made.

Optional: needs cleanlab (`make setup EXTRAS=labels`), and predictions on records that the model was not trained on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.common.errors import GraftError


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """A record whose label is probably another."""

    id: str
    label: str
    likelier: str  # what the model says
    confidence: float  # in the given label


def find(labels: Mapping[str, str], predictions: Mapping[str, Mapping[str, float]]) -> list[Suspect]:
    """The suspects, least confident first.

    Args:
        labels: by the record's id.
        predictions: probabilities by label, of some of the records; labels left out have none.

    Raises:
        GraftError: cleanlab is not installed.

    Source: Northcutt, Jiang, Chuang 2021, arXiv:1911.00068.
    """
    try:
        from cleanlab.filter import find_label_issues  # 3 s: it loads scikit-learn and pandas
    except ImportError:
        raise GraftError(
            "label errors are to be looked for, but cleanlab is not installed", help="make setup EXTRAS=labels"
        ) from None
    ids = sorted(labels.keys() & predictions.keys())
    names = sorted({labels[each] for each in ids} | {name for each in ids for name in predictions[each]})
    if len(names) < 2:
        return []
    places = {name: place for place, name in enumerate(names)}
    shares = np.array([[predictions[each].get(name, 0.0) for name in names] for each in ids], dtype=np.float64)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    given = np.array([places[labels[each]] for each in ids])
    found = find_label_issues(given, shares, return_indices_ranked_by="self_confidence", n_jobs=1)
    return [
        Suspect(
            id=ids[row],
            label=labels[ids[row]],
            likelier=names[int(shares[row].argmax())],
            confidence=round(float(shares[row, given[row]]), 4),
        )
        for row in found.tolist()
    ]
