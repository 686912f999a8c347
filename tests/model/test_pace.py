"""Time of a training beside published figures, and what --gpu takes."""

from dataclasses import replace

import pytest

from pipeline.common.errors import GraftError
from pipeline.model.sizing import cards, pace, shapes
from tests.model.test_footprint import QWEN, QWEN_7B, QWEN_14B


@pytest.mark.parametrize(
    ("config", "length", "seconds"),
    [
        pytest.param(QWEN_7B, 1024, 2.8, id="7B-1024"),
        pytest.param(QWEN_7B, 2048, 5.2, id="7B-2048"),
        pytest.param(QWEN_7B, 4096, 10.1, id="7B-4096"),
        pytest.param(QWEN_7B, 8192, 21.3, id="7B-8192"),
        pytest.param(QWEN_14B, 2048, 8.4, id="14B-2048"),
        pytest.param(QWEN_14B, 8192, 36.0, id="14B-8192"),
    ],
)
def test_pace_is_within_a_fifth_of_the_published_one(config: dict[str, object], length: int, seconds: float) -> None:
    run = replace(QWEN, length=length)  # one step is 8 examples on one A100
    found = 8 * length / pace.tokens_per_second(shapes.read(config), run, cards.KNOWN["a100-80"][1])
    assert found == pytest.approx(seconds, rel=0.2)


def test_an_adapter_takes_two_thirds_of_the_work_of_a_full_training() -> None:
    shape = shapes.read(QWEN_7B)
    few = replace(QWEN, gradient_checkpointing=False, rank=1, length=16)
    share = pace.operations(shape, few) / pace.operations(shape, replace(few, method="full"))
    assert share == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("asked", "count", "gb", "tflops"),
    [
        ("24GB", 1, 24, None),
        ("2x24GB", 2, 24, None),
        ("2 x 24 gb", 2, 24, None),
        ("40", 1, 40, None),
        ("rtx4090", 1, 24, 165),
        ("8xA100-80GB", 8, 80, 312),
    ],
)
def test_cards_are_read_from_words(asked: str, count: int, gb: float, tflops: float | None) -> None:
    assert cards.parse(asked) == cards.Cards(count=count, gb=gb, tflops=tflops)


@pytest.mark.parametrize("asked", ["", "0x24GB", "0GB", "much", "-1GB", "2x", "x24GB"])
def test_other_words_are_refused_with_those_that_work(asked: str) -> None:
    with pytest.raises(GraftError, match="--gpu") as raised:
        cards.parse(asked)
    assert "24GB" in str(raised.value.help)


def test_a_driver_s_name_is_known() -> None:
    assert cards.named("NVIDIA A100-SXM4-80GB") == 312
    assert cards.named("NVIDIA GeForce RTX 4090") == 165
    assert cards.named("NVIDIA H200") == 989
    assert cards.named("Something Else") is None
