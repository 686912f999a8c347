"""Learning rates, watches and the held-out part, without a model."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest
import torch

from pipeline.common import params
from pipeline.common.errors import GraftError
from pipeline.training import finder, held_out, rates
from pipeline.training.checkpoints import mirror
from pipeline.training.examples.example import Example
from pipeline.training.settings import TrainSettings, Validation, Watch
from pipeline.training.steps import Step
from pipeline.training.validation import HeldOut
from pipeline.training.watch import watch
from pipeline.training.watch.watch import Watcher

WATCH = Watch(divergence=3.0, spike=20.0, no_fall=200)


def plan(**values: Any) -> list[float]:
    asked = replace(params.load("train", TrainSettings), **({"warmup_share": 0.1} | values))
    made = rates.rates(asked, 2.0, 100)
    return [made.at(step) for step in range(1, 101)]


@pytest.mark.parametrize("scheduler", ["cosine", "linear", "constant", "wsd"])
def test_every_schedule_warms_up_to_the_peak_and_never_rises_again(scheduler):
    found = plan(scheduler=scheduler)
    assert found[:10] == [2.0 * step / 10 for step in range(1, 11)]
    assert found[9] == found[10] == max(found) == 2.0
    assert found[10:] == sorted(found[10:], reverse=True)
    assert found[-1] == 2.0 if scheduler == "constant" else 0 < found[-1] < 0.1


def test_linear_falls_in_equal_steps_and_wsd_only_at_the_end():
    falls = {
        round(a - b, 9) for a, b in zip(plan(scheduler="linear")[10:], plan(scheduler="linear")[11:], strict=False)
    }
    assert len(falls) == 1
    stable = plan(scheduler="wsd", decay_share=0.2)
    assert stable[10:80] == [2.0] * 70
    assert stable[80:] == pytest.approx([2.0 * (20 - done) / 21 for done in range(20)])


def test_warmup_steps_take_the_place_of_the_share_and_never_exceed_the_training():
    assert plan(warmup_steps=3)[:4] == [2.0 / 3, 4.0 / 3, 2.0, 2.0]
    assert plan(warmup_steps=0)[0] == 2.0
    assert plan(warmup_steps=1000)[-1] == 2.0


def verdict(losses: list[float], norms: list[float] | None = None, *, new: bool = True, asked: Watch = WATCH):
    watcher = Watcher(asked=asked, max_grad_norm=1.0, new=new)
    for number, (loss, norm) in enumerate(zip(losses, norms or [0.5] * len(losses), strict=True), start=1):
        said = watcher.see(Step(loss=loss, learning_rate=0.1, gradient_norm=norm))
        if said:
            return number, said.reason
    return None


FALLING = [3 * math.exp(-step / 30) + 0.3 * (step % 3) for step in range(300)]


def test_a_healthy_loss_is_left_alone_with_its_odd_batches():
    assert verdict(FALLING) is None
    assert verdict([*FALLING[:100], 30.0, *FALLING[100:]]) is None  # one bad batch
    assert verdict([0.001] * 50 + [0.02] * 50, new=False) is None  # small losses jump by large factors
    assert verdict(FALLING, [50.0 if step % 7 == 0 else 0.1 for step in range(300)]) is None  # spikes, none lasting
    assert verdict(FALLING, [0.9 if step > 200 else 0.01 for step in range(300)]) is None  # never clipped


def test_a_loss_that_diverges_stops():
    number, said = verdict([*FALLING[:100], *[8.0] * 50]) or (0, "")
    assert 100 < number < 115
    assert said.startswith("the loss diverges: ")
    assert verdict([*FALLING[:100], *[8.0] * 50], asked=replace(WATCH, divergence=None)) is None


def test_gradient_spikes_that_last_stop():
    norms = [0.5] * 150 + [40.0] * 150
    number, said = verdict(FALLING, norms) or (0, "")
    assert number == 155
    assert said == "the gradient's norm is 40 and was far above the usual 0.5 for 5 steps"
    assert verdict(FALLING, norms, asked=replace(WATCH, spike=None)) is None


def test_a_new_adapters_loss_has_to_fall_and_a_continued_ones_need_not():
    flat = [2.0] * 300
    assert verdict(flat) == (200, "the loss does not fall: 2 over 20 steps, 2 over the first")
    dice = random.Random(0)  # noqa: S311
    noisy = [2.0 + dice.gauss(0, 0.02) for _ in range(300)]  # some window of it is lower than the first
    assert (verdict(noisy) or (0,))[0] == 200
    assert verdict([loss - 0.001 * step for step, loss in enumerate(noisy)]) is None
    assert verdict([*FALLING[:195], 30.0, *FALLING[195:]]) is None  # one bad batch at the wrong moment
    assert verdict(FALLING, asked=replace(WATCH, no_fall=20)) is None
    assert verdict(flat, new=False) is None
    assert verdict(flat, asked=replace(WATCH, no_fall=None)) is None


@pytest.mark.parametrize(("loss", "norm", "said"), [(math.nan, 1.0, "loss is nan"), (1.0, math.inf, "norm is inf")])
def test_what_is_not_finite_stops_with_step_records_and_advice(loss, norm, said):
    with pytest.raises(GraftError, match=f"step 7: the .*{said}, at learning rate 0.1") as error:
        watch.refuse_broken(7, ["a", "b"], loss=loss, norm=norm, learning_rate=0.1)
    assert error.value.problems == ("record a", "record b")
    assert "lower train.learning_rate" in str(error.value)


def example(name: str) -> Example:
    return Example(id=name, tokens=[1, 2], learned=[False, True])


def test_the_held_out_part_follows_from_ids_alone():
    made = [example(f"{number:064x}") for number in range(200)]
    learned, held = held_out.split(made, 0.1)
    assert len(held) == 20
    assert sorted([*learned, *held], key=lambda e: e.id) == made
    assert {e.id for e in held_out.split(made[::-1], 0.1)[1]} == {e.id for e in held}
    assert held_out.split(made, 0.0) == (made, [])
    with pytest.raises(GraftError, match=r"train\.validation\.share: 0\.1 of 3 records"):
        held_out.split(made[:3], 0.1)


def test_patience_ends_a_training_and_the_best_weights_come_back():
    held = HeldOut(examples=[example("a")], asked=Validation(share=0.1, every=10, patience=2))
    weights = torch.zeros(3)
    for step, loss in ((10, 2.0), (20, 1.0), (30, 1.5)):
        assert not held.ended
        weights.fill_(step)
        held.look(step, loss, [weights])
    again = HeldOut(examples=held.examples, asked=held.asked)
    again.restore(held.tensors())
    assert again.facts() == held.facts()
    again.look(40, 1.2, [weights.fill_(40)])
    assert again.ended
    again.put_best([weights])
    assert weights.tolist() == [20.0] * 3
    assert again.facts()["best_step"] == 20
    assert [held.due(step, 25) for step in (9, 10, 25)] == [False, True, True]


def test_a_damaged_test_of_the_rate_is_made_again(tmp_path, monkeypatch):
    found = finder.Found(learning_rate=0.5, rows=[(1e-6, 2.0), (1.0, 1.0)])
    tests: list[int] = []
    monkeypatch.setattr(finder, "find", lambda *_: tests.append(1) or found)
    asked = replace(params.load("train", TrainSettings), learning_rate="auto")

    def rate() -> tuple[float, list[tuple[float, float]]]:
        return finder.rate(None, [], asked, None, None, tmp_path)

    for number, damage in enumerate(("", "{", "[]", '{"learning_rate": 1}', '{"learning_rate": null, "rows": []}'), 1):
        (tmp_path / "learning_rate.json").write_text(damage)
        assert rate() == rate() == (0.5, found.rows)
        assert len(tests) == number


@pytest.mark.parametrize("url", ["ftp://me:secret@127.0.0.1:1/x", "zip://x::file:///nonexist.zip"])
def test_a_mirror_that_cannot_be_connected_to_is_one_warning(url, capsys):
    assert mirror.mirror(url, "0" * 8) is None
    said = capsys.readouterr().out
    assert said.startswith("train: warning: no checkpoint goes to ")
    assert said.count("\n") == 1
    assert "secret" not in said


def test_the_found_rate_lies_a_margin_below_the_lowest_loss():
    assert finder.choose([(1e-4, 3.0), (1e-3, 2.5), (2.468e-2, 1.0), (0.1, 4.0)]) == 2.5e-3
    with pytest.raises(GraftError, match="the loss falls at no rate"):
        finder.choose([(1e-4, 3.0), (1e-3, 3.5)])
