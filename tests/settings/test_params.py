"""params.yaml: every problem at once, in words, before anything runs."""

import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.errors import GraftError
from pipeline.settings import effective, sections
from tests.conftest import ROOT, Clone

SHIPPED = (ROOT / "params.yaml").read_text()
SHIPPED_RULES = sections.fill({})["gate"]["rules"]


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
    assert f"line {rank}: $.train.rank: must be a whole number from 1 to 65536, is the text 'eight'" in said
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
        pytest.param("scheduler: cosine", "scheduler: cosin", "is 'cosin'; did you mean 'cosine'?", id="enum"),
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
        pytest.param("may_drop: 0.02}", "may_drp: 0.02}", "unknown key; did you mean 'may_drop'?", id="rule"),
        pytest.param("slice_by: []", "slice_by: [label, label]", "has 'label' twice", id="twice"),
        pytest.param("alpha: 16", "alpha: .nan", "$.train.alpha: must be a number", id="nan"),
        pytest.param("epochs: 8", "epochs: 8.0", "must be a whole number from 1 to 100000, is 8.0", id="no-whole"),
        pytest.param("min_chars: 3", "min_chars: 5000", "is more than max_chars", id="bounds-crossed"),
        pytest.param("targets: all-linear", "targets: '('", "no regular expression", id="bad-pattern"),
    ],
)
def test_what_is_wrong_is_said_in_words(monkeypatch, tmp_path, old: str, new: str, said: str) -> None:
    found = problems(monkeypatch, tmp_path, SHIPPED.replace(old, new, 1))
    assert said in found
    assert not any(word in found for word in ("was unexpected", "is not of type", "does not match", "^", "\\\\"))


JUDGE = "evaluate: {judge: {%s}}"
RULES = "gate: {rules: {%s}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(RULES % "all: {acuracy: {at_least: 0.5}}", "did you mean 'accuracy'?", id="misspelt-metric"),
        pytest.param(
            RULES % "slices: {a: {acuracy: {at_least: 0.5, may_drop: 0}}}",
            "$.gate.rules.slices.a.acuracy: no metric of Graft or of evaluate.custom; did you mean 'accuracy'?",
            id="misspelt-metric-whole",
        ),
        pytest.param(RULES % "all: {bleu: {at_least: 9}}", "the key 'may_drop' is missing", id="no-default-to-fill"),
        pytest.param(RULES % "all: {bleu: null}", "there is none here", id="nothing-to-remove"),
        pytest.param("gate:\n  rules:\n    all:\n      accuracy:\n", "is empty: write null", id="rule-left-empty"),
        pytest.param(JUDGE % "", "by people, or {model: NAME", id="no-judge"),
        pytest.param(JUDGE % "ratings: metrics/a.csv, model: m", "by people, or {model: NAME", id="two-judges"),
        pytest.param(JUDGE % "ratings: metrics/a.csv", "$.evaluate.judge: the key 'scale' is missing", id="ratings"),
        pytest.param(JUDGE % "model: m", "$.evaluate.judge: the key 'url' is missing", id="model"),
        pytest.param("base: {source: 'hf: Qwen/X'}", "did you mean 'hf:Qwen/X'?", id="space"),
        pytest.param(
            "base: {source: 'https://huggingface.co/Qwen/Qwen3-0.6B'}", "did you mean 'hf:Qwen/Qwen3-0.6B'?", id="url"
        ),
        pytest.param("train: {method: LoRA}", "did you mean 'lora'?", id="case-of-an-enum"),
        pytest.param("train: {learning_rate: Auto}", "did you mean 'auto'?", id="case-of-a-constant"),
        pytest.param("train: {method: adalora}", "a method of PEFT that Graft does not train", id="other-peft"),
        pytest.param("rank: 8", "$.rank: unknown key here; did you mean 'train.rank'?", id="key-of-a-section"),
        pytest.param("base: {rank: 8}", "did you mean 'train.rank'?", id="key-of-another-section"),
        pytest.param("batch_size: 8", "'train.batch_size' or 'evaluate.batch_size'?", id="key-of-two-sections"),
        pytest.param("train: {rank: 99999999999999999999999999}", "must be at most 65536", id="too-large"),
        pytest.param("prepare: {quality: {min_tokens: 9, max_tokens: 1}}", "9 is more than max_tokens, 1", id="tokens"),
        pytest.param("evaluate: {custom: price}", "must be metrics.FILE:FUNCTION", id="custom-form"),
        pytest.param("train: {init: foo}", "$.train.init: foo cannot be handed on", id="init"),
        pytest.param("train: {init: pissa, method: full}", "nothing that method full has a use for", id="unfit"),
        pytest.param("train: {layers: {top: 1, bottom: 1}}", "must have at most 1 key, has 2", id="one-key"),
        pytest.param("prepare: {min_chars: 9, max_chars: 3}\n", "line 1: $.prepare.min_chars", id="line-of-a-pair"),
        pytest.param("train:\n\trank: 8\n", "line 2: a tab", id="tab"),
        pytest.param("train: {rank: 8\n", "a bracket is not closed", id="bracket"),
        pytest.param("train: {rank: 8, rank: 9}\n", "the key 'rank' is there twice", id="twice"),
        pytest.param("<<<<<<< HEAD\n", "help: keep one side and delete the lines of <<<<<<<", id="conflict"),
        pytest.param("train: {[a, b]: 3}", "a list or keys with values in place of a key", id="list-as-key"),
        pytest.param("train: {rank: !foo 8}", "line 1: a tag (!foo)", id="tag"),
    ],
)
def test_other_kinds_of_mistakes_are_said_in_words(monkeypatch, tmp_path, text: str, said: str) -> None:
    assert said in problems(monkeypatch, tmp_path, text)


@pytest.mark.parametrize("text", ["base: {source: 'hf:Qwen'}", "gate: {override: {who: '', why: a, release: v1.0.0}}"])
def test_nothing_is_suggested_that_is_far_off(monkeypatch, tmp_path, text: str) -> None:
    assert "did you mean" not in problems(monkeypatch, tmp_path, text)


def test_problems_come_in_the_order_of_the_file(monkeypatch, tmp_path) -> None:
    said = problems(monkeypatch, tmp_path, "train:\n  rank: x\nbase:\n  source: 3\n  revision: 4\n")
    assert [line.partition("line ")[2][0] for line in said.splitlines()[:3]] == ["2", "4", "5"]


@pytest.mark.parametrize(
    "text", ["prepare:\n  pii:\n", "train:\n  machine:\n  dpo: # none\n", "gate:\n  rules:\n    slices:\n    all:\n"]
)
def test_sections_whose_keys_are_commented_out_have_the_defaults(monkeypatch, tmp_path, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(text)
    assert effective.load() == sections.fill({})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("evaluate: {custom: metrics.none:f}", "$.evaluate.custom: no such file: metrics/none.py"),
        ("train: {machine: {launch: none.yaml}}", "$.train.machine.launch: no such file: none.yaml"),
        ("assemble: {suspects: data/augment/none.jsonl}", "$.assemble.suspects: no such file"),
        ("assemble: {augment: {synonyms: data/augment/a.bak}}", "which DVC does not see: rename it"),
        ("train: {targets: [q_proj, nosuch]}", "$.train.targets: 'nosuch' is no module of the base"),
    ],
)
def test_plan_names_what_a_late_stage_would_refuse(fresh: Clone, text: str, said: str) -> None:
    (fresh.path / "params.yaml").write_text(text)
    assert said in fresh.graft("plan", code=1)


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
    assert rules["all"] == SHIPPED_RULES["all"] | {"accuracy": {"at_least": 0.9, "may_drop": 0.01}}
    assert rules["each_slice"] == SHIPPED_RULES["each_slice"]
    assert rules["slices"] == {}


def rules_of(monkeypatch: pytest.MonkeyPatch, folder: Path, rules: str) -> dict[str, Any]:
    monkeypatch.chdir(folder)
    Path("params.yaml").write_text(f"gate: {{rules: {rules}}}\n")
    return dict(effective.load()["gate"]["rules"])


def test_a_bound_that_a_rule_leaves_out_is_the_defaults(monkeypatch, tmp_path) -> None:
    rules = rules_of(monkeypatch, tmp_path, "{all: {accuracy: {at_least: 0.7}, loss: {at_most: 2}}}")
    assert rules["all"]["accuracy"] == {"at_least": 0.7, "may_drop": 0.02}
    assert rules["all"]["loss"] == {"at_most": 2, "may_rise": 0.05}


def test_an_empty_mapping_is_no_rules_and_nothing_after_the_colon_the_defaults(monkeypatch, tmp_path) -> None:
    rules = rules_of(monkeypatch, tmp_path, "{all: {}, each_slice: }")
    assert rules == {"all": {}, "each_slice": SHIPPED_RULES["each_slice"], "slices": {}}


def test_null_removes_a_rule(monkeypatch, tmp_path) -> None:
    rules = rules_of(monkeypatch, tmp_path, "{all: {macro_f1: null}, each_slice: {loss: ~}}")
    assert list(rules["all"]) == ["accuracy", "loss", "preference_accuracy"]
    assert list(rules["each_slice"]) == ["accuracy", "macro_f1", "preference_accuracy"]


def test_a_named_slice_has_its_own_metrics_with_the_bounds_of_each_slice(monkeypatch, tmp_path) -> None:
    rules = rules_of(monkeypatch, tmp_path, "{slices: {shoes: {accuracy: {at_least: 0.9}}}}")
    assert rules["slices"] == {"shoes": {"accuracy": {"at_least": 0.9, "may_drop": 0.05}}}


def test_a_release_without_recorded_settings_has_the_rules_of_its_file_and_no_more() -> None:
    text = b"gate: {rules: {all: {accuracy: {at_least: 0.7, may_drop: 0.1}}, each_slice: {}, slices: {}}}"
    found = effective.of_commit({"params.yaml": text}.get, "v1.0.0")["gate"]
    assert found["rules"] == {"all": {"accuracy": {"at_least": 0.7, "may_drop": 0.1}}, "each_slice": {}, "slices": {}}
    assert found["confidence"] == 0.95


def test_a_release_has_the_values_that_it_recorded_whatever_the_defaults_are_now() -> None:
    recorded = b'{"train": {"rank": 4, "older": 1}, "gate": {"rules": {"all": {}}}}'
    found = effective.of_commit({"params.yaml": b"", "reports/params.json": recorded}.get, "v1.0.0")
    assert (found["train"]["rank"], found["train"]["older"], found["train"]["alpha"]) == (4, 1, 16)
    assert found["gate"]["rules"]["all"] == {}


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


def test_scientific_notation_is_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("train: {learning_rate: 5e-3}\n")
    assert effective.load()["train"]["learning_rate"] == 0.005


TASKS = {  # of the open increment -> objective, max_length, learning_rate, truncation where params.yaml states none
    "classification": ("sft", 256, 0.005, "start"),
    "sft": ("sft", 1024, 0.005, "drop"),
    "kto": ("sft", 1024, 0.005, "drop"),
    "preference": ("dpo", 1024, 0.0005, "drop"),
    "text": ("pretrain", 1024, 0.005, "start"),
}


@pytest.mark.parametrize("task", TASKS)
def test_defaults_of_training_follow_from_the_task_of_the_open_increment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/increments/x").mkdir(parents=True)
    (tmp_path / "data/increments/x/increment.yaml").write_text(f"version: 1\ntask: {task}\n")
    Path("models.lock").write_text('{"increment": "data/increments/x"}')
    names = ("objective", "max_length", "learning_rate", "truncation")
    for text in (SHIPPED, ""):
        Path("params.yaml").write_text(text)
        assert tuple(effective.load()["train"][name] for name in names) == TASKS[task]
    Path("params.yaml").write_text("train: {max_length: 300}\n")
    assert effective.load()["train"]["max_length"] == 300  # what is stated counts


def test_a_file_that_is_missing_is_named(fresh: Clone) -> None:
    Path(fresh.path / "params.yaml").unlink()
    assert "params.yaml" in fresh.graft("plan", code=1)
