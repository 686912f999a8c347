"""Every train.method and chain: train, continue by a child, evaluate, merge; and again, to the same bytes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.gate import basis
from pipeline.model.adapter import saved_adapter
from pipeline.model.base import pinned
from pipeline.model.weights import quantized, weights
from pipeline.stages import evaluate, gate, merge, train
from tests.stages.conftest import release, set_params, write_records

SLOW = {"train__learning_rate": 1e-3}
METHODS: dict[str, dict[str, Any]] = {
    "dora": {"train__method": "dora"},
    "rslora-lora-plus": {"train__rslora": True, "train__lora_plus": 4.0},
    "pissa": {"train__init": "pissa", "train__dropout": 0.1},
    "pissa-niter": {"train__init": "pissa_niter_4", "train__layers": [0]},
    "olora": {"train__init": "olora"},
    "bottom-left-out": {"train__layers": {"top": 1}},
    "nf4": {"train__method": "qlora"},
    "int8": {"train__method": "qlora", "train__quantize": "int8"},
    "full": {"train__method": "full"} | SLOW,
    "freeze": {"train__method": "freeze", "train__layers": {"top": 1}, "train__modules": "lm_head"} | SLOW,
    "expand": {"train__method": "expand", "train__layers": {"top": 2}} | SLOW,
    "nf4-expand": {"train__method": "qexpand"} | SLOW,
    "int8-expand": {"train__method": "qexpand", "train__quantize": "int8"} | SLOW,
    "osf": {"train__method": "osf"} | SLOW,
}
SOAKED = (
    "rslora-lora-plus",
    "orthogonal",
    "pissa-niter",
    "int8-expand",
)  # by `make soak`; their like is in `make test`
IDS = torch.tensor([[5, 80, 81, 90, 7, 33]])


def work(source: Path, folder: Path, patch: pytest.MonkeyPatch, asked: dict[str, Any]) -> Path:
    shutil.copytree(source, folder)
    patch.chdir(folder)
    set_params(folder, train__epochs=1, **asked)
    return folder


def spring(blank: Path, parent: Path, folder: Path, patch: pytest.MonkeyPatch, asked: dict[str, Any]) -> Path:
    work(blank, folder, patch, asked)
    release(parent, folder)
    write_records(folder / "data/assembled/train.arrow", range(60, 76), "spring")
    return folder


def told_before(finished: Path) -> None:
    """Predictions that need no evaluation here; evaluate takes a parent's as they are."""
    for path in (evaluate.PREDICTIONS, basis.RULES):
        shutil.copy2(finished / path, path)


def stages() -> None:
    for stage in (train, evaluate, gate, merge):
        stage.main()


def adapter_bytes(folder: Path) -> bytes:
    return (folder / train.ADAPTER / saved_adapter.WEIGHTS).read_bytes() + (
        folder / train.ADAPTER / saved_adapter.CONFIG
    ).read_bytes()


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(input_ids=IDS).logits
    return found


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.slow if name in SOAKED else ()) for name in METHODS]
)
def chain(request: pytest.FixtureRequest, blank: Path, finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A candidate by each method, and a child that continues it through all stages."""
    asked, folder = METHODS[request.param], tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        parent = work(blank, folder / "parent", patch, asked)
        train.main()
        told_before(finished)
        child = spring(blank, parent, folder / "child", patch, asked)
        stages()
    return request.param, parent, child


def test_child_continues_and_every_tensor_that_is_trained_moves(chain):
    _, parent, child = chain
    before, after = (load_file(folder / train.ADAPTER / saved_adapter.WEIGHTS) for folder in (parent, child))
    assert before.keys() == after.keys()
    assert {tensor.dtype for tensor in after.values()} == {torch.float32}
    assert any(not torch.equal(before[name], after[name]) for name in before)
    facts = files.read_json(child / train.TRAINING)
    assert facts["continued_from"] == files.sha256(parent / train.ADAPTER / saved_adapter.WEIGHTS)
    assert facts["state_bytes"] == (child / train.ADAPTER / saved_adapter.WEIGHTS).stat().st_size
    assert facts["trainable_parameters"] > 0


def test_merged_model_loads_plainly_and_equals_base_and_adapter(chain, monkeypatch):
    name, _, child = chain
    monkeypatch.chdir(child)
    merged = AutoModelForCausalLM.from_pretrained(merge.MERGED)
    told = saved_adapter.read(train.ADAPTER)
    if told.method in saved_adapter.CHANGED:  # in place of the base's, or between
        state = dict(merged.named_parameters())
        assert all(
            torch.equal(state[key], tensor) for key, tensor in load_file(train.ADAPTER / saved_adapter.WEIGHTS).items()
        )
    else:
        body = quantized.dequantized(Path("examples/base"), told.quantize) if told.quantize else None
        body = body or AutoModelForCausalLM.from_pretrained("examples/base")
        assert float((logits(PeftModel.from_pretrained(body, train.ADAPTER)) - logits(merged)).abs().max()) < 1e-4
    again = weights.load_merged(pinned.load(), train.ADAPTER, "float32")
    assert float((logits(again) - logits(merged)).abs().max()) < 1e-4
    assert merged.config.num_hidden_layers == ({"expand": 4, "nf4-expand": 3, "int8-expand": 3}.get(name, 2))
    assert not hasattr(merged.config, "quantization_config")
    for file in ("tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (merge.MERGED / file).read_bytes() == (Path("examples/base") / file).read_bytes()


def test_trained_again_it_has_the_same_bytes(chain, blank, tmp_path, monkeypatch):
    name, parent, child = chain
    again = spring(blank, parent, tmp_path / "again", monkeypatch, METHODS[name])
    train.main()
    assert adapter_bytes(again) == adapter_bytes(child)


@pytest.fixture
def stacked(finished: Path, blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    asked = {"train__chain": "stack", "train__rank": 3, "train__alpha": 4, "train__rslora": True}
    folder = spring(blank, finished, tmp_path / "stacked", monkeypatch, asked)
    train.main()
    told_before(finished)
    return folder


def test_stacked_adapter_is_parent_and_new_one_exactly_against_the_original_base(stacked, finished):
    config = files.read_json(train.ADAPTER / saved_adapter.CONFIG)
    assert (config["r"], config["use_rslora"]) == (5, False)
    tensors, before = (
        load_file(train.ADAPTER / saved_adapter.WEIGHTS),
        load_file(finished / train.ADAPTER / saved_adapter.WEIGHTS),
    )
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    assert torch.equal(tensors[name][:2], before[name])  # frozen
    update = _update(tensors, name, config)
    old = _update(before, name, files.read_json(finished / train.ADAPTER / saved_adapter.CONFIG))
    up = name.replace("lora_A", "lora_B")
    new = 4 / 3**0.5 * tensors[up][:, 2:] @ tensors[name][2:]
    assert torch.allclose(update, old + new, atol=1e-6)
    assert float(new.abs().max()) > 0
    assert files.read_json(train.TRAINING)["stack_error"] is None


def _update(tensors: dict[str, torch.Tensor], name: str, config: dict[str, Any]) -> torch.Tensor:
    return config["lora_alpha"] / config["r"] * tensors[name.replace("lora_A", "lora_B")] @ tensors[name]


def test_stacked_parent_is_stacked_upon_or_continued_with_the_settings_that_stacked_it(
    stacked, blank, tmp_path, monkeypatch
):
    asked = {"train__rank": 3, "train__alpha": 4, "train__rslora": True}
    spring(blank, stacked, tmp_path / "upon", monkeypatch, asked | {"train__chain": "stack"})
    train.main()
    assert files.read_json(train.ADAPTER / saved_adapter.CONFIG)["r"] == 8
    continued = spring(blank, stacked, tmp_path / "continued", monkeypatch, asked)
    train.main()
    told_before(stacked)
    assert files.read_json(train.ADAPTER / saved_adapter.CONFIG)["r"] == 5
    assert saved_adapter.read(train.ADAPTER).asked == saved_adapter.read(stacked / train.ADAPTER).asked
    spring(blank, continued, tmp_path / "other", monkeypatch, asked | {"train__rank": 2})
    with pytest.raises(GraftError, match=r"train\.rank: 2 asked for, the parent's adapter has 3"):
        train.main()


def test_stack_above_its_cap_is_compressed_and_the_loss_stated(finished, blank, tmp_path, monkeypatch, capsys):
    spring(blank, finished, tmp_path / "capped", monkeypatch, {"train__chain": "stack", "train__stack_rank": 3})
    train.main()
    error = files.read_json(train.TRAINING)["stack_error"]
    assert 0 < error < 1
    assert f"compressed to rank 3: {error:.3%} of the update is lost" in capsys.readouterr().out
    assert files.read_json(train.ADAPTER / saved_adapter.CONFIG)["r"] == 3


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param({"method": "full", "rslora": True}, r"train\.rslora: nothing that method full", id="full-rslora"),
        pytest.param({"method": "full", "layers": [0]}, r"train\.layers: nothing that method full", id="full-layers"),
        pytest.param({"modules": "head"}, r"train\.modules: nothing that method lora", id="lora-modules"),
        pytest.param({"method": "freeze"}, "freeze needs to know", id="freeze-nothing"),
        pytest.param({"method": "freeze", "modules": "haed"}, r"train\.modules: no tensor's name", id="misspelt"),
        pytest.param({"layers": [0, 7]}, r"2 layers, counted from 0[\s\S]*layer 7", id="no-such-layer"),
        pytest.param({"init": "eva"}, r"train\.init: eva cannot be handed on", id="init-needs-data"),
        pytest.param({"init": "orthogonal", "rank": 3}, r"train\.init: .*even", id="odd-rank"),
        pytest.param({"method": "qlora", "init": "pissa"}, r"train\.init: pissa takes a part off", id="qlora-pissa"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(candidate, run, asked, said):
    with pytest.raises(GraftError, match=said):
        _train_with(asked, candidate, run)
    assert not train.ADAPTER.exists()


def _train_with(asked, folder, run):
    """Some of these are refused by the stage `settings` already."""
    set_params(folder, **{f"train__{name}": value for name, value in asked.items()})
    run(train)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param({"method": "dora"}, r"train\.method: dora asked for, the parent's adapter has lora", id="dora"),
        pytest.param({"method": "full"}, r"train\.method: full asked for, the parent's adapter has lora", id="full"),
        pytest.param({"method": "qlora"}, r"train\.method: qlora asked for", id="qlora"),
        pytest.param({"rslora": True}, r"train\.rslora: True asked for, the parent's adapter has False", id="rslora"),
        pytest.param({"init": "pissa"}, r"train\.init: pissa asked for, the parent's adapter has default", id="init"),
        pytest.param({"layers": {"top": 1}}, r"train\.layers: .*\(7 modules\) asked for", id="layers"),
        pytest.param({"chain": "stack", "method": "dora"}, r"only LoRA adds up", id="stack-dora"),
        pytest.param({"chain": "stack", "init": "pissa"}, r"train\.init: pissa: a part of the base", id="stack-pissa"),
    ],
)
def test_settings_that_a_lora_parent_cannot_take_on_are_named(child, run, asked, said):
    set_params(child, **{f"train__{name}": value for name, value in asked.items()})
    with pytest.raises(GraftError, match=said):
        run(train)
    assert not train.ADAPTER.exists()


def test_lora_plus_is_the_optimisers_and_may_change_in_a_chain(child, run):
    set_params(child, train__lora_plus=8.0, train__epochs=1)
    run(train)
    assert train.ADAPTER.exists()


def test_full_continues_a_frozen_parent_and_keeps_what_it_changed(blank, finished, tmp_path, monkeypatch):
    frozen = work(blank, tmp_path / "a", monkeypatch, METHODS["freeze"])
    train.main()
    told_before(finished)
    spring(blank, frozen, tmp_path / "b", monkeypatch, METHODS["full"])
    train.main()
    full = load_file(train.ADAPTER / saved_adapter.WEIGHTS)
    freeze = load_file(frozen / train.ADAPTER / saved_adapter.WEIGHTS)
    assert full.keys() > freeze.keys()
    spring(blank, frozen, tmp_path / "c", monkeypatch, METHODS["expand"])
    with pytest.raises(GraftError, match="the parent's state was made by freeze"):
        train.main()


@pytest.mark.parametrize("numbers", [range(60, 76), ()], ids=["new-records", "nothing-new"])
def test_new_layers_at_other_places_are_refused(numbers, blank, finished, tmp_path, monkeypatch):
    parent = work(blank, tmp_path / "a", monkeypatch, METHODS["expand"])
    train.main()
    told_before(finished)
    child = spring(blank, parent, tmp_path / "b", monkeypatch, METHODS["expand"] | {"train__layers": {"top": 1}})
    write_records(child / train.RECORDS, numbers, "spring")
    with pytest.raises(GraftError, match=r"copies after layers \[1\] asked for, the parent's state .* \[0, 1\]"):
        train.main()


def test_qlora_without_bitsandbytes_says_how_to_get_it(candidate, run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes", None)
    with pytest.raises(GraftError, match="qlora needs bitsandbytes"):
        quantized.load(pinned.load().folder, "nf4", torch.device("cpu"))
