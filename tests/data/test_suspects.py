"""Suspected label errors."""

import sys

import pytest

from pipeline.common.errors import GraftError
from pipeline.data.assemble import suspects
from pipeline.data.assemble.suspects import Suspect


def test_a_wrong_label_is_suspected():
    pytest.importorskip("cleanlab", reason="an extra: make setup EXTRAS=labels")
    labels = {f"{number:02}": "fridge" if number % 2 else "phone" for number in range(40)}
    sure = {"fridge": {"fridge": 0.9, "phone": 0.1}, "phone": {"fridge": 0.2, "phone": 0.8}}
    predictions = {name: sure[label] for name, label in labels.items()}
    labels["07"] = "phone"
    assert suspects.find(labels, predictions) == [Suspect(id="07", label="phone", likelier="fridge", confidence=0.1)]
    assert suspects.find({"01": "fridge"}, {"01": {"fridge": 1.0}}) == []


def test_without_cleanlab_the_way_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(GraftError, match="cleanlab is not installed") as error:
        suspects.find({}, {})
    assert error.value.help == "make setup EXTRAS=labels"
