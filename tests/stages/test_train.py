import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from safetensors.torch import load_file

from pipeline.common import files, params, schema, scratch
from pipeline.common.errors import GraftError
from pipeline.data.records import arrow
from pipeline.model.adapter import lora_settings, saved_adapter
from pipeline.model.adapter.settings import AdapterSettings
from pipeline.model.base import base_files, pinned
from pipeline.model.chat import chat
from pipeline.model.weights import base_model, weights
from pipeline.stages import train
from pipeline.training import adapter_folder, batches, loop, rates
from pipeline.training.batches import Order
from pipeline.training.examples import examples
from pipeline.training.examples.example import Encoding, Example
from pipeline.training.losses import losses
from pipeline.training.methods.methods import Trainable
from pipeline.training.steps import Step
from tests.conftest import ENVIRONMENT, ROOT
from tests.stages.conftest import set_params, write_records

HERE = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
WEIGHTS = Path("models/adapter/adapter_model.safetensors")
CONFIG = Path("models/adapter/adapter_config.json")


def sft(max_length: int) -> Encoding:
    return Encoding(objective="sft", max_length=max_length, truncation="start")


def outputs(folder: Path) -> dict[str, bytes]:
    names = ("models/adapter", "reports/training.json", "reports/plots/loss.csv")
    found = [file for name in names for file in files.files_below(folder / name)]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in found}


def test_order_of_the_records_in_the_file_does_not_matter(candidate, finished, run):
    records = arrow.read_records(train.RECORDS)
    arrow.write_records(train.RECORDS, records[::-1])
    run(train)
    assert outputs(candidate) == outputs(finished)


def test_another_seed_gives_another_adapter(candidate, finished, run):
    set_params(candidate, train__seed=7)
    run(train)
    assert outputs(candidate)[str(WEIGHTS)] != outputs(finished)[str(WEIGHTS)]


def test_adapter_is_float32_and_names_its_base_as_no_hub_can(finished):
    assert {str(tensor.dtype) for tensor in load_file(finished / WEIGHTS).values()} == {"torch.float32"}
    config = files.read_json(finished / CONFIG)
    assert (config["base_model_name_or_path"], config["revision"], config["r"]) == ("./examples/base", None, 2)
    with pytest.raises(HFValidationError):
        validate_repo_id(config["base_model_name_or_path"])
    assert config["target_modules"] == sorted(config["target_modules"])
    assert str(finished) not in (finished / CONFIG).read_text()


def test_tokenizer_card_and_embedded_base_are_beside_the_adapter_byte_for_byte(finished):
    adapter, base = finished / "models/adapter", finished / "examples/base"
    tokenizer = {"chat_template.jinja", "tokenizer.json", "tokenizer_config.json"}
    own = {CONFIG.name, WEIGHTS.name, "README.md", "base"}
    assert {path.name for path in adapter.iterdir()} == own | tokenizer
    assert all((adapter / name).read_bytes() == (base / name).read_bytes() for name in tokenizer)
    copied, whole = files.files_below(adapter / "base"), files.files_below(base)
    assert [path.read_bytes() for path in copied] == [path.read_bytes() for path in whole]


@pytest.mark.parametrize(
    ("source", "name", "hub"),
    [
        ("hf:acme/tiny", "acme/tiny", True),
        ("builtin", "./examples/base", False),
        ("path:mine", "./mine", False),
        ("path:models/tiny", "./models/tiny", False),
        ("path:../tiny", "../tiny", False),
        ("path:./tiny", "./tiny", False),
        ("path:/mnt/tiny", "/mnt/tiny", False),
        ("path:/tiny", "/tiny", False),
        ("path:~/tiny", "~/tiny", False),
    ],
)
def test_base_is_named_so_that_only_a_hubs_own_is_asked_of_the_hub(source, name, hub):
    assert pinned.reference(source) == name
    try:
        validate_repo_id(name)
    except HFValidationError:
        assert not hub
    else:
        assert hub


def test_card_of_an_adapter_names_a_hub_base_with_its_commit(finished):
    base = pinned.Base(folder=finished, name="acme/tiny", revision="0" * 40, sha256={}, fingerprint="f" * 64)
    card = ModelCard(adapter_folder.card(saved_adapter.read(finished / "models/adapter"), base))
    assert (card.data.base_model, card.data.library_name) == ("acme/tiny", "peft")
    assert f'AutoModelForCausalLM.from_pretrained("acme/tiny", revision="{"0" * 40}")' in card.text


def test_parent_of_an_older_graft_continues_and_is_handed_on_with_the_new_name(child, finished, run):
    run(train)
    expected = outputs(child)
    for path in files.files_below(child / "models/parent/adapter"):
        if path.name not in (CONFIG.name, WEIGHTS.name):
            path.unlink()
    config = child / "models/parent/adapter" / CONFIG.name
    files.write_json(config, files.read_json(config) | {"base_model_name_or_path": "examples/base"})
    run(train)
    assert outputs(child) == expected
    write_records(train.RECORDS, [])
    run(train)
    assert files.read_json(CONFIG) == files.read_json(finished / CONFIG)
    assert WEIGHTS.read_bytes() == (finished / WEIGHTS).read_bytes()


def test_training_json_and_curve_say_what_was_done(finished):
    facts = files.read_json(finished / "reports/training.json")
    assert schema.problems(facts, "training") == []
    assert (facts["records"], facts["steps"], facts["epochs"], facts["truncated"]) == (48, 12, 2, 0)
    assert facts["increments"] == {"winter": 48}
    assert facts["continued_from"] is None
    assert facts["machine_class"]["threads"] == 1
    assert 0 < facts["trainable_parameters"] < facts["total_parameters"]
    curve = (finished / "reports/plots/loss.csv").read_text().splitlines()
    assert curve[0] == "step,loss,learning_rate,gradient_norm"
    assert len(curve) == 13


def test_progress_is_shown_with_loss_rate_and_time_left(candidate, run):
    said = run(train)
    assert "train: step 12/12  loss " in said
    assert "s left" in said


def test_continued_training_changes_the_parents_weights_and_keeps_its_settings(child, finished, run):
    run(train)
    before, after = load_file(finished / WEIGHTS), load_file(WEIGHTS)
    assert before.keys() == after.keys()
    assert all((before[name] != after[name]).any() for name in before)
    assert CONFIG.read_bytes() == (finished / CONFIG).read_bytes()
    facts = files.read_json(train.TRAINING)
    assert facts["continued_from"] == files.sha256(finished / WEIGHTS)
    assert facts["increments"] == {"spring": 16}


def test_continued_training_peaks_at_rewarm_times_the_rate(child, run):
    set_params(child, train__rewarm=0.25, train__learning_rate=0.02)
    run(train)
    rates = [float(line.split(",")[2]) for line in train.CURVE.read_text().splitlines()[1:]]
    assert max(rates) == pytest.approx(0.005)


def test_settings_that_a_continued_adapter_cannot_take_on_are_each_named(child, run):
    set_params(child, train__rank=4, train__alpha=5, train__dropout=0.1, train__targets=["q_proj", "v_proj"])
    with pytest.raises(GraftError) as error:
        run(train)
    said = str(error.value)
    assert "train.rank: 4 asked for, the parent's adapter has 2" in said
    assert "train.alpha: 5 asked for" in said
    assert "train.dropout: 0.1 asked for" in said
    assert "train.targets: q_proj, v_proj (4 modules) asked for, the parent's adapter has down_proj, " in said
    assert "graft add --full" in said
    assert not train.ADAPTER.exists()


def but_asked(made: dict[str, bytes]) -> dict[str, object]:
    """Outputs without what training.json says was asked for, in whose words."""
    facts = json.loads(made["reports/training.json"])
    return made | {"reports/training.json": {name: value for name, value in facts.items() if name != "asked"}}


def test_same_targets_spelled_out_are_the_same_setting(child, run):
    run(train)
    all_linear = outputs(child)
    set_params(child, train__targets=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    run(train)
    assert but_asked(outputs(child)) == but_asked(all_linear)


def test_fresh_ignores_the_parent(child, finished, run):
    set_params(child, train__chain="fresh")
    write_records(train.RECORDS, range(48))
    run(train)
    assert but_asked(outputs(child)) == but_asked(outputs(finished))


def test_nothing_new_hands_on_the_parents_bytes_without_loading_torch(child, finished):
    write_records(train.RECORDS, [])
    code = "import sys; from pipeline.stages import train; train.main(); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], env=HERE, check=True, capture_output=True, text=True)
    assert "nothing new: the parent's adapter is handed on" in done.stdout
    assert WEIGHTS.read_bytes() == (finished / WEIGHTS).read_bytes()
    assert CONFIG.read_bytes() == (finished / CONFIG).read_bytes()
    facts = files.read_json(train.TRAINING)
    assert facts.keys() == files.read_json(finished / "reports/training.json").keys()
    assert facts["machine_class"] is None
    assert schema.problems(facts, "training") == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param({"rank": 4}, r"cannot be continued[\s\S]*train\.rank: 4 asked for", id="rank"),
        pytest.param({"targets": ["q_proj"]}, r"train\.targets: q_proj \(2 modules\) asked for, .* has", id="targets"),
        pytest.param({"layers": {"top": 1}}, r"train\.layers: .*\(7 modules\) asked for", id="layers"),
        pytest.param({"targets": ["q_porj"]}, r"train\.targets: .*q_porj", id="no-such-target"),
        pytest.param({"method": "full"}, r"train\.method: full asked for, the parent's adapter has lora", id="method"),
        pytest.param({"modules": "head"}, r"train\.modules: nothing that method lora", id="unfit"),
        pytest.param({"chain": "stack", "init": "pissa"}, r"train\.init: pissa: a part of the base", id="stack"),
        pytest.param(
            {"chain": "stack", "parent": {"kl": 0.1, "l2": 0.0, "ema": None, "average": False}},
            r"train\.parent: holds a continued adapter", id="pull",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_taken_on_are_refused_with_nothing_new_too(asked, said, child, run):
    write_records(train.RECORDS, [])
    with pytest.raises(GraftError, match=said):
        _train_with(asked, child, run)
    assert not train.ADAPTER.exists()


def _train_with(asked, folder, run):
    """Some of these are refused by the stage `settings` already."""
    set_params(folder, **{f"train__{name}": value for name, value in asked.items()})
    run(train)


def test_same_targets_spelled_out_are_handed_on_too(child, finished, run):
    write_records(train.RECORDS, [])
    set_params(child, train__targets=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    run(train)
    assert WEIGHTS.read_bytes() == (finished / WEIGHTS).read_bytes()


def test_a_parent_of_another_base_is_not_handed_on(child, run):
    write_records(train.RECORDS, [])
    _change_base()
    with pytest.raises(GraftError, match="trained on another base"):
        run(train)


def test_targets_that_the_base_does_not_have_are_named(candidate, run):
    set_params(candidate, train__targets=["q_porj"])
    with pytest.raises(GraftError, match=r"train\.targets: .*q_porj"):
        run(train)


@pytest.mark.parametrize("parent", [pytest.param(False, id="no-parent"), pytest.param(True, id="fresh-with-a-parent")])
def test_nothing_to_train_and_nothing_to_hand_on_is_an_error(parent, candidate, request, run):
    if parent:
        request.getfixturevalue("child")
        set_params(candidate, train__chain="fresh")
    write_records(train.RECORDS, [])
    with pytest.raises(GraftError, match="nothing to train on"):
        run(train)


def test_frozen_adapter_is_an_error(finished, monkeypatch):
    monkeypatch.chdir(finished)
    base = pinned.load()
    frozen = weights.add_adapter(base_model.load(base.folder), train.ADAPTER, base)
    learned = examples.encode(chat.load(base.folder), arrow.read_records(train.RECORDS), sft(128))
    made = Trainable(model=frozen, groups=[{"params": [], "share": 1.0}], save=lambda folder: None)
    with pytest.raises(GraftError, match="no parameter is trainable"):
        loop.fit(made, learned, params.load("train", train.TrainSettings), peak=0.01)


def _change_base() -> None:
    config = files.read_json(Path("examples/base/config.json"))
    files.write_json(Path("examples/base/config.json"), config | {"rms_norm_eps": 1e-5})
    pin = base_files.read_pin()
    changed = pin.sha256 | {"config.json": files.sha256(Path("examples/base/config.json"))}
    base_files.write_pin(base_files.Pin(source="builtin", revision=None, sha256=changed, store="cache"))


def test_parent_of_another_base_is_an_error(child, run):
    _change_base()
    with pytest.raises(GraftError, match="trained on another base"):
        run(train)


def test_loss_that_is_no_number_stops_with_step_and_records(candidate, run):
    set_params(candidate, train__learning_rate=1e38, train__warmup_share=0.0)
    with pytest.raises(GraftError) as error:
        run(train)
    ids = {record.id for record in arrow.read_records(train.RECORDS)}
    assert "the loss is nan" in error.value.message
    assert {problem.removeprefix("record ") for problem in error.value.problems} <= ids
    assert not train.ADAPTER.exists()


def test_loss_that_does_not_fall_stops_with_step_records_and_the_advice_to_raise_the_rate(candidate, run):
    watch = {"divergence": 3.0, "spike": 20.0, "no_fall": 40}
    set_params(candidate, train__learning_rate=1e-12, train__epochs=8, train__watch=watch)
    with pytest.raises(GraftError, match=r"train: step 40: the loss does not fall: .* over 20 steps") as error:
        run(train)
    ids = {record.id for record in arrow.read_records(train.RECORDS)}
    assert {problem.removeprefix("record ") for problem in error.value.problems} <= ids
    assert "help: raise train.learning_rate" in str(error.value)
    assert not train.ADAPTER.exists()


def test_too_long_prompt_loses_its_beginning_and_is_counted(candidate, run):
    set_params(candidate, train__max_length=40)
    run(train)
    assert files.read_json(train.TRAINING)["truncated"] == 48
    base = pinned.load()
    first = examples.encode(chat.load(base.folder), arrow.read_records(train.RECORDS), sft(40))[0]
    text = chat.load(base.folder).tokenizer.decode(first.tokens)
    assert len(first.tokens) == 40
    assert text.endswith(arrow.read_records(train.RECORDS)[0].answer + "<|im_end|>")
    assert not text.startswith("<|im_start|>user")


def test_answers_that_fill_max_length_are_named_with_file_and_line(candidate, run):
    set_params(candidate, train__max_length=12)
    with pytest.raises(GraftError, match=r"winter/raw/a.csv:4: 13 tokens"):
        run(train)


def test_only_answer_and_end_of_turn_are_learned(finished, monkeypatch):
    import torch

    monkeypatch.chdir(finished)
    base = pinned.load()
    talk = chat.load(base.folder)
    batch = examples.encode(talk, arrow.read_records(train.RECORDS)[:5], sft(128))
    adapted = weights.add_adapter(base_model.load(base.folder), train.ADAPTER, base)
    said = []
    for example in batch:  # one at a time and without padding, over every position
        ids = torch.tensor([example.tokens])
        logs = adapted(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        said += (-logs[-example.targets :]).tolist()
        assert example.tokens[-1] == talk.end_of_turn
    assert losses.count(batch) == len(said)
    assert losses.answer_loss(adapted, batch).item() == pytest.approx(sum(said), abs=1e-3)


def test_batches_hold_every_example_once_in_another_order_each_epoch():
    made = [Example(id=str(n), tokens=[0] * (n % 7 + 2), learned=[False] * (n % 7 + 1) + [True]) for n in range(100)]
    first, second = (batches.batches(made, Order(seed=1, epochs=2, size=8), epoch) for epoch in (0, 1))
    for epoch in (first, second):
        assert sorted(example.id for batch in epoch for example in batch) == sorted(e.id for e in made)
    assert first != second
    spread = [max(len(e.tokens) for e in batch) - min(len(e.tokens) for e in batch) for batch in first]
    assert max(spread) <= 1  # grouped by length


def test_batches_of_a_token_budget_hold_every_example_once_and_never_more_than_it():
    made = [Example(id=str(n), tokens=[0] * (n % 40 + 2), learned=[False] * (n % 40 + 1) + [True]) for n in range(300)]
    found = batches.batches(made, Order(seed=1, epochs=1, size=8, tokens=30), 0)
    assert sorted(example.id for batch in found for example in batch) == sorted(example.id for example in made)
    for batch in found:
        padded = len(batch) * max(len(example.tokens) for example in batch)
        assert padded <= 30 or len(batch) == 1
    assert any(len(batch) > 8 for batch in found)


@pytest.mark.parametrize(("weight", "tokens"), [(1.0, None), (1.0, 30), (1.3, None), (1.3, 30)])
def test_steps_are_counted_as_they_are_made_and_no_further_than_asked(weight, tokens):
    made = [
        Example(id=str(n), tokens=[0] * (n % 9 + 2), learned=[True] * (n % 9 + 2), weight=weight) for n in range(90)
    ]
    for size in (1, 8):
        order = Order(seed=1, epochs=3, size=size, tokens=tokens)
        assert batches.count_steps(made, order) == len(list(batches.epochs(made, order)))
    endless = Order(seed=1, epochs=10**6, size=8, tokens=tokens)
    assert batches.count_steps(made, endless, 3) == 3


def test_a_warmup_longer_than_the_training_is_said(candidate, run):
    set_params(candidate, train__max_steps=2, train__epochs=10**5, train__warmup_steps=5)
    assert run(train).count("train: warmup_steps: 5 of 2 steps: the rate only rises") == 1


def test_a_token_budget_trains(candidate, run):
    set_params(candidate, train__batch_tokens=400)
    run(train)
    facts = files.read_json(train.TRAINING)
    assert facts["tokens"] / facts["steps"] <= 400
    assert facts["steps"] != 12


def test_rate_warms_up_to_the_peak_and_falls_to_nearly_zero():
    plan = rates.Rates(scheduler="cosine", peak=1.0, steps=100, warmup=10, decay=0)
    shares = [plan.at(step) for step in range(1, 101)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == shares[10] == 1.0
    assert shares == shares[:10] + sorted(shares[10:], reverse=True)
    assert 0 < shares[-1] < 0.001


def test_curve_is_condensed_to_means_over_equal_spans():
    steps = [Step(loss=float(n), learning_rate=n / 10, gradient_norm=4.0 - n) for n in (1, 2, 3)]
    assert train.condense(steps, rows=2) == [(2, 1.5, 0.2, 3.0), (3, 3.0, 0.3, 1.0)]
    assert len(train.condense(steps[:1] * 1001)) <= train.CURVE_ROWS


def test_settings_are_compared_as_numbers(finished):
    asked = AdapterSettings(rank=2, alpha=4.0, dropout=0, targets="all-linear")
    assert lora_settings.differences(asked, saved_adapter.read(finished / "models/adapter")) == []


def test_second_training_in_one_checkout_is_refused(candidate, run):
    with scratch.held(train.SCRATCH), pytest.raises(GraftError, match=r"process \d+ is at work here"):
        run(train)


def test_training_ends_with_the_process_that_started_it_and_leaves_no_output(candidate):
    set_params(candidate, train__epochs=2000)
    through_a_shell = (
        f"import subprocess; subprocess.run('{sys.executable} -m pipeline.stages.train; true', shell=True)"
    )
    with subprocess.Popen([sys.executable, "-c", through_a_shell], env=HERE, stdout=subprocess.PIPE, text=True) as dvc:
        assert dvc.stdout is not None
        while "step" not in (line := dvc.stdout.readline()):
            assert line, "the training ended by itself"
        dvc.kill()
        deadline = time.monotonic() + 10
        while not free(train.SCRATCH):
            assert time.monotonic() < deadline, "the training lives on"
            time.sleep(0.05)
    assert not train.ADAPTER.exists()
    assert not train.TRAINING.exists()


def free(folder: Path) -> bool:
    try:
        with scratch.held(folder):
            return True
    except GraftError:
        return False


def test_final_loss_is_the_mean_of_the_last_tenth_of_the_steps():
    steps = [Step(loss=float(n), tokens=1, learning_rate=0.1, gradient_norm=1.0) for n in range(1, 301)]
    assert train.final_loss(steps) == pytest.approx(285.5)
    assert train.final_loss(steps[:100]) == pytest.approx(90.5)
    assert train.final_loss(steps[:3]) == pytest.approx(2.0)
    assert train.final_loss([]) is None
