"""Settings of a training that are about the machine, the rate and the company: each for real, on the tiny base."""

import contextlib
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipeline.common import errors, files, params
from pipeline.common.errors import GraftError
from pipeline.model.base import pinned
from pipeline.stages import train
from pipeline.training import loop, validation
from pipeline.training.examples.example import Example
from pipeline.training.machine import fit_checks, memory
from pipeline.training.methods import methods
from pipeline.training.parent import blending, pull
from pipeline.training.settings import Pull, TrainSettings
from pipeline.training.watch import live, trackers
from tests.stages.conftest import set_params

WEIGHTS = train.ADAPTER / "adapter_model.safetensors"


@pytest.fixture
def machine() -> Callable[..., dict[str, Any]]:
    """Section train.machine of params.yaml, with some keys changed."""
    shipped = params.load_all()["train"]["machine"]
    return lambda **values: shipped | values


def test_max_steps_ends_a_training_and_its_schedule(candidate, run):
    set_params(candidate, train__max_steps=5)
    run(train)
    curve = train.CURVE.read_text().splitlines()
    assert files.read_json(train.TRAINING)["steps"] == len(curve) - 1 == 5
    assert float(curve[-1].split(",")[2]) < 0.002  # of 0.01: the cosine is at its end


def test_speed_and_memory_of_each_window_are_shown_and_are_no_output(candidate, run):
    assert " tokens/s  " in run(train)
    rows = [line.split(",") for line in live.WINDOWS.read_text().splitlines()]
    assert rows[0] == ["step", "tokens_per_second", "memory_mb"]
    assert [int(row[0]) for row in rows[1:]] == list(range(1, 13))
    assert all(float(row[1]) > 0 and float(row[2]) > 50 for row in rows[1:])


def test_a_validation_part_is_held_out_and_its_best_weights_are_kept(candidate, run):
    def looked(patience: int) -> tuple[list[float], dict[str, Any]]:
        validation = {"share": 0.25, "every": 2, "patience": patience}
        set_params(candidate, train__validation=validation, train__learning_rate=0.3, train__epochs=20)
        run(train)
        facts = files.read_json(train.TRAINING)
        return [look["loss"] for look in facts["validation"]["looks"]], facts

    losses, facts = looked(patience=1)
    assert (facts["records"], facts["examples"], facts["validation"]["records"]) == (48, 36, 12)
    assert losses[:-1] == sorted(losses[:-1], reverse=True)
    assert losses[-1] > losses[-2]  # one look without a better one
    assert facts["validation"]["best_step"] == facts["steps"] - 2 < 98
    stopped = WEIGHTS.read_bytes()
    more, facts = looked(patience=1000)
    assert facts["steps"] == 100
    assert more[: len(losses)] == losses
    best = more.index(min(more))
    assert (best == len(losses) - 2) == (WEIGHTS.read_bytes() == stopped)


def test_a_rate_that_is_found_is_stated_with_its_test_and_changes_nothing_else(candidate, run, machine):
    set_params(candidate, train__learning_rate="auto")
    said = run(train)
    found = files.read_json(train.TRAINING)["learning_rate"]
    assert f"learning_rate: auto: {found:g}" in said
    tested = train.TESTED.read_text().splitlines()
    assert tested[0] == "learning_rate,loss"
    assert float(tested[1].split(",")[0]) == 1e-6
    auto = WEIGHTS.read_bytes()
    set_params(candidate, train__learning_rate=found)
    run(train)
    assert WEIGHTS.read_bytes() == auto
    assert train.TESTED.read_text() == "learning_rate,loss\n"


def test_computing_activations_again_or_keeping_them_elsewhere_changes_no_weight(candidate, run, machine):
    set_params(candidate, train__dropout=0.1)
    run(train)
    plain = load_file(WEIGHTS)
    set_params(candidate, train__machine=machine(gradient_checkpointing=True, offload=True))
    run(train)
    again = load_file(WEIGHTS)
    assert all(torch.allclose(plain[name], again[name], atol=1e-6) for name in plain)


def test_a_base_that_accelerate_lays_out_trains_to_the_same_bytes(candidate, finished, run, machine):
    set_params(candidate, train__machine=machine(device_map="cpu"))
    run(train)
    assert WEIGHTS.read_bytes() == (finished / WEIGHTS).read_bytes()


def test_micro_batches_add_up_to_the_same_weights(candidate, finished, run, machine):
    set_params(candidate, train__machine=machine(micro_batch=3))
    run(train)
    whole, parts = load_file(finished / WEIGHTS), load_file(WEIGHTS)
    assert all(torch.allclose(whole[name], parts[name], atol=1e-4) for name in whole)
    assert files.read_json(train.TRAINING)["micro_batch"] == 3


@pytest.mark.parametrize("values", [{"padding_free": True}, {"loss_chunk": 5}, {"padding_free": True, "loss_chunk": 5}])
def test_other_layouts_of_a_batch_come_to_the_same_weights_but_for_rounding(candidate, finished, run, machine, values):
    set_params(candidate, train__machine=machine(**values))
    run(train)
    padded, joined = load_file(finished / WEIGHTS), load_file(WEIGHTS)
    assert all(torch.allclose(padded[name], joined[name], atol=1e-3) for name in padded)
    assert WEIGHTS.read_bytes() != (finished / WEIGHTS).read_bytes()


def with_room(folder: Path, room: int | None) -> tuple[float, str]:
    """Loss of a step over 128 long examples, with so many bytes more than the process has; and what was printed."""
    if os.fork():
        assert os.wait()[1] == 0
        said = (folder / "said").read_text()
        return float(said.rpartition("result ")[2]), said
    try:
        with (folder / "said").open("w") as said, contextlib.redirect_stdout(said):
            asked = replace(params.load("train", TrainSettings), batch_size=128, epochs=1)
            made = methods.trainable(pinned.load(), None, asked, torch.device("cpu"))
            rows = [[(number * 7 + place) % 200 + 3 for place in range(200)] for number in range(128)]
            answer = [False] * 190 + [True] * 10
            learned = [Example(id=str(n), tokens=row, learned=answer) for n, row in enumerate(rows)]
            if room:
                has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (has + room, has + room))
            print("result", *(step.loss for step in loop.fit(made, learned, asked, peak=0.01)))
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says what a process has")
def test_out_of_memory_halves_the_micro_batch_and_comes_to_the_same(candidate):
    torch.set_num_threads(1)
    free, said = with_room(candidate, None)
    assert "out of memory" not in said
    little, said = with_room(candidate, 10_000_000)
    assert "train: out of memory: micro-batches of 64 from now on; the batch stays the same" in said
    assert little == pytest.approx(free, abs=1e-5)


def test_one_example_that_does_not_fit_is_an_error_with_advice(candidate):
    asked = replace(params.load("train", TrainSettings), batch_size=2)
    made = methods.trainable(pinned.load(), None, asked, torch.device("cpu"))
    learned = [Example(id=name, tokens=[5, 6], learned=[False, True]) for name in "ab"]
    huge = loop.Objective(count=len, loss=lambda *_: torch.empty(1 << 50))  # a real allocation that fails
    with pytest.raises(GraftError, match="out of memory with one example at a time") as error:
        loop.fit(made, learned, asked, peak=0.01, objective=huge)
    assert "gradient_checkpointing" in str(error.value)
    assert "graft plan --gpu" in str(error.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"precision": "float16"}, "train.machine.precision: float16: gradients would vanish"),
        ({"device_map": "auto"}, "train.machine.device_map: auto: there is no GPU here"),
    ],
)
def test_what_the_machine_cannot_do_is_said_before_the_training(values, said, candidate):
    asked = params.load("train", TrainSettings)
    with pytest.raises(GraftError, match="this cannot run here") as error:
        fit_checks.refuse_unfit(
            replace(asked, machine=replace(asked.machine, **values)), torch.device("cpu"), Path("examples/base")
        )
    assert said in str(error.value)


def test_pairs_are_neither_laid_in_one_row_nor_summed_in_chunks(candidate):
    asked = params.load("train", TrainSettings)
    asked = replace(asked, objective="dpo", machine=replace(asked.machine, padding_free=True, loss_chunk=64))
    with pytest.raises(GraftError, match="this cannot run here") as error:
        fit_checks.refuse_unfit(asked, torch.device("cpu"), Path("examples/base"))
    assert "train.machine.padding_free: dpo computes two answers side by side" in str(error.value)
    assert "train.machine.loss_chunk: neither with dpo nor in several processes" in str(error.value)


def test_a_quantised_base_cannot_be_trained_whole(candidate):
    config = files.read_json(Path("examples/base/config.json"))
    quantized = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    files.write_json(Path("examples/base/config.json"), config | {"quantization_config": quantized})
    asked = replace(params.load("train", TrainSettings), method="full")
    with pytest.raises(GraftError, match=r"train\.method: full: the base is quantised"):
        fit_checks.refuse_unfit(asked, torch.device("cpu"), Path("examples/base"))


def test_a_tracker_that_is_not_installed_is_named_before_the_training(candidate, run, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    set_params(candidate, train__trackers=["wandb", "mlflow"])
    with pytest.raises(GraftError, match=r"train\.trackers: not installed: wandb, mlflow[\s\S]*pip install"):
        run(train)
    assert not train.ADAPTER.exists()


def test_a_tracker_is_told_every_step_and_changes_no_byte(candidate, finished, run, monkeypatch):
    loaded = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "runs")
    set_params(candidate, train__trackers=["tensorboard"])
    run(train)
    events = loaded.EventAccumulator("runs")
    events.Reload()
    losses = events.Scalars("train/loss")
    assert [event.step for event in losses] == list(range(1, 13))
    assert {"train/learning_rate", "train/grad_norm"} < set(events.Tags()["scalars"])
    assert WEIGHTS.read_bytes() == (finished / WEIGHTS).read_bytes()


def test_a_full_disk_is_one_message(capsys, tmp_path):
    def fill() -> None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            files.write_bytes(tmp_path / "big", b"x" * 2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with pytest.raises(SystemExit):
        errors.run(fill)
    assert "File too large\n  help: make room, then run this again" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def with_room_for(size: int, computed: list[int]) -> Callable[[Any, Any], torch.Tensor]:
    """A loss of 1 for each example, and no memory for more than so many at a time."""

    def loss(_: Any, part: Any) -> torch.Tensor:
        if len(part) > size:
            raise MemoryError
        computed.append(len(part))
        return torch.tensor(float(len(part)))

    return loss


def test_out_of_memory_while_blending_halves_the_micro_batch_too():
    learned = [Example(id=str(number), tokens=[5, 6], learned=[False, True]) for number in range(9)]
    computed: list[int] = []
    shipped = params.load("train", TrainSettings)
    model, micro = torch.nn.Linear(1, 1), memory.Micro(size=None)
    hold = pull.Hold(list(model.parameters()), Pull(kl=0.0, l2=0.0, ema=None, average=True))
    held = validation.HeldOut(examples=learned, asked=shipped.validation)
    objective = loop.Objective(count=len, loss=with_room_for(2, computed))
    blending.blend(methods.Trainable(model=model, groups=[], save=lambda _: {}), hold, held, objective, micro, 8)
    assert (micro.size, max(computed)) == (2, 2)


def test_more_positions_or_tokens_than_the_base_has_are_refused(candidate, tmp_path):
    from transformers import GPT2Config

    asked = params.load("train", TrainSettings)

    GPT2Config(n_positions=64, vocab_size=96).save_pretrained(tmp_path)
    with pytest.raises(GraftError, match=r"train\.max_length: 65: the base has 64 positions"):
        fit_checks.refuse_unreadable(replace(asked, max_length=65), tmp_path, [])
    short = replace(asked, max_length=64)
    fit_checks.refuse_unreadable(short, tmp_path, [[95]])
    with pytest.raises(GraftError, match="the tokenizer gives id 96, and the base knows 96 tokens"):
        fit_checks.refuse_unreadable(short, tmp_path, [[1], [96, 2]])
