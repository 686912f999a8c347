import json
import time

import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2Config

from pipeline.chain.release import serving_limits
from pipeline.evaluation.cost import efficiency, peak_memory
from pipeline.model.scoring import scoring

PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13, 14, 15], [20] * 12]
LABELS = [[3, 2], [4, 5, 2]]


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config).eval()


class Slow:
    """A model's stand-in that answers after a while and notes what it was asked."""

    def __init__(self, seconds: float, asked: list) -> None:
        self.seconds, self.asked = seconds, asked

    def answer(self, prompt) -> None:
        self.asked.append((self.seconds, prompt))
        time.sleep(self.seconds)


def scored(model, prompt):
    return scoring.label_scores(model, [prompt], LABELS, 1)


def test_figures_of_each_model_and_length(tiny):
    found = efficiency.measure({"candidate": tiny, "parent": tiny}, PROMPTS, 60, scored, decode=4)
    assert list(found) == ["candidate", "parent"]
    for cost in found.values():
        assert [part["tokens"] for part in cost["lengths"]] == [32, 60]
        for part in (cost, *cost["lengths"]):
            assert 0 < part["p50_ms"] <= part["p95_ms"]
            assert part["cpu_ms"] > 0
            assert 0 < part["memory_gb"] <= cost["memory_gb"]
        assert all(part["prefill_tokens_per_s"] > part["decode_tokens_per_s"] > 0 for part in cost["lengths"])
    json.dumps(found, allow_nan=False)


def test_release_limits_read_the_figures(tiny):
    cost = efficiency.measure({"candidate": tiny}, PROMPTS, 20, scored)["candidate"]
    asked = {name: {"at_most": 0.0} for name in ("p50_ms", "p95_ms", "memory_gb")}
    assert len(serving_limits.judge(asked, cost, None)) == 3
    assert serving_limits.judge({name: {"at_most": 1e6, "may_rise": 0.0} for name in asked}, cost, cost) == []


def test_nothing_is_generated_where_nothing_has_to_be(tiny):
    (part,) = efficiency.measure({"candidate": tiny}, PROMPTS, 20, scored)["candidate"]["lengths"]
    assert part["decode_tokens_per_s"] is None


def test_no_prompts_no_figures(tiny):
    assert efficiency.measure({"candidate": tiny}, [], 20, scored) == {}


def test_models_take_turns():
    asked = []
    slow, quick = Slow(0.004, asked), Slow(0.001, asked)
    times = efficiency._in_turn({"slow": slow, "quick": quick}, PROMPTS, Slow.answer)
    assert [prompt for _, prompt in asked] == [prompt for prompt in PROMPTS for _ in range(2)]
    assert [seconds for seconds, _ in asked] == [0.004, 0.001, 0.001, 0.004] * 2
    assert times["slow"].quantile(50) > 0.004 > times["quick"].quantile(50) > 0.001
    assert times["slow"].mean_cpu < 0.004  # who sleeps uses no processor


def test_a_slow_model_is_asked_less_often():
    asked = []
    efficiency._in_turn({"slow": Slow(0.01, asked)}, PROMPTS * 9, Slow.answer, seconds=0.02)
    assert efficiency.LEAST <= len(asked) <= 5


def test_prompts_of_one_length_are_real_ones_gone_on_and_cut():
    made = efficiency._of_length(PROMPTS, 9)
    assert made[0] == [5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert made[3] == [20] * 9
    assert {len(prompt) for prompt in made} == {9}


def test_memory_is_of_the_model_that_works():
    large, small = torch.nn.Linear(4000, 4000), torch.nn.Linear(10, 10)

    def work(_):
        torch.ones(30_000_000).sum()

    both = {"large": large, "small": small}
    alone = peak_memory.peak_gb({"small": small}, "small", work)
    assert peak_memory.peak_gb(both, "large", work) == pytest.approx(alone, abs=0.02)  # it was loaded then, too
    assert peak_memory.peak_gb(both, "small", work) == pytest.approx(alone - 0.064, abs=0.02)
    assert peak_memory.peak_gb(both, "small", lambda _: None) == pytest.approx(alone - 0.184, abs=0.03)
