"""A recorded row agrees with a fresh one, or the field that does not is named."""

from math import inf, nan
from typing import Any

import pytest

from pipeline.chain.rescore.agreement import Fresh, compare

LABEL = {"predicted": "Garden", "score": -0.5, "confidence": 0.9, "truncated": False}
TEXT = {"kind": "sft", "nats": 40.0, "tokens": 12, "truncated": False, "text": "It is tea.", "unfinished": False}
PAIR = {"kind": "preference", "chosen": -80.0, "rejected": -90.0, "truncated": False}
DIVERGED = {"predicted": "", "score": None, "confidence": 0.0, "truncated": False}


def fresh(row: dict[str, Any], gap: float = inf) -> Fresh:
    """What a model says that finds the recorded label a little less likely than the best."""
    if "predicted" not in row:
        return Fresh(row=row, gap=gap)
    return Fresh(row=row, label_score=row["score"], label_confidence=row["confidence"], gap=gap)


@pytest.mark.parametrize(
    ("recorded", "now", "fields"),
    [
        pytest.param(LABEL, fresh(LABEL), [], id="equal"),
        pytest.param(LABEL | {"score": -0.50004}, fresh(LABEL), [], id="within-the-bound"),
        pytest.param(LABEL | {"score": -0.51}, fresh(LABEL), ["score"], id="another-score"),
        pytest.param(LABEL | {"score": "-0.5"}, fresh(LABEL), ["score"], id="score-as-text"),
        pytest.param(LABEL | {"score": nan}, fresh(LABEL), ["score"], id="score-that-is-no-number"),
        pytest.param(LABEL | {"predicted": "Toys"}, fresh(LABEL, 5e-4), [], id="tie-of-labels"),
        pytest.param(LABEL | {"predicted": "Toys"}, fresh(LABEL, 2e-3), ["predicted"], id="no-tie"),
        pytest.param(LABEL | {"predicted": "Toys"}, fresh(LABEL), ["predicted"], id="label-that-is-unknown"),
        pytest.param(LABEL | {"predicted": "Toys"}, fresh(LABEL, nan), ["predicted"], id="gap-that-is-no-number"),
        pytest.param(LABEL | {"truncated": True}, fresh(LABEL), ["truncated"], id="truncated"),
        pytest.param(DIVERGED, fresh(DIVERGED), [], id="diverged-then-and-now"),
        pytest.param(LABEL, fresh(DIVERGED), ["predicted"], id="diverged-now"),
        pytest.param(None, fresh(LABEL), ["row"], id="no-row"),
        pytest.param(TEXT, fresh(TEXT), [], id="equal-answer"),
        pytest.param(TEXT | {"text": "It is"}, fresh(TEXT), ["text"], id="another-answer"),
        pytest.param(TEXT | {"text": "It was", "unfinished": True}, fresh(TEXT, 1e-5), [], id="tie-of-answers"),
        pytest.param(TEXT | {"unfinished": True}, fresh(TEXT), ["unfinished"], id="unfinished"),
        pytest.param(TEXT | {"nats": 39.9, "tokens": 11}, fresh(TEXT), ["nats", "tokens"], id="less-loss"),
        pytest.param(PAIR | {"rejected": -90.003}, fresh(PAIR), [], id="sum-within-its-size"),
        pytest.param({"kind": "preference", "chosen": -80.0}, fresh(PAIR), ["rejected", "truncated"], id="absent"),
    ],
)
def test_compare(recorded: dict[str, Any] | None, now: Fresh, fields: list[str]) -> None:
    compared = compare("an id", "candidate", recorded, now, bound=1e-4, tie=1e-3)
    assert [difference.field for difference in compared.differences] == fields
