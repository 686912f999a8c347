import itertools
import json
from dataclasses import replace

import pytest

from pipeline.common.errors import GraftError
from pipeline.data.assemble import slices
from pipeline.data.records import arrow, records
from pipeline.data.records.item_marks import Marks
from pipeline.data.records.records import Record
from pipeline.evaluation import fields, items
from pipeline.evaluation.perturb import perturbations
from pipeline.settings import effective
from tests.conftest import ROOT
from tests.stages.conftest import record

NOTHING = Marks()


def held(start: int, stop: int, increment: str = "winter") -> list[Record]:
    return [record(n, increment) for n in range(start, stop)]


def ids(of) -> set[str]:
    return {item.id for item in of}


def chosen(slices_, budget, marks=NOTHING) -> dict[str, set[str]]:
    found = items.items(slices_, marks, max_items=budget)
    return {name: {item.record.id for item in found.items if name in item.slices} for name in found.slices}


def test_an_item_that_stands_in_several_slices_is_one_item():
    found = items.items({"b": held(0, 3), "a": held(2, 5), "empty": []}, NOTHING)
    assert [item.record.id for item in found.items] == sorted(ids(held(0, 5)))
    assert {item.record.id: item.slices for item in found.items}[record(2).id] == ("a", "b")
    assert found.slices == ("a", "b", "empty")
    assert set(found.left_out.values()) == {0}


def test_marks_come_to_their_items():
    marks = Marks(must_pass=frozenset({record(1).id}), clusters={record(2).id: "red"})
    found = {item.record.id: item for item in items.items({"golden-x": held(0, 4)}, marks).items}
    assert [found[record(n).id].must_pass for n in range(4)] == [False, True, False, False]
    assert [found[record(n).id].cluster for n in (2, 3)] == ["red", record(3).id]


def test_fields_make_further_slices():
    given = [replace(record(n), date=("2026-01-31", "2026/02/01", None, "yesterday")[n]) for n in range(4)]
    found = items.items({"winter": given}, NOTHING, ["label", "month", "tools"])
    assert found.slices == ("label=Book", "label=Garden Tools", "label=Toy", "label=Toys",
                            "month=2026-01", "month=2026-02", "tools=no", "winter")  # fmt: skip
    by_id = {item.record.id: item.slices for item in found.items}
    assert by_id[given[0].id] == ("label=Toy", "month=2026-01", "tools=no", "winter")
    assert by_id[given[3].id] == ("label=Garden Tools", "tools=no", "winter")


def test_small_values_of_a_field_stand_together():
    given = [replace(record(n), key=f"k{n % 60:02d}" if n < 120 else f"k{55 + n % 5}") for n in range(240)]
    found = items.items({"winter": given}, NOTHING, ["key"])
    names = [name for name in found.slices if name != "winter"]
    assert len(names) == fields.LARGEST + 1
    assert {"key=k55", "key=k59", "key=k44", "key=others"} <= set(names)
    others = [item.record.key for item in found.items if "key=others" in item.slices]
    assert sorted(set(others)) == [f"k{n}" for n in range(45, 55)]


@pytest.mark.parametrize(
    ("date", "month"),
    [("2026-01-05", "2026-01"), ("20260105", "2026-01"), ("2026-01-05T10:00:00Z", "2026-01"), ("1701234567", None),
     ("2026", None), ("2026-13-01", None), ("5.1.2026", None)],
)  # fmt: skip
def test_months(date, month):
    assert fields.FIELDS["month"](replace(record(0), date=date)) == month


def test_every_field_is_one_that_a_record_has_a_word_for():
    tool = Record(
        id="a" * 64, kind="kto", messages=[{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}],
        desirable=False, tools="[]", increment="i", file="raw/f", line=1,
    )  # fmt: skip
    found = {name: read(tool) for name, read in fields.FIELDS.items()}
    assert found == {
        "label": None, "increment": "i", "file": "raw/f", "kind": "kto", "key": None, "date": None, "month": None,
        "tools": "yes", "turns": "1", "desirable": "no",
    }  # fmt: skip


def test_the_budget_is_shared_alike_and_small_slices_stay_whole():
    found = chosen({"a": held(0, 100), "b": held(100, 200), "c": held(200, 207)}, 47)
    assert [len(found[name]) for name in "abc"] == [20, 20, 7]
    assert len(set().union(*found.values())) == 47


def test_a_budget_that_is_enough_takes_everything():
    given = {"a": held(0, 10), "b": held(10, 12)}
    assert chosen(given, 12) == chosen(given, None)


def test_golden_and_must_pass_items_are_always_whole():
    given = {"a": held(0, 100), "b": held(100, 200), "golden-x": held(300, 310)}
    marks = Marks(must_pass=frozenset({record(55).id}))
    found = chosen(given, 31, marks)
    assert found["golden-x"] == ids(held(300, 310))
    assert record(55).id in found["a"]
    assert len(set().union(*found.values())) == 31
    within = items.items(given, marks, max_items=31)
    assert within.left_out == {"a": 89, "b": 90, "golden-x": 0}
    assert items.budget(within) == ["above evaluate.max_items, and not evaluated: a 89, b 90"]
    assert items.budget(items.items(given, marks)) == []
    with pytest.raises(GraftError, match=r"max_items: 10, and the golden items alone are 11"):
        items.items(given, marks, max_items=10)


def test_an_item_of_several_slices_costs_the_budget_once():
    given = {"a": held(0, 50), "b": held(0, 50), "c": held(50, 100)}
    found = chosen(given, 40)
    assert (len(found["a"]), found["a"] == found["b"], len(found["c"])) == (20, True, 20)


def test_a_smaller_budget_is_part_of_a_larger_one():
    given = {"a": held(0, 100), "b": held(100, 130)}
    taken = [set().union(*chosen(given, budget).values()) for budget in range(1, 130)]
    assert [len(some) for some in taken] == list(range(1, 130))
    assert all(small < large for small, large in itertools.pairwise(taken))


def test_a_further_slice_leaves_most_of_the_others_items():
    before = {str(n): held(100 * n, 100 * n + 100) for n in range(9)}
    after = before | {"new": held(900, 1000)}
    old, new = chosen(before, 270), chosen(after, 270)
    assert all(new[name] < old[name] and len(new[name]) == 27 for name in before)


def test_what_was_evaluated_is_what_folding_into_history_keeps():
    """The parent's predictions stay of use when slices fold, since both take the lowest prompt hashes."""
    given = held(0, 100)
    evaluated = chosen({"winter": given}, 20)["winter"]
    folded = arrow.records_of(slices.lowest(arrow.table_of(given), 20))
    assert evaluated == ids(folded)


def test_history_of_other_kinds_is_drawn_by_the_same_hashes():
    given = []
    for n in range(40):
        messages = [{"role": "user", "content": f"q {n % 20}"}, {"role": "assistant", "content": f"a {n}"}]
        more = {"tools": '[{"a":1}]' if n % 3 else None, "desirable": bool(n % 2)}
        id_ = records.content_id(messages, more)
        given.append(Record(id=id_, kind="kto", messages=messages, increment="i", file="f", line=n, **more))
    text = [{"role": "text", "content": "words"}]
    given.append(Record(id=records.content_id(text), kind="text", messages=text, increment="i", file="f", line=50))
    for count in (1, 7, 30):
        assert items.stratified({"a": given}, count) == ids(
            arrow.records_of(slices.lowest(arrow.table_of(given), count))
        )


def test_sources_of_variants_are_classifications_of_every_slice():
    talk = Record(id="0" * 64, kind="sft", messages=record(0).messages, increment="i", file="f", line=1)
    found = items.items({"a": [*held(0, 100), talk], "golden-x": held(100, 104)}, NOTHING, ["label"])
    few = items.sources(found, 20)
    assert len(few) == 20
    assert talk not in few
    assert ids(few) >= ids(held(100, 104))
    assert [item.id for item in few] == sorted(item.id for item in few)
    assert items.sources(found, 0) == []
    assert len(items.sources(found, 1000)) == 104


def test_items_that_were_cut_are_named():
    assert items.cut([]) == []
    assert items.cut(held(0, 2)) == ["longer than train.max_length, and cut: winter/raw/a.csv:1, winter/raw/a.csv:2"]
    assert items.cut(held(0, 9))[0].endswith("winter/raw/a.csv:5 and 4 more")


def test_params_name_the_fields_and_kinds_that_there_are():
    asked = json.loads((ROOT / "schemas/params.schema.json").read_text())["properties"]["evaluate"]["properties"]
    assert asked["slice_by"]["items"]["enum"] == list(fields.FIELDS)
    assert asked["robustness"]["properties"]["kinds"]["items"]["enum"] == list(perturbations.KINDS)


def test_an_unknown_field_is_refused_when_params_are_read(monkeypatch, tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text().replace("slice_by: []", "slice_by: [hue]"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraftError, match=r"\$.evaluate.slice_by\[0\]: must be 'label', .*, is 'hue'"):
        effective.load()
