"""What makes a step quick changes nothing of what it computes."""

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, BloomConfig, Gemma2Config, GPT2Config, Qwen2Config

from pipeline.model.weights import base_model
from pipeline.training.examples.example import Example
from pipeline.training.losses import forward, losses
from pipeline.training.machine import fast, precision
from tests.conftest import ROOT

SMALL = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA_LIKE = {"intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 64}
CONFIGS = {
    "qwen2": Qwen2Config(**SMALL, **LLAMA_LIKE, tie_word_embeddings=False),
    "soft-capped-and-sliding": Gemma2Config(**SMALL, **LLAMA_LIKE, head_dim=8, sliding_window=4),
    "positions-learned": GPT2Config(
        vocab_size=50, n_embd=32, n_layer=2, n_head=4, n_positions=64, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    ),
    "alibi": BloomConfig(vocab_size=50, hidden_size=32, n_layer=2, n_head=4),
}
CPU = torch.device("cpu")


def model(name: str = "qwen2", **lora: object):
    torch.manual_seed(0)
    body = AutoModelForCausalLM.from_config(CONFIGS[name])
    settings = {"r": 2, "target_modules": "all-linear", "init_lora_weights": False, "task_type": "CAUSAL_LM"}
    return get_peft_model(body, LoraConfig(**settings | lora)).train()


def turns(numbers: Sequence[int]) -> list[Example]:
    """Conversations of these lengths: two answers each, the last token among what is learned."""
    return [
        Example(
            id=str(length),
            tokens=[(7 * place + length) % 50 for place in range(length)],
            learned=[place % 7 in (3, 4) or place == length - 1 for place in range(length)],
        )
        for length in numbers
    ]


def row_by_row(adapted, examples: Sequence[Example]) -> torch.Tensor:
    """The loss without batches, padding or gathered positions."""
    total = torch.zeros(())
    for example in examples:
        tokens_T = torch.tensor(example.tokens)
        logits_TV = adapted(input_ids=tokens_T[None], use_cache=False).logits[0]
        learned_T = torch.tensor(example.learned)[1:]
        total = total + cross_entropy(logits_TV[:-1][learned_T], tokens_T[1:][learned_T], reduction="sum")
    return total


def gradients(adapted) -> dict[str, torch.Tensor]:
    return {name: parameter.grad for name, parameter in adapted.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("name", CONFIGS)
def test_loss_of_a_padded_batch_is_that_of_its_rows_one_by_one(name):
    adapted, examples = model(name), turns([9, 24, 17])
    torch.testing.assert_close(losses.answer_loss(adapted, examples), row_by_row(adapted, examples))


def test_logits_are_computed_at_learned_positions_and_nowhere_else():
    examples = turns([9, 24])
    found = forward.learned(model(), examples)
    assert found.logits_NV.shape == (losses.count(examples), 50)
    assert found.rows_N.tolist() == [0] * examples[0].targets + [1] * examples[1].targets


def test_losses_of_rows_add_up_to_the_loss():
    adapted, examples = model(), turns([9, 24, 17])
    torch.testing.assert_close(losses.row_losses(adapted, examples).sum(), losses.answer_loss(adapted, examples))


@pytest.mark.parametrize("name", CONFIGS)
def test_quick_layers_give_the_loss_and_the_gradients_of_pefts_own(name):
    plain, examples = model(name), turns([9, 24, 17])
    quick = copy.deepcopy(plain)
    changed = fast.install(quick, torch.float32)
    assert changed == sum(map(fast.plain, plain.modules()))
    assert (changed == 0) == (name == "positions-learned")  # GPT-2's layers are no linear ones
    for adapted in (plain, quick):
        losses.answer_loss(adapted, examples).backward()
    expected = gradients(plain)
    assert gradients(quick).keys() == expected.keys()
    for key, gradient in gradients(quick).items():
        torch.testing.assert_close(gradient, expected[key], msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("name", CONFIGS)
def test_rows_without_padding_give_the_loss_and_the_gradients_of_padded_ones(name):
    padded, examples = model(name), turns([9, 24, 17, 9])
    if name == "alibi":  # its positions are no input: it would take all rows for one
        assert not forward.keeps_apart(padded, examples)
        return
    joined = copy.deepcopy(padded)
    assert forward.keeps_apart(joined, examples)
    fast.install(joined, torch.float32)
    losses.answer_loss(padded, examples).backward()
    loss = losses.answer_loss(joined, examples, padding_free=True)
    loss.backward()
    torch.testing.assert_close(loss, losses.answer_loss(padded, examples))
    expected = gradients(padded)
    for key, gradient in gradients(joined).items():
        torch.testing.assert_close(gradient, expected[key], rtol=1e-3, atol=1e-4, msg=lambda text, key=key: key + text)
    apart, together = (forward.learned(padded, examples, padding_free=free) for free in (False, True))
    assert together.rows_N.tolist() == apart.rows_N.tolist()
    assert together.targets_N.tolist() == apart.targets_N.tolist()


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("name", ["qwen2", "positions-learned", "alibi"])
def test_a_loss_in_chunks_has_the_gradients_of_the_whole_and_never_so_many_logits(name, chunk):
    whole, examples = model(name), turns([9, 24, 17])
    parts, seen = copy.deepcopy(whole), []
    assert forward.ends_with_its_head(parts, examples)
    parts.get_output_embeddings().register_forward_hook(lambda _module, _inputs, logits: seen.append(logits.shape[1]))
    losses.answer_loss(whole, examples).backward()
    loss = losses.answer_loss(parts, examples, chunk=chunk)
    loss.backward()
    assert max(seen) == min(chunk, losses.count(examples))
    torch.testing.assert_close(loss, losses.answer_loss(whole, examples))
    expected = gradients(whole)
    for key, gradient in gradients(parts).items():
        torch.testing.assert_close(gradient, expected[key], rtol=1e-3, atol=1e-4, msg=lambda text, key=key: key + text)


def test_a_base_that_caps_its_logits_is_told():
    torch.manual_seed(0)
    capped = Gemma2Config(**SMALL, **LLAMA_LIKE, head_dim=8, final_logit_softcapping=0.1)
    assert not forward.ends_with_its_head(AutoModelForCausalLM.from_config(capped), turns([9, 24, 17]))


def test_a_model_that_mixes_rows_is_told():
    mixing = model()
    inner = mixing.get_base_model().model.forward
    mixing.get_base_model().model.forward = lambda *args, **named: inner(*args, **named | {"position_ids": None})
    assert not forward.keeps_apart(mixing, turns([9, 24, 17]))


@pytest.mark.parametrize("lora", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}], ids=str)
def test_layers_that_do_more_than_lora_stay_pefts_own(lora):
    assert fast.install(model(**lora), torch.float32) == 0


def test_quick_layers_keep_what_is_saved_and_can_be_switched_off():
    adapted, examples = model(), turns([9, 24])
    before = {name: tensor.clone() for name, tensor in adapted.state_dict().items()}
    with torch.no_grad(), adapted.disable_adapter():
        base = losses.answer_loss(adapted, examples)
    fast.install(adapted, torch.float32)
    after = adapted.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    with torch.no_grad(), adapted.disable_adapter():
        torch.testing.assert_close(losses.answer_loss(adapted, examples), base)


def test_bfloat16_products_leave_the_adapter_float32_and_the_loss_nearly_as_it_was():
    plain, examples = model(), turns([9, 24, 17])
    half = copy.deepcopy(plain)
    precision.use(half, torch.bfloat16, CPU)
    loss = losses.answer_loss(half, examples)
    loss.backward()
    assert {gradient.dtype for gradient in gradients(half).values()} == {torch.float32}
    torch.testing.assert_close(loss, losses.answer_loss(plain, examples), rtol=0.01, atol=0)
    products = {module.base_layer.weight.dtype for module in half.modules() if fast.plain(module)}
    assert products == {torch.bfloat16}


def test_tied_embeddings_are_not_rounded_with_the_output_layer():
    torch.manual_seed(0)
    config = Qwen2Config(**SMALL, **LLAMA_LIKE, tie_word_embeddings=True)
    adapted = get_peft_model(AutoModelForCausalLM.from_config(config), LoraConfig(target_modules=["q_proj"]))
    fast.install(adapted, torch.bfloat16)
    assert adapted.get_input_embeddings().weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("parameters", "instructions", "expected"),
    [
        pytest.param(precision.LARGE, "AVX512_BF16", torch.bfloat16, id="large-base-on-a-cpu-that-multiplies-it"),
        pytest.param(precision.LARGE - 1, "AVX512_BF16", torch.float32, id="small-base"),
        pytest.param(precision.LARGE, "", torch.float32, id="cpu-that-does-not"),
    ],
)
def test_auto_takes_bfloat16_where_it_wins(parameters, instructions, expected, monkeypatch):
    monkeypatch.setattr(precision, "parameters", lambda _base: parameters)
    monkeypatch.setattr(precision, "instructions", lambda: instructions)
    assert precision.chosen("auto", CPU, Path()) == expected


def test_the_embedded_base_stays_float32():
    base = ROOT / "examples/base"
    assert 500_000 < precision.parameters(base) < 600_000
    assert precision.chosen("auto", CPU, base) == torch.float32


@pytest.mark.parametrize("name", CONFIGS)
def test_a_base_is_loaded_as_transformers_loads_it_tied_tensors_and_buffers_included(name, tmp_path):
    AutoModelForCausalLM.from_config(CONFIGS[name]).save_pretrained(tmp_path)
    ours, theirs = base_model.load(tmp_path), AutoModelForCausalLM.from_pretrained(tmp_path)
    assert [key for key, _ in ours.named_parameters()] == [key for key, _ in theirs.named_parameters()]
    for mine, same in zip(
        [*ours.state_dict().items(), *ours.named_buffers()],
        [*theirs.state_dict().items(), *theirs.named_buffers()],
        strict=True,
    ):
        assert mine[0] == same[0]
        assert torch.equal(mine[1], same[1])


def test_tensors_that_the_files_lack_are_made_as_before(tmp_path):
    AutoModelForCausalLM.from_config(CONFIGS["qwen2"]).save_pretrained(tmp_path)
    kept = load_file(tmp_path / "model.safetensors")
    del kept["lm_head.weight"]
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    assert 0 < base_model.load(tmp_path).lm_head.weight.std() < 0.1
