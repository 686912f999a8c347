"""New data on a release: the same data again, order, kills, keys and conflicts, through the commands."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from pipeline.common import files
from tests.conftest import ENVIRONMENT, Chain, Clone, samples

WINTER = "examples/increments/2026-01-winter/products.csv"
DATA = ("prepare", "assemble")


def outputs(clone: Clone) -> dict[str, bytes]:
    folders = (clone.path / "data/prepared", clone.path / "data/assembled")
    return {
        path.relative_to(clone.path).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_data_again_trains_nothing_and_is_no_release(chain: Chain, tmp_path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    said = clone.graft("add", "again", *samples("2026-02-spring"))
    assert "again: opened" in said
    plan = clone.graft("plan")
    assert "0 new" in plan or "new 0" in plan
    assert "training     nothing new: the parent's adapter is handed on" in plan
    said = clone.dvc("repro")
    assert "nothing new: the parent's adapter is handed on" in said
    assert "loading torch and the base" not in said.partition("Running stage 'train'")[2].partition("Running stage")[0]
    report = json.loads(clone.read("data/assembled/report.json"))
    assert report["train_new"] + report["eval"] + report["replayed"] == 0
    clone.commit("The same again")
    assert "nothing new" in clone.graft("release", code=1)


def test_every_row_is_accounted_for(chain: Chain) -> None:
    folders = (chain.work.path / "data/prepared", chain.work.path / "data/assembled")
    prepared, assembled = (files.read_json(folder / "report.json") for folder in folders)
    lineage = pq.read_table(chain.work.path / "data/assembled/lineage.parquet").to_pylist()
    fates = [row["fate"] for row in lineage]
    unusable = [row for row in chain.work.read("data/prepared/rejects.jsonl").splitlines() if '"id"' not in row]
    assert prepared["read"] == fates.count("train") + fates.count("eval") + fates.count("dropped") + len(unusable)
    assert fates.count("replay") == assembled["replayed"] > 0


@pytest.mark.slow  # the same of assemble alone: tests/stages/test_assemble.py
def test_order_of_files_and_rows_does_not_change_what_is_trained_on(chain: Chain, tmp_path) -> None:
    trained = []
    for seed in (1, 2):
        clone = chain.pulled(tmp_path / f"clone-{seed}")
        lines = (clone.path / WINTER).read_text(encoding="utf-8").replace("fridge", "cooler").splitlines(keepends=True)
        header, rows = lines[0], [line for line in lines[1:] if line.count('"') % 2 == 0]
        random.Random(seed).shuffle(rows)  # noqa: S311
        for name, part in (("one", rows[: 300 * seed]), ("two", rows[300 * seed :])):
            (tmp_path / f"{seed}-{name}.csv").write_text(header + "".join(part), encoding="utf-8")
        clone.graft("add", "summer", str(tmp_path / f"{seed}-one.csv"), str(tmp_path / f"{seed}-two.csv"))
        clone.dvc("repro", *DATA)
        rows = pq.read_table(clone.path / "data/assembled/lineage.parquet").to_pylist()
        trained.append(sorted((row["id"], row["fate"]) for row in rows if row["fate"] != "dropped"))
    assert trained[0] == trained[1]


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again_the_bytes_are_the_same(chain: Chain, tmp_path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("add", "summer", WINTER)
    clone.dvc("repro", "--single-item", "parent")
    for name in DATA:
        clone.run(sys.executable, "-m", f"pipeline.stages.{name}")
    whole = outputs(clone)
    for name in DATA:
        for delay in (0.2, 0.4, 0.6, 0.9):
            command = [sys.executable, "-m", f"pipeline.stages.{name}"]
            with subprocess.Popen(command, cwd=clone.path, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as run:
                time.sleep(delay)
                os.kill(run.pid, signal.SIGKILL)
        clone.run(sys.executable, "-m", f"pipeline.stages.{name}")
        assert outputs(clone) == whole


def test_a_person_settles_a_contradiction_and_the_next_run_applies_it(chain: Chain, tmp_path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    asked = tmp_path / "asked.csv"
    asked.write_text("title,category\n" + "".join(f"folding chair no {n} ash wood,Chairs\n" for n in range(30)))
    clash = "velvet armchair, moss green"
    asked.write_text(asked.read_text() + f'"{clash}",Chairs\n"{clash}",Sofas\n')
    params = clone.path / "params.yaml"
    params.write_text(params.read_text().replace("conflicts: drop ", "conflicts: review "))
    clone.graft("add", "chairs", str(asked))
    clone.dvc("repro", *DATA)
    question = clone.read("data/prepared/review.csv")
    assert question == f'text,labels,label\n"{clash}",Chairs | Sofas,\n'
    (clone.path / "data/review.csv").write_text(question.replace("Sofas,\n", "Sofas,Chairs\n"))
    clone.dvc("repro", *DATA)
    assert f'"{clash}"' in clone.read("data/prepared/records.jsonl")
    assert clone.read("data/prepared/review.csv") == "text,labels,label\n"
    twice = question.replace("label\n", "label,answer_2\n")
    (clone.path / "data/review.csv").write_text(twice.replace("Sofas,\n", "Sofas,Chairs,Sofas\n"))
    said = clone.dvc("repro", *DATA)
    assert "review: 1 text answered twice, 0% alike, Cohen's kappa 0.00" in said
    assert clone.read("data/prepared/review.csv") == twice.replace("Sofas,\n", "Sofas,Chairs,Sofas\n")
    assert f'"{clash}"' not in clone.read("data/prepared/records.jsonl")
    (clone.path / "data/review.csv").write_text(twice.replace("Sofas,\n", "Sofas,Chairs,Chairs\n"))
    assert "100% alike" in clone.dvc("repro", *DATA)
    assert f'"{clash}"' in clone.read("data/prepared/records.jsonl")
    (clone.path / "data/review.csv").write_text(question.replace("Sofas,\n", "Sofas,Tables\n"))
    assert "'Tables' is none of the labels in question: Chairs (1), Sofas (1)" in clone.dvc("repro", *DATA, code=255)
