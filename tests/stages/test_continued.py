"""A continued training through its stage: fewer epochs, tokens by increment, and what holds it near its parent."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from pipeline.common.errors import GraftError
from pipeline.stages import train
from pipeline.training.validation import HeldOut
from tests.stages.conftest import set_params

NAME = "adapter_model.safetensors"


def trained(folder, run, **parent):
    """Train with these settings of train.parent; returns training.json and how far the weights moved."""
    set_params(
        folder,
        train__continued_epochs=2,
        train__parent={"kl": 0.0, "l2": 0.0, "ema": None, "average": False} | parent,
        train__validation={"share": 0.25 if parent.get("average") else 0.0, "every": 50, "patience": 5},
    )
    run(train)
    own, before = load_file(folder / "models/adapter" / NAME), load_file(folder / "models/parent/adapter" / NAME)
    moved = sum(float((own[name] - before[name]).square().sum()) for name in own) ** 0.5
    return json.loads(Path("reports/training.json").read_text()), moved


def test_continued_adapter_takes_a_share_of_the_epochs(child, run):
    set_params(child, train__epochs=4, train__continued_epochs=0.5)
    run(train)
    report = json.loads(Path("reports/training.json").read_text())
    assert (report["epochs"], report["steps"]) == (2, 4)
    set_params(child, train__chain="fresh")
    run(train)
    assert json.loads(Path("reports/training.json").read_text())["epochs"] == 4


def test_tokens_are_told_by_increment(child, run):
    run(train)
    report = json.loads(Path("reports/training.json").read_text())
    assert report["increment_tokens"] == {"spring": report["tokens"]}
    assert report["tokens"] > 0


def test_each_pull_keeps_the_weights_nearer_to_the_parents(child, run):
    free = trained(child, run)[1]
    assert trained(child, run, kl=50.0)[1] < free
    assert trained(child, run, l2=50.0)[1] < free
    assert trained(child, run, ema=0.9)[1] < free


def test_share_kept_of_a_training_is_chosen_on_the_validation_part(child, run):
    report = trained(child, run, average=True)[0]["average"]
    assert list(report["losses"]) == ["0.25", "0.5", "0.75", "1"]
    assert report["losses"][f"{report['share']:g}"] == min(report["losses"].values())


def test_what_is_saved_of_an_average_is_what_validation_saw_as_the_best(child, run, monkeypatch):
    seen = {}
    look = HeldOut.look

    def looked(held, step, loss, parameters):
        seen[step] = [parameter.detach().clone() for parameter in parameters]
        look(held, step, loss, parameters)

    monkeypatch.setattr(HeldOut, "look", looked)
    set_params(
        child,
        train__learning_rate=0.3,
        train__epochs=8,
        train__parent={"kl": 0.0, "l2": 0.0, "ema": 0.9, "average": False},
        train__validation={"share": 0.25, "every": 1, "patience": 100},
    )
    run(train)
    best = json.loads(Path("reports/training.json").read_text())["validation"]["best_step"]
    saved = sorted(float(tensor.sum()) for tensor in load_file(child / "models/adapter" / NAME).values())
    assert saved == sorted(float(tensor.sum()) for tensor in seen[best])
    assert saved != sorted(float(tensor.sum()) for tensor in seen[max(seen)])


def test_average_without_a_validation_part_is_refused(child):
    with pytest.raises(GraftError, match="must be above 0"):
        set_params(child, train__parent={"kl": 0.0, "l2": 0.0, "ema": None, "average": True})


def test_held_training_repeats_its_bytes(child, run):
    trained(child, run, kl=1.0, l2=0.1, ema=0.9)
    first = (child / "models/adapter" / NAME).read_bytes()
    trained(child, run, kl=1.0, l2=0.1, ema=0.9)
    assert (child / "models/adapter" / NAME).read_bytes() == first
