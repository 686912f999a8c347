"""Model families with tiny random weights: train, save, continue, merge; the results load by documented calls."""

import contextlib
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import PeftModel
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from transformers import AutoModelForCausalLM

from pipeline.common.errors import GraftError
from pipeline.model.adapter import saved_adapter
from pipeline.model.base import pinned
from pipeline.model.merged import shards
from pipeline.model.weights import weights
from pipeline.training.methods import methods, peft_methods
from pipeline.training.parent.parent_adapter import open_parent
from pipeline.training.settings import TrainSettings
from tests.conftest import ROOT
from tests.training import peft_smoke

COMMON = {"vocab_size": 96, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LLAMA = COMMON | {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", LLAMA),
    "llama-tied": ("LlamaConfig", LLAMA | {"tie_word_embeddings": True}),
    "qwen2": ("Qwen2Config", LLAMA),
    "qwen3-tied": ("Qwen3Config", LLAMA | {"head_dim": 8, "tie_word_embeddings": True}),
    "mistral": ("MistralConfig", LLAMA | {"sliding_window": 8}),
    "gemma2": ("Gemma2Config", LLAMA | {"head_dim": 8, "sliding_window": 8}),
    "gemma3": ("Gemma3TextConfig", LLAMA | {"head_dim": 8, "sliding_window": 8}),
    "phi3": ("Phi3Config", LLAMA),
    "bloom": ("BloomConfig", COMMON | {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "gpt2": ("GPT2Config", COMMON | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}),
}
METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "dora": {"method": "dora"},
    "pissa": {"init": "pissa"},
    "full": {"method": "full"},
    "freeze": {"method": "freeze", "layers": {"top": 1}, "modules": r"lm_head|embed_tokens|word_embeddings\.|wte"},
    "expand": {"method": "expand", "layers": {"top": 2}},
}
OTHERS = ("deft", "gralora", "hira")  # of PEFT's further kinds, some that take GPT-2's transposed layers
IDS = torch.tensor([[5, 80, 81, 90, 7, 33, 12, 60, 61, 62, 5, 80]])


def quick(family: str, method: str) -> bool:
    """Is it one of those that `make test` runs? `make soak` runs them all."""
    return method in ("lora", "expand") or (family, method) in {
        ("llama-tied", "freeze"), ("llama-tied", "full"), ("gpt2", "pissa"), ("gpt2", "dora"), ("bloom", "full"),
    }  # fmt: skip


PAIRS = [
    pytest.param(family, method, id=f"{family}-{method}", marks=() if quick(family, method) else pytest.mark.slow)
    for family in FAMILIES
    for method in METHODS
] + [pytest.param("gpt2", method, id=f"gpt2-{method}") for method in OTHERS]


def tiny(family: str, folder: Path) -> pinned.Base:
    """A tiny random model of a family."""
    kind, values = FAMILIES[family]
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(getattr(transformers, kind)(**values)).save_pretrained(folder)
    return pinned.Base(folder=folder, name="examples/base", revision=None, sha256={}, fingerprint="f" * 64)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> TrainSettings:
    monkeypatch.chdir(ROOT)
    return TrainSettings(rank=2, alpha=4)


def learn(base: pinned.Base, parent: Path | None, asked: TrainSettings, folder: Path) -> list[float]:
    """Three steps and a saved adapter; their losses."""
    opened = open_parent(parent, base) if parent else None
    made = methods.trainable(base, opened, asked, torch.device("cpu"))
    optimizer = torch.optim.AdamW(
        made.groups, lr=1e-3 if asked.method in saved_adapter.CHANGED else 1e-2, weight_decay=0.0
    )
    losses = []
    for _ in range(3):
        value = made.model(input_ids=IDS, labels=IDS).loss
        torch.autograd.backward(value)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(value.detach()))
    folder.mkdir()
    made.save(folder)
    return losses


def loss(model: Any) -> float:
    with torch.inference_mode():
        return float(model.eval()(input_ids=IDS, labels=IDS).loss)


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(input_ids=IDS).logits
    return found


@pytest.mark.parametrize(("family", "method"), PAIRS)
def test_family_trains_continues_merges_and_loads_by_documented_calls(family, method, asked, tmp_path):
    base = tiny(family, tmp_path / "base")
    wanted = dataclasses.replace(asked, **METHODS.get(method, {"method": method}))
    first = learn(base, None, wanted, tmp_path / "first")
    second = learn(base, tmp_path / "first", wanted, tmp_path / "second")
    untouched = AutoModelForCausalLM.from_pretrained(base.folder)
    assert first[0] == pytest.approx(loss(untouched), abs=1e-4)  # begins where the base is
    ended = weights.load_merged(base, tmp_path / "first", "float32")
    assert second[0] == pytest.approx(loss(ended), abs=1e-4)  # and the child where its parent ended
    assert second[-1] < second[0] < first[0]
    adapter = tmp_path / "second"
    adapted = weights.add_adapter(weights.load_trained_on(base, adapter), adapter, base)
    before = logits(adapted)
    merged = weights.merge(adapted)
    (tmp_path / "merged").mkdir()
    shards.save(merged, adapter, tmp_path / "merged")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert float((logits(loaded) - before).abs().max()) < 1e-4
    assert loaded.config.num_hidden_layers == (4 if method == "expand" else 2)
    if saved_adapter.read(adapter).method not in saved_adapter.CHANGED:
        with_peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.folder), adapter)
        assert float((logits(with_peft) - before).abs().max()) < 1e-4
    tied = loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight
    assert tied == bool(untouched.config.tie_word_embeddings)
    prompt = IDS[:, :4]
    said = [
        m.generate(prompt, max_new_tokens=6, do_sample=False)
        for m in (loaded, weights.load_merged(base, adapter, "float32"))
    ]
    assert torch.equal(*said)


@pytest.mark.parametrize("method", ["qlora", "qexpand"])
@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_a_base_of_transposed_layers_is_not_quantised(method, kind, asked, tmp_path):
    wanted = dataclasses.replace(asked, method=method, quantize=kind)
    with pytest.raises(GraftError, match=r"train\.method: .*GPT2LMHeadModel: its layers are transposed"):
        methods.trainable(tiny("gpt2", tmp_path), None, wanted, torch.device("cpu"))


@pytest.mark.parametrize(
    ("method", "targets", "name"),
    [
        pytest.param("lora", ["q_proj", "lm_head"], "lm_head", id="lora-output"),
        pytest.param("dora", r".*\.(v_proj|embed_tokens)", "model.embed_tokens", id="dora-input"),
        pytest.param("loha", ["q_proj", "lm_head"], "lm_head", id="loha-output"),
    ],
)
def test_a_tied_embedding_is_no_target(method, targets, name, asked, tmp_path):
    wanted = dataclasses.replace(asked, method=method, targets=targets)
    with pytest.raises(GraftError, match=rf"train\.targets: {name}: input and output embeddings are one tensor"):
        methods.trainable(tiny("llama-tied", tmp_path), None, wanted, torch.device("cpu"))


def test_an_embedding_of_its_own_is_a_target(asked, tmp_path):
    wanted = dataclasses.replace(asked, targets=["q_proj", "lm_head", "embed_tokens"])
    base = tiny("llama", tmp_path / "base")
    learn(base, None, wanted, tmp_path / "first")
    assert torch.isfinite(logits(weights.load_merged(base, tmp_path / "first", "float32"))).all()


@pytest.mark.parametrize("method", ["lora", "loha"])
def test_every_target_that_matches_no_module_is_named(method, asked, tmp_path):
    wanted = dataclasses.replace(asked, method=method, targets=["q_proj", "v_porj", "o_porj"])
    with pytest.raises(GraftError) as error:
        methods.trainable(tiny("llama", tmp_path), None, wanted, torch.device("cpu"))
    said = [error.value.message, *error.value.problems]
    assert said == [f"train.targets: {name}: no module of that name is trained" for name in ("v_porj", "o_porj")]


@pytest.mark.parametrize("init", ["pissa", "pissa_niter_2", "olora"])
def test_a_part_of_the_base_has_no_more_ranks_than_a_modules_smaller_side(init, asked, tmp_path):
    wanted = dataclasses.replace(asked, init=init, rank=17)
    with pytest.raises(GraftError, match=r"train\.rank: 17: model\.layers\.0\.self_attn\.k_proj has 16"):
        methods.trainable(tiny("llama", tmp_path), None, wanted, torch.device("cpu"))


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("lokr", "Target module of type .*Conv1D"),
        ("peanut", "PEANuT does not support target modules of type .*Conv1D"),
        ("osf", "it finds nothing here that it could train"),
    ],
)
def test_a_kind_that_peft_cannot_put_on_transposed_layers_is_one_message(method, said, asked, tmp_path):
    wanted = dataclasses.replace(asked, method=method, rank=8)
    with pytest.raises(GraftError, match=rf"train\.method: {method}: {said}"):
        methods.trainable(tiny("gpt2", tmp_path), None, wanted, torch.device("cpu"))


def test_a_pattern_that_peft_cannot_take_is_one_short_line(asked, tmp_path):
    with pytest.raises(GraftError) as error:
        methods.trainable(tiny("llama", tmp_path), None, dataclasses.replace(asked, targets=".*"), torch.device("cpu"))
    assert "is not supported" in error.value.message
    assert len(error.value.message) < 250
    assert "\n" not in error.value.message


@pytest.mark.parametrize("method", ["adaption_prompt", "randlora", "dorra"])
def test_a_method_that_graft_has_not_tried_is_refused(method, asked, tmp_path):
    with pytest.raises(GraftError, match=rf"train\.method: {method}: not a method that Graft has tried") as error:
        methods.trainable(tiny("llama", tmp_path), None, dataclasses.replace(asked, method=method), torch.device("cpu"))
    assert "vblora" in str(error.value.help)


def test_schema_names_the_methods_that_there_are():
    allowed = json.loads((ROOT / "schemas/params.schema.json").read_text())["properties"]["train"]["properties"]
    assert set(allowed["method"]["enum"]) == {*peft_methods.OURS, *peft_methods.TESTED}


@pytest.mark.slow  # every kind that PEFT has
def test_the_page_of_methods_lists_what_is_taken(asked, tmp_path, monkeypatch):
    page = (ROOT / "docs/how-to/methods.md").read_text()
    everywhere, elsewhere = (
        set(re.findall(r"`(\w+)`", page.partition(f"\n| {row}")[2].partition("\n")[0].partition(" | ")[2]))
        for row in ("taken, also on transposed", "taken, on other")
    )
    wide = FAMILIES["gpt2"][1] | {"n_embd": 256}
    monkeypatch.setitem(FAMILIES, "gpt2", ("GPT2Config", wide))
    every = tuple(kind.value.lower() for kind in PEFT_TYPE_TO_CONFIG_MAPPING if kind.value != "LORA")
    tested = set(peft_methods.TESTED)
    monkeypatch.setattr(peft_methods, "TESTED", every)
    base, taken, on_transposed = tiny("gpt2", tmp_path), set(), set()
    for kind in every:
        wanted = dataclasses.replace(asked, method=kind).lora
        with contextlib.suppress(GraftError):
            peft_smoke.refuse_unless_it_works(wanted)
            taken.add(kind)
            peft_methods.new(AutoModelForCausalLM.from_pretrained(base.folder), wanted, 0)
            on_transposed.add(kind)
    assert (on_transposed, taken - on_transposed) == (everywhere, elsewhere)
    assert taken == tested
