"""evaluate.lm_eval: standard benchmarks through the stage. What needs lm_eval is skipped where it is not installed."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.common import files, schema
from pipeline.common.errors import GraftError
from pipeline.evaluation import lm_eval_tasks
from pipeline.evaluation.metrics import write_figures
from pipeline.stages import evaluate
from tests.conftest import ENVIRONMENT, ROOT
from tests.stages.conftest import name_what_was_said, set_params

needs_lm_eval = pytest.mark.skipif(
    find_spec("lm_eval") is None, reason="lm_eval is not installed: make setup EXTRAS=lm-eval"
)
TASK = ROOT / "tests/evaluation/lm_eval"


def asks(folder, *tasks):
    """Ask for tasks of a folder metrics/lm_eval."""
    shutil.copytree(TASK, folder / lm_eval_tasks.FOLDER, dirs_exist_ok=True)
    set_params(folder, evaluate__lm_eval=list(tasks))


def test_none_asked_for_none_recorded(done, run):
    run(evaluate)
    assert "lm_eval" not in files.read_json(write_figures.METRICS)["candidate"]
    assert "lm_eval" not in files.read_json(evaluate.PREDICTIONS)


@needs_lm_eval
def test_none_asked_for_none_imported(done):
    code = "import sys; from pipeline.stages import evaluate; evaluate.main(); print('lm_eval' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True
    )
    assert found.stdout.endswith(b"False\n")


def test_absent_harness_says_how_to_install_it(done, run, monkeypatch):
    asks(done, "departments")
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(GraftError, match=r"asks for departments, but lm_eval is not installed\n  help: make setup EXT"):
        run(evaluate)


@needs_lm_eval
def test_local_task_runs_offline_and_repeats(done, run):
    asks(done, "departments")
    said = run(evaluate)
    found = files.read_json(write_figures.METRICS)
    assert schema.problems(found, "metrics") == []
    task = found["candidate"]["lm_eval"]["tasks"]["departments"]
    assert (task["version"], task["items"], task["shots"], task["truncated"]) == ("1", 6, 0, 0)
    assert set(task["metrics"]) == {"acc"}
    assert task["metrics"]["acc"] * 6 == pytest.approx(round(task["metrics"]["acc"] * 6), abs=1e-5)
    assert f"evaluate: lm_eval departments: acc {task['metrics']['acc']}" in said
    before = write_figures.METRICS.read_bytes(), evaluate.PREDICTIONS.read_bytes()
    subprocess.run(
        [sys.executable, "-m", "pipeline.stages.evaluate"], env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, check=True
    )
    assert (write_figures.METRICS.read_bytes(), evaluate.PREDICTIONS.read_bytes()) == before


@needs_lm_eval
def test_parents_results_come_from_its_state_or_are_null(finished, child, run):
    shutil.copytree(finished / "models/adapter", "models/adapter")  # as if trained here
    Path("reports").mkdir(exist_ok=True)
    shutil.copy2(finished / "reports/training.json", "reports")
    asks(child, "departments")
    run(evaluate)
    assert files.read_json(write_figures.METRICS)["parent"]["lm_eval"] is None  # it was released without
    state = Path("models/parent/predictions.json")
    told = files.read_json(state)
    told["lm_eval"] = {"candidate": files.read_json(write_figures.METRICS)["candidate"]["lm_eval"]}
    files.write_json(state, told)
    name_what_was_said(child)
    run(evaluate)
    assert files.read_json(write_figures.METRICS)["parent"]["lm_eval"] == told["lm_eval"]["candidate"]


@needs_lm_eval
def test_longer_than_the_context_is_counted(done, run):
    asks(done, "departments")
    path = lm_eval_tasks.FOLDER / "departments.jsonl"
    first, *others = path.read_text().splitlines(keepends=True)
    path.write_text("".join([first.replace("headphones", "headphones " * 200), *others]))
    assert "1 longer than the context, cut" in run(evaluate)
    assert files.read_json(write_figures.METRICS)["candidate"]["lm_eval"]["tasks"]["departments"]["truncated"] == 1


@needs_lm_eval
def test_every_faulty_task_is_named_before_a_model_is_loaded(done, run, monkeypatch):
    asks(done, "departmens", "arc_easy", "departments", "broken")
    (lm_eval_tasks.FOLDER / "broken.yaml").write_text(
        "task: broken\ndataset_path: json\ndataset_kwargs:\n  data_files: no\n"
    )
    monkeypatch.setenv("HF_HOME", str(done / "empty"))
    shutil.rmtree("models/adapter")  # a model would be asked for first
    with pytest.raises(GraftError) as refused:
        run(evaluate)
    first, second, third = refused.value.problems
    assert "did you mean departments" in first
    assert second.startswith("arc_easy: ")
    assert third.startswith("broken: ")
