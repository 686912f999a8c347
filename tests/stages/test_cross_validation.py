import json
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from pipeline import cross_validation
from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.data.records import arrow
from tests.stages.conftest import LABELS, record, set_params

INCREMENT = """\
version: 1
task: classification
instruction: ''
files:
  raw/a.csv: {format: csv, encoding: utf-8, delimiter: ',', header: true, columns: [t, l], text: t, label: l}
"""


def test_every_item_stands_in_one_fold_and_each_label_is_spread():
    items = [record(n) for n in range(103)]
    dealt = cross_validation.folds(items, 5)
    assert sorted(item.id for fold in dealt for item in fold) == sorted(item.id for item in items)
    assert sorted(map(len, dealt)) == [20, 20, 21, 21, 21]
    for label in LABELS:
        counts = [Counter(item.answer for item in fold)[label] for fold in dealt]
        assert max(counts) - min(counts) <= 1
    assert cross_validation.folds(items[::-1], 5) == dealt


def test_summary_is_mean_and_standard_error_over_folds():
    measured = [
        {"accuracy": 0.8, "items": 10, "macro_f1": None},
        {"accuracy": 0.9, "items": 10, "macro_f1": 0.5},
        {"accuracy": 1.0, "items": 9, "macro_f1": 0.5},
    ]
    found = cross_validation.summary(measured)
    assert found == {"accuracy": {"mean": 0.9, "standard_error": 0.057735, "folds": [0.8, 0.9, 1.0]}}
    line = list(cross_validation.table(found))[1]
    assert line.split() == ["accuracy", "0.9000", "0.0577", "0.8000", "0.9000", "1.0000"]


def prepared(folder: Path, numbers: range) -> None:
    files.write_text(folder / "data/increments/winter/increment.yaml", INCREMENT)
    items = sorted((record(n) for n in numbers), key=lambda item: item.id)
    rows = arrow.table_of(items).to_pylist()
    plain = [
        {**row, "messages": [{"role": m["role"], "content": m["content"]} for m in row["messages"]]} for row in rows
    ]
    lines = [orjson.dumps({k: v for k, v in row.items() if v is not None}).decode() + "\n" for row in plain]
    files.write_text(folder / "data/prepared/records.jsonl", "".join(lines))
    files.write_text(folder / "data/prepared/rejects.jsonl", "")
    files.write_json(folder / "data/prepared/report.json", {"increment": "winter"})


def test_it_trains_and_evaluates_each_fold_and_leaves_the_tree_as_it_was(candidate, monkeypatch, capsys):
    prepared(candidate, range(40))
    set_params(candidate, prepare__near_duplicates=None, train__epochs=1)
    before = {path: path.stat().st_mtime_ns for path in candidate.rglob("*") if path.is_file()}
    monkeypatch.setattr(sys, "argv", ["cross_validation", "--folds", "2"])
    cross_validation.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["folds"], found["records"]) == (2, 40)
    assert len(found["metrics"]["accuracy"]["folds"]) == 2
    assert {path: path.stat().st_mtime_ns for path in candidate.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 usable records are too few for 2 folds"), (0, "holds no records of winter")]
)
def test_what_cannot_be_folded_is_said(candidate, monkeypatch, count, said):
    if count:
        prepared(candidate, range(count))
    else:
        files.empty_dir(candidate / "data/prepared")
    monkeypatch.setattr(sys, "argv", ["cross_validation", "--folds", "2"])
    with pytest.raises(GraftError, match=said):
        cross_validation.main()
