"""Settings that fit a card: they do fit, they change least first, and nothing is promised that cannot be."""

from dataclasses import replace

import pytest

from pipeline.common.errors import GraftError
from pipeline.model.sizing import cards, fitting, footprint, shapes
from pipeline.model.sizing.footprint import TrainingSetup
from tests.model.test_footprint import LLAMA2_7B, LLAMA2_13B, LLAMA31_8B, QWEN_7B

LLAMA2_70B = {
    **LLAMA2_7B, "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64,
    "num_key_value_heads": 8,
}  # fmt: skip
QWEN_72B = {
    **QWEN_7B, "hidden_size": 8192, "intermediate_size": 49152, "num_hidden_layers": 80, "num_attention_heads": 64,
    "vocab_size": 152064,
}  # fmt: skip


def test_what_changes_no_result_is_suggested_first() -> None:
    shape, card = shapes.read(LLAMA31_8B), cards.parse("24GB")
    run = TrainingSetup(micro_batch=32, length=256)
    assert not fitting.fits(shape, run, card)
    first = fitting.suggest(shape, run, card)[0]
    assert set(first.set) == {"machine.micro_batch"}
    second = fitting.suggest(shape, run, card)[1]
    assert second.set["machine.gradient_checkpointing"] is True
    assert second.set["machine.micro_batch"] > first.set["machine.micro_batch"]


@pytest.mark.parametrize("config", [LLAMA2_7B, LLAMA2_13B, LLAMA31_8B, QWEN_7B, LLAMA2_70B])
@pytest.mark.parametrize("asked", ["8GB", "12GB", "24GB", "2x24GB", "80GB", "8x80GB"])
@pytest.mark.parametrize("method", ["full", "lora", "dora", "qlora", "freeze"])
def test_every_suggestion_fits(config: dict[str, object], asked: str, method: str) -> None:
    shape, card = shapes.read(config), cards.parse(asked)
    for offered in fitting.suggest(shape, TrainingSetup(method=method, micro_batch=32, length=2048), card):
        assert footprint.estimate(shape, offered.run).peak <= card.gb
        assert offered.peak_gb <= card.gb + 0.05


def test_a_7b_base_is_trained_on_one_card_of_24_gb() -> None:
    shape, card = shapes.read(QWEN_7B), cards.parse("24GB")
    run = TrainingSetup(micro_batch=8, length=2048, rank=64)
    assert not fitting.fits(shape, run, card)
    assert [offered.set for offered in fitting.suggest(shape, run, card)] == [
        {"machine.micro_batch": 1, "machine.gradient_checkpointing": True, "machine.offload": True},
        {"method": "qlora", "machine.micro_batch": 2, "machine.gradient_checkpointing": True},
        {"max_length": 1024, "machine.micro_batch": 1, "machine.gradient_checkpointing": True},
    ]


def test_several_cards_share_what_one_cannot_hold() -> None:
    shape, run = shapes.read(LLAMA2_70B), TrainingSetup(micro_batch=1, length=1024)
    found = fitting.suggest(shape, run, cards.parse("8xa100-80"))
    assert found[0].set == {"machine.launch": "configs/fsdp2.yaml"}
    assert all(offered.run.devices == 8 for offered in found[:1])


def test_nothing_is_suggested_where_nothing_fits() -> None:
    assert fitting.suggest(shapes.read(LLAMA2_70B), TrainingSetup(micro_batch=4, length=1024), cards.parse("8GB")) == []


@pytest.mark.parametrize(
    ("config", "method", "said"),
    [
        (LLAMA2_7B, "full", 80), (LLAMA2_7B, "lora", 24), (LLAMA2_7B, "qlora", 12),
        (LLAMA2_13B, "full", 160), (LLAMA2_13B, "lora", 48), (LLAMA2_13B, "qlora", 24),
    ],
)  # fmt: skip
def test_rules_of_thumb_stand_beside_what_is_worked_out(config: dict[str, object], method: str, said: float) -> None:
    shape = shapes.read(config)
    assert said in [rule.gb for rule in fitting.rules(shape) if rule.method == method]
    peak = footprint.estimate(shape, TrainingSetup(method=method, length=512, gradient_checkpointing=True)).peak
    assert 0.4 < peak / said < 2  # an order of magnitude: the rules are no more


def test_large_models_need_about_as_many_cards_as_people_say() -> None:
    assert 2 <= (fitting.cards_needed(shapes.read(LLAMA2_70B), TrainingSetup(length=1024), 80) or 0) <= 8
    assert 15 <= (fitting.cards_needed(shapes.read(QWEN_72B), TrainingSetup(method="full", length=512), 80) or 0) <= 20


def test_a_card_too_small_for_one_layer_is_never_enough() -> None:
    assert fitting.cards_needed(shapes.read(LLAMA2_70B), TrainingSetup(method="full", length=8192), 4) is None


def test_smaller_parts_alone_are_no_change_where_all_fits() -> None:
    shape, run = shapes.read(LLAMA2_7B), TrainingSetup(micro_batch=2, length=256)
    assert fitting.fits(shape, run, cards.parse("80GB"))
    assert fitting.suggest(shape, run, cards.parse("80GB"))[0].set == {}
    assert replace(run, micro_batch=2) == run


def test_cards_are_read_as_they_are_written() -> None:
    assert cards.parse("RTX-4090") == cards.parse("4090") == cards.parse("rtx 4090")
    assert cards.parse("4080").gb == cards.parse("2xRTX-4080").gb == 16
    assert cards.parse("A100-80GB") == cards.parse("a100-80")
    assert (cards.parse("24GiB").gb, cards.parse("24GB").gb) == (25.77, 24)
    with pytest.raises(GraftError, match="--gpu 4070: neither a size nor a card"):
        cards.parse("4070")
