"""params.yaml: every problem at once, before anything runs."""

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, Clone


def broken(clone: Clone, old: str, new: str) -> None:
    path = clone.path / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_every_problem_is_named_at_once_with_line_and_key(fresh: Clone) -> None:
    broken(fresh, "  rank: 8\n", "  rank: eight\n")
    broken(fresh, "  dropout: 0.0\n", "  dropout: 1.5\n  droput: 0\n")
    said = fresh.graft("plan", code=1)
    lines = fresh.read("params.yaml").splitlines()
    rank = 1 + next(place for place, line in enumerate(lines) if "rank: eight" in line)
    assert f"line {rank}: $.train.rank: 'eight' is not of type 'integer'" in said
    assert "$.train.dropout: 1.5 is greater than or equal to the maximum of 1" in said
    assert "'droput' was unexpected" in said
    assert "help: see schemas/params.schema.json" in said


def test_stage_refuses_bad_params_before_it_runs(fresh: Clone) -> None:
    broken(fresh, "  slices: {}", "  slices: {}\n    extra: 1")
    said = fresh.dvc("repro", code=255)
    assert "'extra' was unexpected" in said
    assert not (fresh.path / "models").exists()


def test_make_run_refuses_bad_params_before_anything_runs(fresh: Clone) -> None:
    broken(fresh, "  rank: 8\n", "  rank: -1\n")
    said = fresh.run(sys.executable, "-m", "pipeline.run", code=1)
    assert "-1 is less than the minimum of 1" in said
    assert not (fresh.path / "models").exists()


def test_run_takes_no_arguments(fresh: Clone) -> None:
    assert "usage: python -m pipeline.run" in fresh.run(sys.executable, "-m", "pipeline.run", "--help")
    assert "unrecognized arguments: --frobnicate" in fresh.run(
        sys.executable, "-m", "pipeline.run", "--frobnicate", code=2
    )
    assert not (fresh.path / "models").exists()


def test_text_that_is_not_yaml_names_the_line(fresh: Clone) -> None:
    broken(fresh, "  rank: 8\n", "  rank: [8\n")
    assert "params.yaml: line" in fresh.graft("plan", code=1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("learning_rate: 5e-3", "learning_rate: .nan", "$.train.learning_rate: nan", id="nan"),
        pytest.param("epochs: 8", "epochs: 8.0", "8.0 is not of type 'integer'", id="float-for-an-integer"),
        pytest.param("min_chars: 3", "min_chars: 5000", "is more than max_chars", id="bounds-crossed"),
        pytest.param("targets: all-linear", "targets: '('", "no regular expression", id="bad-pattern"),
    ],
)
def test_value_that_a_schema_alone_would_accept_is_refused(fresh: Clone, old: str, new: str, said: str) -> None:
    broken(fresh, old, new)
    assert said in fresh.graft("plan", code=1)


def test_scientific_notation_is_a_number(fresh: Clone) -> None:
    assert isinstance(YAML(typ="safe").load(fresh.read("params.yaml"))["train"]["learning_rate"], float)


@pytest.mark.parametrize("name", ["base", "prepare", "assemble", "train", "evaluate", "gate", "merge"])
def test_schema_and_dataclass_of_a_section_have_the_same_keys(name: str) -> None:
    import dataclasses
    import importlib
    import json

    schema = json.loads((ROOT / "schemas/params.schema.json").read_text())["properties"][name]
    section = importlib.import_module(f"pipeline.stages.{name}").Params
    assert {field.name for field in dataclasses.fields(section)} == set(schema["properties"]) == set(schema["required"])


def test_a_file_that_is_missing_is_named(fresh: Clone) -> None:
    Path(fresh.path / "params.yaml").unlink()
    assert "params.yaml" in fresh.graft("plan", code=1)
