"""params.yaml: every problem at once, in words, before anything runs."""

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.common.errors import GraftError
from pipeline.settings import effective
from tests.conftest import ROOT, Clone

SHIPPED = (ROOT / "params.yaml").read_text()


def broken(clone: Clone, old: str, new: str) -> None:
    path = clone.path / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def problems(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> str:
    monkeypatch.chdir(folder)
    Path("params.yaml").write_text(text)
    with pytest.raises(GraftError) as error:
        effective.load()
    return str(error.value)


def test_every_problem_is_named_at_once_with_line_and_key(fresh: Clone) -> None:
    broken(fresh, "  rank: 8\n", "  rank: eight\n")
    broken(fresh, "  dropout: 0.0\n", "  dropout: 1.5\n  droput: 0\n")
    said = fresh.graft("plan", code=1)
    lines = fresh.read("params.yaml").splitlines()
    rank = 1 + next(place for place, line in enumerate(lines) if "rank: eight" in line)
    assert f"line {rank}: $.train.rank: must be a whole number (at least 1), is the text 'eight'" in said
    assert "$.train.dropout: must be below 1, is 1.5" in said
    assert "$.train.droput: unknown key; did you mean 'dropout'?" in said
    assert "help: graft lock --show prints every key" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("  epochs: 8", "  epoch: 8", "$.train.epoch: unknown key; did you mean 'epochs'?", id="key"),
        pytest.param("train:\n", "trian:\n", "$.trian: unknown key; did you mean 'train'?", id="section"),
        pytest.param("source: builtin", "source: Qwen/Qwen3-0.6B", "did you mean 'hf:Qwen/Qwen3-0.6B'?", id="no-hf"),
        pytest.param("source: builtin", "source: bultin", "did you mean 'builtin'?", id="misspelt"),
        pytest.param("objective: sft", "objective: stf", "is 'stf'; did you mean 'sft'?", id="enum"),
        pytest.param("method: lora", "method: loar", "is 'loar'; did you mean 'lora'?", id="method"),
        pytest.param("method: lora", "method: prefix_tuning", "is 'prefix_tuning'", id="untried-method"),
        pytest.param("anchor: null", "anchor: 1.0.0", "did you mean 'v1.0.0'?", id="no-v"),
        pytest.param(
            "chat_template: null",
            "chat_template: own.jinja",
            "did you mean 'data/templates/own.jinja'?",
            id="no-folder",
        ),
        pytest.param(
            "replay: auto", "replay: often", "must be a number from 0 to 0.9 or 'auto', is 'often'", id="one-of"
        ),
        pytest.param("may_drop: 0.02}", "may_drp: 0.02}", "the key 'may_drop' is missing", id="rule"),
        pytest.param("slice_by: []", "slice_by: [label, label]", "has 'label' twice", id="twice"),
        pytest.param("learning_rate: 5e-3", "learning_rate: .nan", "$.train.learning_rate: must be a number", id="nan"),
        pytest.param("epochs: 8", "epochs: 8.0", "must be a whole number (at least 1), is 8.0", id="no-whole-number"),
        pytest.param("min_chars: 3", "min_chars: 5000", "is more than max_chars", id="bounds-crossed"),
        pytest.param("chat_template: null", "chat_template: data/templates/a.orig", "an editor's copy", id="leaving"),
        pytest.param("targets: all-linear", "targets: '('", "no regular expression", id="bad-pattern"),
    ],
)
def test_what_is_wrong_is_said_in_words(monkeypatch, tmp_path, old: str, new: str, said: str) -> None:
    found = problems(monkeypatch, tmp_path, SHIPPED.replace(old, new, 1))
    assert said in found
    assert not any(word in found for word in ("was unexpected", "is not of type", "does not match", "^", "\\\\"))


@pytest.mark.parametrize("text", ["", "{}", "train:\n", "train: {rank: 8}\ngate:\n", "prepare: {normalize: {}}\n"])
def test_a_file_that_lacks_keys_has_the_defaults(monkeypatch, tmp_path, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(SHIPPED)
    shipped = effective.load()
    Path("params.yaml").write_text(text)
    assert effective.load() == shipped


def test_rules_that_are_given_in_part_keep_the_rest(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("gate: {rules: {all: {accuracy: {at_least: 0.9, may_drop: 0.01}}}}\n")
    rules = effective.load()["gate"]["rules"]
    assert rules["all"] == {"accuracy": {"at_least": 0.9, "may_drop": 0.01}}
    assert rules["each_slice"]["loss"] == {"at_most": None, "may_rise": 0.1}
    assert rules["slices"] == {}


@pytest.mark.parametrize("text", ["- a\n", "train: 3\n", "train: [rank]\n"])
def test_what_is_no_section_is_refused(monkeypatch, tmp_path, text: str) -> None:
    assert "must be keys with values" in problems(monkeypatch, tmp_path, text)


def test_dvc_repro_names_a_misspelt_key_before_any_stage_runs(fresh: Clone) -> None:
    broken(fresh, "  inconclusive: block", "  inconclusiv: block")
    said = fresh.dvc("repro", code=255)
    assert "$.gate.inconclusiv: unknown key; did you mean 'inconclusive'?" in said
    assert not (fresh.path / "models").exists()


def test_make_run_refuses_bad_params_before_anything_runs(fresh: Clone) -> None:
    broken(fresh, "  rank: 8\n", "  rank: -1\n")
    said = fresh.run(sys.executable, "-m", "pipeline.run", code=1)
    assert "$.train.rank: must be at least 1, is -1" in said
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


def test_scientific_notation_is_a_number() -> None:
    assert isinstance(YAML(typ="safe").load(SHIPPED)["train"]["learning_rate"], float)


def test_a_file_that_is_missing_is_named(fresh: Clone) -> None:
    Path(fresh.path / "params.yaml").unlink()
    assert "params.yaml" in fresh.graft("plan", code=1)
