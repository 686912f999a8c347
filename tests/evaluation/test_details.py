import csv
import io

import pytest

from pipeline.evaluation.metrics import details


def item(number, answer, predicted, confidence=0.95):
    row = {"predicted": predicted, "score": -1.0, "confidence": confidence, "truncated": False}
    return {"id": f"{number:064x}", "kind": "classification", "slices": ["a"], "answer": answer, "candidate": row}


ITEMS = [
    item(3, "TVs", "TVs"),
    item(1, "TVs", "Books", 0.35),
    item(2, "Books", ""),
    {"id": "0" * 64, "kind": "text", "slices": ["a"], "candidate": {"kind": "text", "nats": 1.0, "tokens": 2}},
]


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_details_of_the_classifications():
    found = details.details(ITEMS, {"a": {"typos": {"drop": 0.1}}})
    assert found["labels"] == {
        "Books": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1, "predicted": 1},
        "TVs": {"precision": 1.0, "recall": 0.5, "f1": 0.666667, "support": 2, "predicted": 1},
    }
    assert found["confusion"] == [["Books", "", 1], ["TVs", "Books", 1], ["TVs", "TVs", 1]]
    assert [row["items"] for row in found["calibration"]] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 2]
    assert found["calibration"][9] == {"low": 0.9, "high": 1.0, "items": 2, "confidence": 0.95, "accuracy": 0.5}
    assert found["robustness"] == {"a": {"typos": {"drop": 0.1}}}


def test_details_of_nothing_are_empty():
    found = details.details([])
    assert (found["labels"], found["confusion"], found["robustness"]) == ({}, [], {})
    assert len(found["calibration"]) == 10
    assert details.confusion_csv([]) == "actual,predicted\n"
    assert details.calibration_csv(found) == "confidence,accuracy,items\n"


@pytest.mark.parametrize("shown", [ITEMS, ITEMS[::-1]], ids=["in-order", "reversed"])
def test_confusion_plot_has_a_row_an_item_in_the_order_of_ids(shown):
    assert details.confusion_csv(shown) == "actual,predicted\nTVs,Books\nBooks,\nTVs,TVs\n"


def test_confusion_plot_of_many_items_is_bounded():
    many = [item(number, "a", "b") for number in range(6_000)]
    assert len(rows(details.confusion_csv(many))) == 5_000


def test_labels_with_commas_and_line_breaks_stay_one_cell():
    assert rows(details.confusion_csv([item(1, 'a, "b"\nc', "d")])) == [{"actual": 'a, "b"\nc', "predicted": "d"}]


def test_calibration_plot_has_the_bins_with_items():
    assert details.calibration_csv(details.details(ITEMS)) == "confidence,accuracy,items\n0.35,0.0,1\n0.95,0.5,2\n"


def test_slices_plot_has_every_side_that_was_measured():
    metrics = {
        "candidate": {"slices": {"b": {"accuracy": 0.5}, "a": {"accuracy": 1.0}, "text": {"loss": 1.0}}},
        "parent": {"slices": {"a": {"accuracy": 0.9}, "b": {"accuracy": None}}},
        "anchor": None,
    }
    assert details.slices_csv(metrics) == "slice,release,accuracy\na,candidate,1.0\na,parent,0.9\nb,candidate,0.5\n"


def test_forgetting_plot_has_the_matrix():
    matrix = {
        "releases": [{"release": "v1.0.0", "accuracy": {"b": 0.5, "a": 1.0}}, {"release": None, "accuracy": {"a": 0.9}}]
    }
    assert details.forgetting_csv(matrix).splitlines()[1:] == ["v1.0.0,a,1.0", "v1.0.0,b,0.5", "candidate,a,0.9"]
