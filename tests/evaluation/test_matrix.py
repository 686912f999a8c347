import pytest

from pipeline.evaluation.metrics import matrix


def block(accuracy, items=10):
    return {"accuracy": accuracy, "macro_f1": accuracy, "items": items}


def row(release, increment, **accuracy):
    return {
        "release": release, "increment": increment, "items": dict.fromkeys(accuracy, 10), "accuracy": accuracy
    }  # fmt: skip


# Three releases of three increments, each new slice measured on the release before it, too: GEM's R, one row each.
ROWS = [
    row("v1.0.0", "one", one=0.9, two=0.3),
    row("v1.1.0", "two", one=0.7, two=0.8, three=0.5),
    row(None, "three", one=0.8, two=0.7, three=0.9),
]


def test_the_figures_are_those_of_the_papers():
    found = matrix.chain({"version": 1, "releases": ROWS}, labels=4)
    assert found == {
        "average_accuracy": 0.8,  # (0.8 + 0.7 + 0.9) / 3
        "backward_transfer": -0.1,  # ((0.8 - 0.9) + (0.7 - 0.8)) / 2
        "forward_transfer": 0.15,  # ((0.3 - 0.25) + (0.5 - 0.25)) / 2
        "forgetting": {"one": 0.1, "two": 0.1},  # 0.9 - 0.8, 0.8 - 0.7
    }


def test_forgetting_is_below_zero_where_a_slice_gained():
    assert matrix.forgetting([ROWS[0], row(None, "two", one=0.95, two=0.8)]) == {"one": -0.05}


def test_a_chain_grows_by_a_row_and_completes_its_parents():
    first = matrix.extend(None, None, "one", {"one": block(0.9, 20), "golden-a": block(1.0)}, None)
    assert first["releases"] == [
        row(None, "one", **{"one": 0.9, "golden-a": 1.0}) | {"items": {"one": 20, "golden-a": 10}}
    ]
    parent = {"one": block(0.85, 18), "two": block(0.4, 5)}  # of one's items fewer are left today
    second = matrix.extend(first, "v1.0.0", "two", {"one": block(0.8), "two": block(0.9, 5)}, parent)
    assert second["releases"][0] == {
        "release": "v1.0.0", "increment": "one", "items": {"one": 20, "golden-a": 10, "two": 5},
        "accuracy": {"one": 0.9, "golden-a": 1.0, "two": 0.4},
    }  # fmt: skip
    assert second["releases"][1]["release"] is None
    assert first["releases"][0]["release"] is None  # what was given is not written to
    assert matrix.chain(second, labels=2)["forward_transfer"] == -0.1


def test_first_release_has_an_average_alone():
    first = matrix.extend(None, None, "one", {"one": block(0.9)}, None)
    assert matrix.chain(first, labels=3) == {
        "average_accuracy": 0.9, "backward_transfer": None, "forward_transfer": None, "forgetting": {}
    }  # fmt: skip


def test_a_parent_without_a_matrix_has_a_row_of_what_it_scores_today():
    """Of an older Graft, or adopted: its increment is not known."""
    found = matrix.extend(
        None, "v1.0.0", "two", {"one": block(0.8), "two": block(0.9)}, {"one": block(0.9), "two": block(0.5)}
    )
    assert [one["increment"] for one in found["releases"]] == [None, "two"]
    figures = matrix.chain(found, labels=2)
    assert figures == {
        "average_accuracy": 0.85, "backward_transfer": None, "forward_transfer": 0.0, "forgetting": {"one": 0.1}
    }  # fmt: skip


def test_slices_without_classifications_are_no_columns():
    blocks = {"one": {"loss": 1.0, "items": 3}, "empty": {"accuracy": None, "macro_f1": None, "items": 0}}
    found = matrix.extend(None, None, "one", blocks, None)
    assert found["releases"][0]["accuracy"] == {}
    assert matrix.chain(found, labels=3) is None


def test_golden_and_field_slices_are_no_tasks_but_can_be_forgotten():
    rows = [
        row("v1.0.0", "one", one=0.9, **{"golden-a": 1.0, "label=Toy": 0.6}),
        row(None, "two", one=0.9, two=0.7, **{"golden-a": 0.5, "label=Toy": 0.7}),
    ]
    assert matrix.average_accuracy(rows) == 0.8
    assert matrix.backward_transfer(rows) == 0.0
    assert matrix.forgetting(rows) == {"golden-a": 0.5, "label=Toy": -0.1, "one": 0.0}


def test_what_folded_into_history_counts_in_the_average_alone():
    rows = [*ROWS[:2], row(None, "three", history=0.6, three=0.8)]
    assert matrix.average_accuracy(rows) == 0.7
    assert matrix.backward_transfer(rows) is None
    assert matrix.forward_transfer(rows, 4) == 0.15  # what releases could do before, they could do
    assert matrix.forgetting([*ROWS[:1], row("v2", "three", history=0.9), rows[-1]]) == {}


def test_an_increment_released_a_second_time_was_learned_the_first_time():
    rows = [row("v1.0.0", "one", one=0.9), row("v1.0.1", "one", one=0.7), row(None, "one", one=0.8)]
    assert matrix.backward_transfer(rows) == -0.1
    assert matrix.forgetting(rows) == {"one": 0.1}


def test_without_known_labels_there_is_no_chance_to_beat():
    assert matrix.forward_transfer(ROWS, 0) is None


def test_a_long_chain_keeps_its_first_ten_and_last_fifty_releases():
    known = None
    for number in range(100):
        blocks = {f"n{number}": block(0.9), f"n{number - 1}": block(0.8)}
        before = {f"n{number}": block(0.5), f"n{number - 1}": block(0.9)}
        known = matrix.extend(known, f"v1.{number - 1}.0" if number else None, f"n{number}", blocks, before)
    rows = known["releases"]
    assert [one["increment"] for one in rows] == [f"n{number}" for number in (*range(10), *range(50, 100))]
    assert [one["release"] for one in rows[-3:]] == ["v1.97.0", "v1.98.0", None]
    figures = matrix.chain(known, labels=10)
    assert figures["backward_transfer"] == -0.1
    assert figures["forward_transfer"] == 0.4  # n50's parent is no longer there, and left out


def test_order_of_the_slices_changes_nothing():
    other = [one | {"accuracy": dict(reversed(one["accuracy"].items()))} for one in ROWS]
    assert matrix.chain({"releases": other}, 4) == matrix.chain({"releases": ROWS}, 4)


@pytest.mark.parametrize("releases", [[], [row(None, "one")]], ids=["no-releases", "no-slices"])
def test_nothing_measured_has_no_figures(releases):
    assert matrix.chain({"version": 1, "releases": releases}, 3) is None
