"""Parameter counts from config.json alone are those of transformers' own models."""

import pytest

from pipeline.common.errors import GraftError
from pipeline.model.sizing import shapes

COMMON = {
    "vocab_size": 200, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip
CONFIGS = [
    pytest.param({"model_type": "llama", **COMMON}, id="llama"),
    pytest.param({"model_type": "llama", **COMMON, "attention_bias": True, "mlp_bias": True}, id="llama-biased"),
    pytest.param({"model_type": "llama", **COMMON, "tie_word_embeddings": True, "head_dim": 16}, id="llama-tied"),
    pytest.param({"model_type": "mistral", **COMMON}, id="mistral"),
    pytest.param({"model_type": "qwen2", **COMMON}, id="qwen2"),
    pytest.param({"model_type": "qwen2", **COMMON, "tie_word_embeddings": True}, id="qwen2-tied"),
    pytest.param({"model_type": "qwen3", **COMMON, "head_dim": 32}, id="qwen3"),
    pytest.param({"model_type": "gemma", **COMMON}, id="gemma"),
    pytest.param({"model_type": "gemma2", **COMMON}, id="gemma2"),
    pytest.param({"model_type": "gemma3_text", **COMMON}, id="gemma3"),
    pytest.param({"model_type": "phi", **COMMON}, id="phi"),
    pytest.param({"model_type": "phi3", **COMMON, "pad_token_id": 0}, id="phi3"),
    pytest.param({"model_type": "gpt2", "vocab_size": 200, "n_embd": 48, "n_layer": 3, "n_head": 4}, id="gpt2"),
    pytest.param({"model_type": "bloom", "vocab_size": 200, "hidden_size": 48, "n_layer": 3, "n_head": 4}, id="bloom"),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_counts_equal_those_of_the_model_itself(config: dict[str, object]) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    matrices = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.ndim == 2 and any(part in name for part in (".layers.", ".h."))
    )
    found = shapes.read(config)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.matrices == matrices


def test_first_qwen_has_as_many_as_its_makers_say() -> None:
    config = {
        "model_type": "qwen", "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
        "num_attention_heads": 32, "vocab_size": 151936, "tie_word_embeddings": False,
    }  # fmt: skip
    assert shapes.read(config).parameters == 7_721_324_544


def test_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(GraftError, match="model_type mamba") as raised:
        shapes.read({"model_type": "mamba"})
    assert "llama" in str(raised.value.help)


def test_every_missing_number_is_named() -> None:
    with pytest.raises(GraftError) as raised:
        shapes.read({"model_type": "llama", "hidden_size": 0, "vocab_size": 10, "num_attention_heads": 2})
    assert [problem.partition(":")[0] for problem in raised.value.problems] == [
        "hidden_size", "intermediate_size", "num_hidden_layers",
    ]  # fmt: skip
