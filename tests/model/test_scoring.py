import functools

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

from pipeline.model.scoring import scoring

SIZES = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip
CONFIGS = {
    "qwen2": Qwen2Config(**SIZES, tie_word_embeddings=True),
    "llama": LlamaConfig(**SIZES, tie_word_embeddings=False),
    "sliding-window": MistralConfig(**SIZES, sliding_window=8),
    "some-sliding-windows": Gemma3TextConfig(**SIZES, head_dim=8, sliding_window=4),
    "no-positions": BloomConfig(vocab_size=50, hidden_size=32, n_layer=2, n_head=4),
    "absolute-positions": GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4, n_positions=64),
}
PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13, 14, 15], [5, 6, 7, 8], [20] * 12]
END = 2
LABELS = {
    "any-length": [[3, END], [4, 5, 6, 7, 8, END], [9, 3, END]],
    "prefixes-of-one-another": [[3, END], [3, 4, END], [3, 4, 5, END], [4, END]],
    "one-token-each": [[3], [4], [5]],
    "a-single-label": [[3, 4, END]],
}


@pytest.fixture(scope="module", params=CONFIGS)
def language_model(request):
    torch.manual_seed(1)
    return AutoModelForCausalLM.from_config(CONFIGS[request.param]).eval()


def naive(language_model, prompt, label):
    """One forward per prompt and label, without padding, cache or batch."""
    with torch.inference_mode():
        logs = language_model(torch.tensor([prompt + label])).logits[0].float().log_softmax(-1)
    return sum(float(logs[len(prompt) - 1 + place, token]) for place, token in enumerate(label))


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_scores_equal_one_forward_per_prompt_and_label(language_model, labels):
    found = scoring.label_scores(language_model, PROMPTS, labels, batch_size=3).tolist()
    for prompt, scores in zip(PROMPTS, found, strict=True):
        assert scores == pytest.approx([naive(language_model, prompt, label) for label in labels], abs=1e-4)


def test_labels_beyond_the_memory_bound_are_scored_in_parts(language_model, monkeypatch):
    labels = [[token, token + 1, END] for token in range(3, 20)]
    whole = scoring.label_scores(language_model, PROMPTS, labels, batch_size=2).tolist()
    monkeypatch.setattr(scoring, "ROWS", 8)  # of pairs, or of prompts times the nodes of a part
    parts = scoring.label_scores(language_model, PROMPTS, labels, batch_size=2).tolist()
    for one, other in zip(whole, parts, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_one_long_label_neither_breaks_the_memory_bound_nor_pads_the_short_ones(language_model, monkeypatch):
    long, short = [*range(3, 33), END], [[token, token + 1, END] for token in range(3, 20)]
    sizes, forward = [], language_model.forward

    def counted(*args, **named):
        sizes.append(tuple(named["input_ids"].shape) if named.get("past_key_values") else (0, 0))
        return forward(*args, **named)

    monkeypatch.setattr(scoring, "ROWS", 64)
    monkeypatch.setattr(language_model, "forward", functools.wraps(forward)(counted))
    found = scoring.label_scores(language_model, PROMPTS, [long, *short], batch_size=5).tolist()
    assert max(many * tokens for many, tokens in sizes) <= scoring.ROWS
    assert len(sizes) < len(PROMPTS) * len(short) / 4  # far from a pass for each pair
    monkeypatch.undo()
    for prompt, scores in zip(PROMPTS, found, strict=True):
        expected = [naive(language_model, prompt, label) for label in [long, *short]]
        assert scores == pytest.approx(expected, abs=1e-4)


def test_a_beginning_that_all_prompts_share_changes_nothing(language_model):
    prompts = [[*range(10, 40), *prompt] for prompt in PROMPTS]
    found = scoring.label_scores(language_model, prompts, LABELS["any-length"], batch_size=3).tolist()
    for prompt, scores in zip(prompts, found, strict=True):
        expected = [naive(language_model, prompt, label) for label in LABELS["any-length"]]
        assert scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("within", [0.0, 0.2, 1.0, 100.0])
def test_labels_within_reach_of_the_best_are_computed_and_no_other_is_within(language_model, within, per_token):
    labels = [[token, *range(3, 3 + token % 5), END] for token in range(3, 20)]
    whole = scoring.label_scores(language_model, PROMPTS, labels, batch_size=2)
    found = scoring.label_scores(language_model, PROMPTS, labels, batch_size=2, within=within, per_token=per_token)
    units = torch.tensor([len(label) if per_token else 1 for label in labels])
    reached = whole / units >= (whole / units).max(1, keepdim=True).values - within + 1e-4
    assert found[reached].tolist() == pytest.approx(whole[reached].tolist(), abs=1e-4)
    told = found.isfinite()
    assert found[told].tolist() == pytest.approx(whole[told].tolist(), abs=1e-4)


def test_no_prompts_no_scores(language_model):
    assert scoring.label_scores(language_model, [], [[3, END]], batch_size=2).tolist() == []
