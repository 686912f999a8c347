"""Estimated memory beside published figures, within 10%; and what must follow from one setting or another."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.model.sizing import footprint, shapes
from pipeline.model.sizing.footprint import TrainingSetup

# Shapes as their makers publish them in config.json.
QWEN_7B: dict[str, Any] = {
    "model_type": "qwen", "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
    "num_attention_heads": 32, "vocab_size": 151936, "tie_word_embeddings": False,
}  # fmt: skip
QWEN_14B = {
    **QWEN_7B, "hidden_size": 5120, "intermediate_size": 27392, "num_hidden_layers": 40, "num_attention_heads": 40,
    "vocab_size": 152064,
}  # fmt: skip
LLAMA2_7B: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32000, "tie_word_embeddings": False,
}  # fmt: skip
LLAMA2_13B = {
    **LLAMA2_7B, "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40,
    "num_key_value_heads": 40,
}  # fmt: skip
LLAMA31_8B = {**LLAMA2_7B, "intermediate_size": 14336, "num_key_value_heads": 8, "vocab_size": 128256}

# Qwen's README, "Profiling of Memory and Speed": one A100-80GB, batch 1, Flash Attention 2; and its finetune.py:
# rank 64 on every matrix of the layers, gradient checkpointing, the chat model (embedding and head do not learn).
# Q-LoRA there is int4 (GPTQ) under DeepSpeed's fp16, whose loss is half precision.
QWEN = TrainingSetup(rank=64, gradient_checkpointing=True)
QWEN_INT4 = replace(QWEN, method="qlora", precision="float16", half_loss=True)
PEAKS = [
    *[pytest.param(QWEN_7B, replace(QWEN, length=n), gb, id=f"Qwen-7B-LoRA-{n}") for n, gb in {
        256: 20.1, 512: 20.4, 1024: 21.5, 2048: 23.8, 4096: 29.7, 8192: 36.6,
    }.items()],
    *[pytest.param(QWEN_7B, replace(QWEN_INT4, length=n), gb, id=f"Qwen-7B-QLoRA-{n}") for n, gb in {
        256: 11.5, 512: 11.5, 1024: 12.3, 2048: 13.9, 4096: 16.9, 8192: 23.5,
    }.items()],
    *[pytest.param(QWEN_14B, replace(QWEN, length=n), gb, id=f"Qwen-14B-LoRA-{n}") for n, gb in {
        256: 34.6, 512: 35.1, 1024: 35.3, 2048: 37.4, 4096: 42.5, 8192: 55.2,
    }.items()],
]  # fmt: skip

# litgpt's tutorials/resource-tables.md: one A100-40GB, bf16, rank 8 on queries and values, 1304 tokens (the longest of
# Alpaca), nothing recomputed. Its figure is the most that torch reserved: the context is not in it.
LITGPT = TrainingSetup(rank=8, targets=["q_proj", "v_proj"], length=1304)
# torchtune's README: Llama 3.1 8B, batch 2, 2048 tokens, recomputed, the loss in 8 parts; 16.2 GiB that torch
# allocated.
TORCHTUNE = TrainingSetup(
    rank=8, targets=["q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], micro_batch=2, length=2048,
    learned=2048 // 8, gradient_checkpointing=True,
)  # fmt: skip
RESERVED = [
    pytest.param(LLAMA2_7B, LITGPT, 21.30, id="Llama-2-7B-LoRA"),
    pytest.param(LLAMA2_7B, replace(LITGPT, micro_batch=2), 29.07, id="Llama-2-7B-LoRA-2"),
    pytest.param(LLAMA2_7B, replace(LITGPT, method="qlora"), 14.14, id="Llama-2-7B-QLoRA"),
    pytest.param(LLAMA2_13B, LITGPT, 38.12, id="Llama-2-13B-LoRA"),
    pytest.param(LLAMA2_13B, replace(LITGPT, method="qlora"), 23.14, id="Llama-2-13B-QLoRA"),
]


@pytest.mark.parametrize(("config", "run", "published"), PEAKS)
def test_peak_is_within_a_tenth_of_the_published_one(
    config: dict[str, Any], run: TrainingSetup, published: float
) -> None:
    assert footprint.estimate(shapes.read(config), run).peak == pytest.approx(published, rel=0.1)


@pytest.mark.parametrize(("config", "run", "published"), RESERVED)
def test_reserved_is_within_a_tenth_of_the_published_one(
    config: dict[str, Any], run: TrainingSetup, published: float
) -> None:
    assert footprint.estimate(shapes.read(config), run).reserved == pytest.approx(published, rel=0.1)


def test_llama_31_8b_is_within_a_tenth_of_what_torchtune_allocates() -> None:
    found = footprint.estimate(shapes.read(LLAMA31_8B), TORCHTUNE)
    assert found.tensors == pytest.approx(16.2 * 2**30 / 1e9, rel=0.1)


def test_full_training_of_qwen_7b_on_two_cards_is_within_a_tenth_of_the_published_one() -> None:
    run = TrainingSetup(method="full", gradient_checkpointing=True, devices=2)  # 139.2 GB of both, README as above
    assert 2 * footprint.estimate(shapes.read(QWEN_7B), run).peak == pytest.approx(139.2, rel=0.1)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({**LLAMA2_7B, "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2}, id="llama"),
        pytest.param({"model_type": "gpt2", "vocab_size": 200, "n_embd": 48, "n_layer": 32, "n_head": 4}, id="gpt2"),
    ],
)
@pytest.mark.parametrize("method", ["lora", "dora"])
@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "down_proj", "c_proj"]])
def test_adapter_has_as_many_parameters_as_peft_makes(config: dict[str, Any], method: str, targets: Any) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    asked = LoraConfig(r=4, target_modules=targets, use_dora=method == "dora", task_type="CAUSAL_LM")
    with torch.device("meta"):
        model = get_peft_model(AutoModelForCausalLM.from_config(AutoConfig.for_model(**config)), asked)
    made = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert (
        footprint.trained_parameters(shapes.read(config), TrainingSetup(method=method, rank=4, targets=targets)) == made
    )


@pytest.mark.parametrize(
    ("less", "more"),
    [
        pytest.param({"method": "qlora"}, {"method": "lora"}, id="quantised"),
        pytest.param({"method": "lora"}, {"method": "full"}, id="adapter"),
        pytest.param({"gradient_checkpointing": True}, {}, id="recomputed"),
        pytest.param({"offload": True}, {}, id="offloaded"),
        pytest.param({"micro_batch": 1}, {"micro_batch": 2}, id="smaller-batch"),
        pytest.param({"length": 512}, {"length": 1024}, id="shorter"),
        pytest.param({"learned": 16}, {}, id="answers-alone"),
        pytest.param({"loss_chunk": 128}, {}, id="few-logits-at-a-time"),
        pytest.param({"layers": {"top": 4}}, {}, id="top-layers"),
        pytest.param({"method": "freeze", "layers": {"top": 4}}, {"method": "full"}, id="frozen"),
        pytest.param({"devices": 2}, {}, id="shared"),
        pytest.param({"precision": "bfloat16"}, {"precision": "float32"}, id="half-precision"),
        pytest.param({"rank": 8}, {"rank": 64}, id="rank"),
    ],
)
def test_what_saves_memory_is_seen_to_save_it(less: dict[str, Any], more: dict[str, Any]) -> None:
    shape, run = shapes.read(LLAMA31_8B), TrainingSetup(length=1024)
    assert footprint.estimate(shape, replace(run, **less)).peak < footprint.estimate(shape, replace(run, **more)).peak
