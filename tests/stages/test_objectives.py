"""Each objective through the stages: it trains, hands on, is evaluated, judged and merged."""

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.common import files, schema
from pipeline.common.errors import GraftError
from pipeline.data.records import arrow, records
from pipeline.data.records.records import Record
from pipeline.evaluation import predictions_content
from pipeline.evaluation.metrics import write_figures
from pipeline.model.base import pinned
from pipeline.model.chat import chat
from pipeline.model.weights import base_model, weights
from pipeline.stages import evaluate, gate, merge, train
from pipeline.training.examples import examples
from pipeline.training.examples.example import Encoding
from pipeline.training.losses import losses, preference
from tests.stages.conftest import release, set_params

Run = Callable[[ModuleType], str]
STAGES = (train, evaluate, gate, merge)
WEIGHTS = Path("models/adapter/adapter_model.safetensors")
RULES = {
    "all": {"loss": {"at_most": 8.0, "may_rise": 0.5}, "preference_accuracy": {"at_least": 0.0, "may_drop": 1.0}},
    "each_slice": {},
    "slices": {},
}


def said(number: int, kind: str) -> Record:
    """A toy record: the answer follows from the question."""
    question, answer = f"{'ab'[number % 2]} {number}", "yes" if number % 2 else "no"
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    more: dict = {}
    if kind == "sft":
        messages += [{"role": "user", "content": "sure?"}, {"role": "assistant", "content": answer}]
    if kind == "preference":
        messages[-1]["content"] = "a good answer"
        more = {"rejected": [{"role": "assistant", "content": "anything"}]}
    if kind == "kto":
        more = {"desirable": number % 3 > 0}
    if kind == "text":
        messages = [{"role": "text", "content": f"{question} {answer}. " * 3}]
    id_ = records.content_id(messages, {"kind": kind, **more})
    return Record(
        id=id_, kind=kind, messages=messages, increment=kind, file="raw/a.jsonl", line=number + 1, **more
    )  # fmt: skip


def brings(folder: Path, kind: str, objective: str, **params) -> None:
    """Have a candidate with records of one kind, and a slice of them."""
    made = sorted((said(number, kind) for number in range(40)), key=lambda record: record.id)
    arrow.write_records(folder / train.RECORDS, made[:32])
    arrow.write_records(folder / f"data/assembled/slices/{kind}.arrow", made[32:])
    (folder / "data/assembled/slices/winter.arrow").unlink(missing_ok=True)
    files.write_json(folder / "data/assembled/labels.json", [])
    asked = {"objective": objective, "epochs": 4, "learning_rate": 0.02} | params
    gated = {"gate__rules": RULES, "gate__inconclusive": "warn"}
    set_params(folder, **gated, **{f"train__{name}": value for name, value in asked.items()})


def curve() -> list[float]:
    return [float(line.split(",")[1]) for line in train.CURVE.read_text().splitlines()[1:]]


def metrics() -> dict:
    found: dict = files.read_json(write_figures.METRICS)
    assert schema.problems(found, "metrics") == []
    return found


@pytest.mark.parametrize(
    ("kind", "objective", "metric"),
    [
        ("sft", "sft", "loss"), ("kto", "sft", "loss"), ("text", "pretrain", "loss"),
        ("preference", "dpo", "preference_accuracy"),
    ],
)  # fmt: skip
def test_objective_trains_is_measured_judged_and_merged(candidate, run: Run, kind, objective, metric):
    brings(candidate, kind, objective, epochs=12, learning_rate=0.05, rank=8)
    for stage in STAGES:
        run(stage)
    losses_ = curve()
    assert sum(losses_[-4:]) / 4 < 0.97 * losses_[0]  # the base has no more to give: random, tied and narrow
    facts = files.read_json(train.TRAINING)
    assert facts["objective"] == objective
    assert facts["records"] == 32 - facts["undesirable"]
    assert (facts["undesirable"] > 0) == (kind == "kto")
    assert metrics()["candidate"]["all"][metric] >= 0
    assert metrics()["candidate"]["all"].keys().isdisjoint({"accuracy", "macro_f1"})
    verdict = files.read_json(gate.REPORTS / "verdict.json")
    assert schema.problems(verdict, "verdict") == []
    found = [(check["slice"], check["metric"], check["status"]) for check in verdict["checks"]]
    assert found[0] == ("all", metric, "pass")
    assert [check["metric"] for check in verdict["checks"] if check["against"] == "base"] == [metric]
    AutoModelForCausalLM.from_pretrained(merge.MERGED)
    assert "answers with one of the labels" not in (merge.MERGED / "README.md").read_text()
    assert metric in (gate.REPORTS / "verdict.json").read_text()


def test_released_adapter_of_one_objective_is_continued_by_another(candidate, tmp_path, monkeypatch, run: Run, blank):
    import shutil

    before, losses_before = candidate, {}
    for number, (kind, objective) in enumerate([("sft", "sft"), ("preference", "dpo"), ("sft", "sft")]):
        here = tmp_path / f"step{number}"
        shutil.copytree(blank, here)
        monkeypatch.chdir(here)
        brings(here, kind, objective)
        if number:
            release(before, here)
            for slice_ in (before / "data/assembled/slices").glob("*.arrow"):
                shutil.copy2(slice_, here / "data/assembled/slices")
        for stage in STAGES:
            run(stage)
        assert (merge.MERGED / "config.json").exists(), files.read_json(gate.REPORTS / "reasons.json")
        if number:
            told = files.read_json(train.TRAINING)
            assert told["continued_from"] == files.sha256(before / WEIGHTS)
            assert files.sha256(WEIGHTS) != told["continued_from"]
            assert metrics()["parent"]["slices"]["sft"] == losses_before["sft"]
        losses_before = metrics()["candidate"]["slices"]
        before = here
    assert set(losses_before) == {"sft", "preference"}
    assert losses_before["sft"]["loss"] < metrics()["parent"]["slices"]["sft"]["loss"] + 0.5


def test_loss_of_a_slice_is_the_mean_over_its_learned_tokens(candidate, run: Run):
    brings(candidate, "sft", "sft")
    for stage in (train, evaluate):
        run(stage)
    base = pinned.load()
    model = weights.load_merged(base, train.ADAPTER, "float32")
    items = arrow.read_records(predictions_content.SLICES / "sft.arrow")
    asked = Encoding(objective="sft", max_length=128, truncation="start")
    said_by = [one for item in items for one in examples.encode(chat.load(base.folder), [item], asked)]
    nats = []
    for example in said_by:  # one at a time, without padding, over every position
        ids = torch.tensor([example.tokens])
        with torch.inference_mode():
            logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        nats += [-float(log) for log, is_learned in zip(logs, example.learned[1:], strict=True) if is_learned]
    found = metrics()["candidate"]["all"]
    assert found["tokens"] == len(nats) == sum(len(f"{m['content']}") + 1 for i in items for m in i.messages[1::2])
    assert found["loss"] == pytest.approx(sum(nats) / len(nats), abs=1e-5)
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]), abs=1e-4)


def test_dpo_loss_is_the_published_formula_of_summed_log_probabilities(finished, monkeypatch):
    monkeypatch.chdir(finished)
    base = pinned.load()
    pairs = examples.encode(
        chat.load(base.folder),
        [said(n, "preference") for n in range(6)],
        Encoding(objective="dpo", max_length=128, truncation="error"),
    )
    plain = base_model.load(base.folder).eval()
    before = preference.reference(plain, pairs, 4)
    tuned = weights.load_merged(base, train.ADAPTER, "float32")

    def summed(model, example) -> float:
        ids = torch.tensor([example.tokens])
        with torch.inference_mode():
            logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        return float(logs[torch.tensor(example.learned[1:])].sum())

    expected = []
    for pair in pairs:
        assert pair.rejected is not None
        then, now = (summed(model, pair) - summed(model, pair.rejected) for model in (plain, tuned))
        assert before[pair.id] == pytest.approx(then, abs=1e-4)
        expected.append(-math.log(1 / (1 + math.exp(-0.3 * (now - then)))))
    with torch.no_grad():
        found = preference.loss(tuned, pairs, beta=0.3, reference=before)
    assert found.item() == pytest.approx(sum(expected), abs=1e-4)


def test_loss_is_summed_so_that_dividing_a_batch_changes_nothing(finished, monkeypatch):
    monkeypatch.chdir(finished)
    base = pinned.load()
    model = base_model.load(base.folder).eval()
    batch = examples.encode(
        chat.load(base.folder),
        [said(n, "sft") for n in range(7)],
        Encoding(objective="sft", max_length=128, truncation="error"),
    )
    with torch.no_grad():
        whole = losses.answer_loss(model, batch).item()
        parts = [losses.answer_loss(model, batch[start : start + 3]).item() for start in (0, 3, 6)]
        rows = losses.row_losses(model, batch).tolist()
    assert whole == pytest.approx(sum(parts), abs=1e-3)
    assert whole == pytest.approx(sum(rows), abs=1e-3)


def test_kinds_that_an_objective_does_not_take_are_refused_before_torch_is_loaded(candidate, run: Run):
    brings(candidate, "preference", "sft")
    with pytest.raises(GraftError) as error:
        run(train)
    assert error.value.problems == ("32 records of kind preference: dpo",)
    assert not train.ADAPTER.exists()


@pytest.mark.parametrize(("truncation", "facts"), [("drop", ("records", "dropped")), ("end", ("truncated",))])
def test_truncation_is_counted_in_training_json(candidate, run: Run, truncation, facts):
    brings(candidate, "sft", "sft", max_length=52 + 30, truncation=truncation, epochs=1)
    made = arrow.read_records(train.RECORDS)
    long = [*made[0].messages[:-1], {"role": "assistant", "content": "y" * 60}]
    arrow.write_records(
        train.RECORDS,
        [*made[1:], Record(id="0" * 64, kind="sft", messages=long, increment="sft", file="raw/a.jsonl", line=99)],
    )
    run(train)
    told = files.read_json(train.TRAINING)
    assert [told[name] for name in facts] == ([31, 1] if truncation == "drop" else [1])


def test_nothing_left_to_learn_is_an_error_with_counts(candidate, run: Run):
    brings(candidate, "sft", "sft", max_length=8, truncation="drop")
    with pytest.raises(GraftError, match=r"no record is left to learn from\n  32 with nothing to learn, or too long"):
        run(train)


@pytest.mark.parametrize("name", ["chatml", "plain", "data/templates/own.jinja"])
def test_chat_template_gives_a_base_without_one_a_voice_and_is_published(candidate, run: Run, name):
    own = "{% for m in messages %}{{ m.role + '\\n' + m.content + '<|im_end|>' }}{% endfor %}" + (
        "{% if add_generation_prompt %}{{ 'assistant\\n' }}{% endif %}"
    )
    files.write_text(candidate / "data/templates/own.jinja", own)
    brings(candidate, "sft", "sft", chat_template=name, epochs=1)
    _without_template(candidate)
    for stage in STAGES:
        run(stage)
    published = AutoTokenizer.from_pretrained(merge.MERGED)
    asked = [{"role": "user", "content": "a 1"}]
    first = published.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert (
        first
        == {
            "chatml": "<|im_start|>user\na 1<|im_end|>\n<|im_start|>assistant\n",
            "plain": "User:\na 1\n\nAssistant:\n",
            "data/templates/own.jinja": "user\na 1<|im_end|>assistant\n",
        }[name]
    )


def test_base_without_a_template_is_an_error_that_names_the_setting_and_texts_need_none(candidate, run: Run):
    brings(candidate, "sft", "sft")
    _without_template(candidate)
    with pytest.raises(GraftError, match=r"no chat template\n  help: train\.chat_template: chatml"):
        run(train)
    brings(candidate, "text", "pretrain", epochs=1)
    (predictions_content.SLICES / "sft.arrow").unlink()
    for stage in STAGES:
        run(stage)
    assert (merge.MERGED / "config.json").exists()


@pytest.mark.parametrize(
    "name", ["data/templates/../../../etc/hosts", "data/templates/none.jinja", "data/templates/out"]
)
def test_template_that_is_not_there_or_lies_elsewhere_is_refused(candidate, name):
    from pipeline.model.chat import templates

    (candidate / "data/templates").mkdir()
    (candidate / "data/templates/out").symlink_to("/etc/hostname")
    with pytest.raises(GraftError, match=r"train\.chat_template: data/templates/"):
        templates.text(name)


def _without_template(folder: Path) -> None:
    from pipeline.model.base import base_files

    for path in (folder / "examples/base").glob("*.jinja"):
        path.unlink()
    sha256 = {path.name: files.sha256(path) for path in (folder / "examples/base").iterdir()}
    pin = base_files.Pin(source="builtin", revision=None, sha256=sha256, store="cache")
    base_files.write_pin(pin, folder / "models/base")


def test_predictions_hold_what_was_said_of_each_kind(candidate, run: Run):
    brings(candidate, "preference", "dpo", epochs=1)
    arrow.write_records(
        predictions_content.SLICES / "mixed.arrow", [said(n, k) for n in (50, 51) for k in ("sft", "kto", "text")]
    )
    for stage in (train, evaluate):
        run(stage)
    items = files.read_json(evaluate.PREDICTIONS)["items"]
    rows = [item["candidate"] for item in items]
    keys = {row["kind"]: row.keys() - {"key", "kind", "truncated"} for row in rows}
    assert keys == {
        "sft": {"nats", "tokens", "text", "unfinished"}, "text": {"nats", "tokens"},
        "kto": {"nats", "tokens", "desirable"},
        "preference": {"chosen", "rejected"},
    }  # fmt: skip
    block = metrics()["candidate"]["slices"]["mixed"]
    good = [row for row in rows if "nats" in row and row.get("desirable") is not False]
    assert block["loss"] == pytest.approx(sum(r["nats"] for r in good) / sum(r["tokens"] for r in good), abs=1e-6)
    assert "preference_accuracy" in metrics()["candidate"]["all"]
    run(gate)
    report = (gate.REPORTS / "report.md").read_text()
    assert "loss" in report
    assert "exact_match" in block


def test_adapter_is_the_same_for_the_same_records_in_another_order(candidate, run: Run):
    brings(candidate, "text", "pretrain", epochs=1)
    run(train)
    first = load_file(WEIGHTS)
    arrow.write_records(train.RECORDS, arrow.read_records(train.RECORDS)[::-1])
    run(train)
    assert all(torch.equal(tensor, first[name]) for name, tensor in load_file(WEIGHTS).items())
