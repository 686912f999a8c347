"""`dvc plots show | diff` and `dvc metrics diff` with what dvc.yaml declares."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.common import files, yaml
from tests.conftest import ENVIRONMENT, ROOT

PLOTS = {
    "slices": "slice,release,accuracy\nwinter,candidate,{value}\nwinter,parent,0.8\n",
    "confusion": "actual,predicted\nToy,Toy\nToy,Kettle\n",
    "calibration": "confidence,accuracy,items\n0.9,{value},3\n",
    "forgetting": "release,slice,accuracy\nv1.0.0,winter,0.8\ncandidate,winter,{value}\n",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the declared plots and metrics, one commit, and other values in the workspace."""
    path = tmp_path_factory.mktemp("plots")
    run(path, "git", "init", "-q")
    run(path, sys.executable, "-m", "dvc", "init", "-q")
    shutil.copytree(ROOT / ".dvc/plots", path / ".dvc/plots")
    declared = yaml.load_unchecked(ROOT / "dvc.yaml")
    kept = [plot for plot in declared["plots"] if any(f"plots/{name}.csv" in str(plot) for name in PLOTS)]
    assert len(kept) == len(PLOTS)
    (path / "dvc.yaml").write_text(json.dumps({"plots": kept, "metrics": declared["metrics"]}, default=dict))
    write(path, 0.9)
    run(path, "git", "add", "--all")
    run(path, "git", "commit", "-q", "-m", "first")
    write(path, 0.95)
    return path


def run(path: Path, *command: str) -> str:
    return subprocess.run(command, cwd=path, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout


def write(path: Path, value: float) -> None:
    for name, content in PLOTS.items():
        files.write_text(path / f"reports/plots/{name}.csv", content.format(value=value))
    block = {"accuracy": value, "items": 3}
    metrics = {"candidate": {"all": block, "slices": {"label=a.b": block}}, "parent": None}
    files.write_json(path / "reports/metrics.json", metrics)


def test_plots_show_draws_every_plot(repository: Path, tmp_path: Path) -> None:
    run(repository, sys.executable, "-m", "dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    drawn = [json.JSONDecoder().raw_decode(part)[0] for part in page.split("var spec = ")[1:]]
    assert len(drawn) == len(PLOTS)
    assert all(spec["data"]["values"] for spec in drawn)
    assert "<DVC_METRIC" not in page


def test_plots_diff_compares_revisions(repository: Path) -> None:
    found = json.loads(run(repository, sys.executable, "-m", "dvc", "plots", "diff", "HEAD", "--json"))
    assert "errors" not in found
    assert {tuple(sorted(plot["revisions"])) for plots in found["data"].values() for plot in plots} == {
        ("HEAD", "workspace")
    }


def test_metrics_diff_compares_revisions(repository: Path) -> None:
    found = json.loads(run(repository, sys.executable, "-m", "dvc", "metrics", "diff", "--json"))
    changed = found["diff"]["reports/metrics.json"] if "diff" in found else found["reports/metrics.json"]
    assert changed["candidate.all.accuracy"] == {"old": 0.9, "new": 0.95, "diff": pytest.approx(0.05)}
