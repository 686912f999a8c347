import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.common.errors import GraftError
from pipeline.data.records import records
from pipeline.data.records.records import Record
from pipeline.evaluation.metrics import custom, slice_metrics
from tests.conftest import ENVIRONMENT, ROOT


def record(text="a red lamp", label="Lamps", kind="classification") -> Record:
    messages = records.classification(text, label)
    return Record(
        id=records.content_id(messages),
        kind=kind,
        messages=messages,
        key="L7",
        increment="winter",
        file="raw/a.csv",
        line=3,
    )


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write metrics/mine.py here and load a function of it."""
    monkeypatch.chdir(tmp_path)

    def written(source: str, name: str = "mine") -> custom.Metric:
        Path("metrics").mkdir(exist_ok=True)
        Path("metrics/mine.py").write_text(source)
        return custom.load(f"metrics.mine:{name}")[0]

    return written


def item(predicted="Lamps", **more):
    return custom.item(record(**more), {"predicted": predicted, "score": -1.0})


def refused(metric, *items):
    with pytest.raises(GraftError) as error:
        custom.values([metric], items or [item()])
    return str(error.value)


def test_an_item_holds_what_the_record_and_the_model_say():
    given = item("Toys")
    assert dict(given) == {
        "id": record().id, "kind": "classification", "text": "a red lamp", "messages": record().messages,
        "answer": "Lamps", "label": "Lamps", "predicted": "Toys", "key": "L7", "increment": "winter",
        "file": "raw/a.csv", "line": 3,
    }  # fmt: skip
    with pytest.raises(TypeError):
        given["predicted"] = "Lamps"


def test_an_item_of_another_kind_has_what_was_generated_and_no_label():
    given = custom.item(record(kind="sft"), {"kind": "sft", "nats": 1.0, "tokens": 2, "text": "Lamp"})
    assert given["generated"] == "Lamp"
    assert not {"label", "predicted"} & given.keys()
    assert "generated" not in custom.item(record(kind="text"), {"kind": "text", "nats": 1.0, "tokens": 2})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("return 0.25", [0.25, 1.0], id="a-value-weighs-one"),
        pytest.param("return 2, 3", [2.0, 3.0], id="value-and-weight"),
        pytest.param("return item['predicted'] == item['label']", [1.0, 1.0], id="right-is-one"),
        pytest.param("import numpy; return numpy.float32(0.5), numpy.int64(2)", [0.5, 2.0], id="numpys-numbers"),
        pytest.param("return -1 / 3, 0", [-0.333333, 0.0], id="six-digits"),
    ],
)
def test_values(write, body, expected):
    metric = write(f"def mine(item):\n    {body}\n")
    assert custom.values([metric], [item(), item()]) == [{"mine": expected}] * 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param("return None", "the value is None, not a number", id="nothing"),
        pytest.param("return 'good'", "the value is 'good', not a number", id="a-word"),
        pytest.param("return float('nan')", "the value is nan, not a number", id="nan"),
        pytest.param("return 1, float('inf')", "the weight is inf, not a number", id="infinite-weight"),
        pytest.param("return 1, -0.5", "the weight is -0.5, below 0", id="negative-weight"),
        pytest.param("return 1, 2, 3", "the value is (1, 2, 3), not a number", id="three"),
    ],
)
def test_anything_but_numbers_is_refused_with_the_item(write, body, said):
    message = refused(write(f"def mine(item):\n    {body}\n"))
    assert f"metrics/mine.py: mine: {said}, for item {record().id[:16]} of winter, raw/a.csv:3" in message
    assert "help: docs/how-to/custom-metric.md" in message


def test_an_exception_is_told_with_the_users_own_line(write):
    metric = write("def deeper(item):\n    return item['price']\n\ndef mine(item):\n    return deeper(item)\n")
    message = refused(metric)
    assert message.startswith(
        f"metrics/mine.py:2: mine: KeyError: 'price', for item {record().id[:16]} of winter, raw/"
    )
    assert "Traceback" not in message


def test_an_exception_inside_a_library_is_told_with_the_line_that_called_it(write):
    metric = write("import json\n\ndef mine(item):\n    return json.loads(item['text'])\n")
    assert refused(metric).startswith("metrics/mine.py:4: mine: JSONDecodeError: Expecting value")


@pytest.mark.parametrize(
    ("source", "spec", "said"),
    [
        pytest.param("", "pipeline.common.errors:run", "functions live in the folder metrics/", id="outside"),
        pytest.param("", "metrics.mine", "not of the form metrics.FILE:FUNCTION", id="no-function-named"),
        pytest.param("", "metrics...mine:mine", "not of the form", id="dots"),
        pytest.param("", "metrics.other:mine", "there is no metrics/other.py", id="no-file"),
        pytest.param("", "metrics.mine:mine", "metrics/mine.py has no function mine", id="no-function"),
        pytest.param("mine = 3", "metrics.mine:mine", "metrics/mine.py has no function mine", id="no-callable"),
        pytest.param(
            "def accuracy(item): ...", "metrics.mine:accuracy", "accuracy is another metric's name", id="taken"
        ),
        pytest.param("x = 1\ndef f(:", "metrics.mine:f", "metrics/mine.py:2: SyntaxError: invalid syntax", id="syntax"),
        pytest.param(
            "\nimport absent_", "metrics.mine:f", "metrics/mine.py:2: ModuleNotFoundError: No mod", id="import"
        ),
        pytest.param("open('no')", "metrics.mine:f", "metrics/mine.py:1: FileNotFoundError", id="data-is-missing"),
    ],
)
def test_what_cannot_be_loaded_is_refused(tmp_path, monkeypatch, source, spec, said):
    monkeypatch.chdir(tmp_path)
    Path("metrics").mkdir()
    Path("metrics/mine.py").write_text(source)
    with pytest.raises(GraftError) as error:
        custom.load(spec)
    assert said in str(error.value)


def test_one_name_twice_is_refused(write):
    write("def mine(item): ...")
    with pytest.raises(GraftError, match="mine is another metric's name"):
        custom.load(["metrics.mine:mine", "metrics.mine:mine"])


def test_several_functions_and_none(write):
    metric = write("def mine(item): return 1\ndef other(item): return 2, 2")
    assert [found.name for found in custom.load(["metrics.mine:mine", "metrics.mine:other"])] == ["mine", "other"]
    assert custom.values([metric], []) == []
    assert custom.load(None) == custom.load([]) == []


def test_rows_get_the_values_and_stay_as_they_are_without_metrics(write):
    said = {"predicted": "Toys"}
    metric = write("def mine(item): return item['predicted'] == item['label'], 2")
    assert custom.added([metric], [record()], [said]) == [{"predicted": "Toys", "custom": {"mine": [0.0, 2.0]}}]
    assert custom.added([], [record()], [said]) == [{"predicted": "Toys"}]
    assert said == {"predicted": "Toys"}


def test_what_an_earlier_releases_metrics_gave_is_left_out(write):
    told = {"predicted": "Toys", "custom": {"old": [1.0, 1.0]}}
    assert custom.added([], [record()], [told]) == [{"predicted": "Toys"}]
    [row] = custom.added([write("def mine(item): return 1")], [record()], [told])
    assert row["custom"] == {"mine": [1.0, 1.0]}


def test_nothing_is_written_beside_the_functions(write, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    custom.values([write("def mine(item): return 1")], [item()])
    assert [path.name for path in Path("metrics").iterdir()] == ["mine.py"]
    assert sys.dont_write_bytecode is False


def test_other_files_of_the_folder_can_be_imported(write):
    """In a process of its own, started in the repository's root as stages are."""
    write("def mine(item): return 1")
    Path("metrics/other.py").write_text("HALF = 0.5")
    Path("metrics/mine.py").write_text("from metrics import other\n\ndef mine(item):\n    return other.HALF")
    code = (
        "from pipeline.evaluation.metrics import custom; print(custom.values(custom.load('metrics.mine:mine'), [{}]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], check=False, env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert said.stdout.decode().strip() == "[{'mine': [0.5, 1.0]}]", said.stderr.decode()
    assert sorted(path.name for path in Path("metrics").iterdir()) == ["mine.py", "other.py"]


def test_the_worked_example_weighs_errors_by_price(monkeypatch):
    monkeypatch.chdir(ROOT)
    metrics = custom.load("metrics.price:price_error")
    given = [("TVs", "TVs"), ("Books", "TVs"), ("Kites", "TVs")]
    rows = [{"predicted": predicted} for _, predicted in given]
    asked = [custom.item(record(label=label), row) for (label, _), row in zip(given, rows, strict=True)]
    found = custom.values(metrics, asked)
    (_, tvs), (_, books), (_, unknown) = (one["price_error"] for one in found)
    assert tvs > unknown > books > 0
    items = [
        {"kind": "classification", "answer": label, "candidate": {"predicted": predicted, "custom": figures}}
        for (label, predicted), figures in zip(given, found, strict=True)
    ]
    wrong = (books + unknown) / (tvs + books + unknown)
    assert math.isclose(slice_metrics.measure(items, "candidate")["price_error"], wrong, abs_tol=1e-6)


def test_the_pages_function_gives_what_the_shipped_one_gives(tmp_path, monkeypatch):
    page = (ROOT / "docs/how-to/custom-metric.md").read_text(encoding="utf-8")
    [source] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    items = [item("Toys", label=label) for label in ("TVs", "Toys", "Books")]
    monkeypatch.chdir(tmp_path)
    before = custom.values(custom.load("metrics.price:price_error"), items)
    Path("metrics/price.py").write_text(source)
    assert custom.values(custom.load("metrics.price:price_error"), items) == before
