import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.model.chat import chat
from pipeline.model.merged import shards
from pipeline.model.weights import base_model
from pipeline.stages import merge
from tests.conftest import ENVIRONMENT, ROOT
from tests.stages.conftest import set_params

HERE = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files.files_below(folder)}


def refuse(*reasons: str) -> None:
    files.write_json(merge.DECISION, "refused")
    files.write_json(merge.REASONS, list(reasons))


def test_merged_model_loads_plainly_and_its_logits_equal_base_and_adapter(finished):
    base = AutoModelForCausalLM.from_pretrained(finished / "examples/base")
    adapted = PeftModel.from_pretrained(base, finished / merge.ADAPTER).eval()
    merged = AutoModelForCausalLM.from_pretrained(finished / merge.MERGED).eval()
    talk = chat.load(finished / merge.MERGED)
    for prompt in talk.prompts(merge.compared(finished / merge.SLICES)):
        with torch.inference_mode():
            one, other = (network(torch.tensor([prompt])).logits for network in (adapted, merged))
        assert float((one - other).abs().max()) < 1e-5
        assert merged.generate(torch.tensor([prompt]), max_new_tokens=4, do_sample=False).shape[1] <= len(prompt) + 4


def merge_adapter(folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> dict[str, bytes]:
    """Weights that merging another training of the adapter gives, with `change` applied to each of its tensors."""
    path = folder / merge.ADAPTER / "adapter_model.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    trained = {name: change(name, tensor) for name, tensor in load_file(path).items()}
    path.unlink()
    save_file(trained, path, metadata)
    merge.main()
    return contents(merge.MERGED)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_lora_never_touches_lies_in_files_that_two_trainings_share(done, dtype):
    set_params(done, merge__dtype=dtype)
    merge.main()
    one = contents(merge.MERGED)
    other = merge_adapter(done, lambda name, tensor: tensor * 3)
    untrained = merge_adapter(done, lambda name, tensor: torch.zeros_like(tensor))  # moves no tensor to another file
    parts = sorted(name for name in one if name.endswith(".safetensors"))
    assert parts == ["model-adapted-00001-of-00001.safetensors", "model-base-00001-of-00001.safetensors"]
    assert {name for name in one if one[name] != other[name]} == {"README.md", parts[0]}
    assert one.keys() == untrained.keys()
    assert one[parts[1]] == untrained[parts[1]]
    base = load_file(done / "examples/base/model.safetensors")
    index = json.loads(one["model.safetensors.index.json"])
    published = {name: load_file(merge.MERGED / name) for name in parts}
    assert index["weight_map"] == {tensor: name for name in parts for tensor in published[name]}
    assert index["metadata"]["total_size"] == sum(t.nbytes for shard in published.values() for t in shard.values())
    rounded = {name: tensor.to(getattr(torch, dtype)) for name, tensor in base.items()}
    assert all(torch.equal(tensor, rounded[name]) for name, tensor in published[parts[1]].items())
    linear = {name for name in base if name.endswith("_proj.weight")}  # all-linear, and the tied head is none of them
    assert published[parts[0]].keys() == linear
    assert published[parts[0]].keys() | published[parts[1]].keys() == base.keys()


def test_big_models_shards_are_limited_and_load_like_one_file(done, finished):
    base = base_model.load(done / "examples/base")
    shards.save(base, done / merge.ADAPTER, done / "one", limit="20KB")
    shards.save(base, done / merge.ADAPTER, done / "other", limit="20KB")
    assert contents(done / "one") == contents(done / "other")
    names = [path.name for path in sorted((done / "one").glob("*.safetensors"))]
    assert len(names) > 4
    assert all(path.stat().st_size < 40_000 for path in (done / "one").glob("*.safetensors"))
    loaded = AutoModelForCausalLM.from_pretrained(done / "one").state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in base.state_dict().items())


@pytest.mark.parametrize(
    ("adapter", "changed"),
    [
        pytest.param(["a.q.lora_A.weight", "a.q.lora_B.weight"], {"a.q.weight"}, id="linear-weight-and-not-its-bias"),
        pytest.param(["a.q.lora_B.bias"], {"a.q.bias"}, id="bias-of-the-up-projection"),
        pytest.param(["emb.lora_embedding_A"], {"emb.weight"}, id="embedding"),
        pytest.param(["head.weight"], {"head.weight"}, id="module-trained-whole"),
        pytest.param(["moe.lora_A.weight"], {"moe.up", "moe.down"}, id="fused-experts-count-as-a-whole"),
        pytest.param([], set(), id="nothing"),
    ],
)
def test_names_of_the_adapters_tensors_say_what_it_changes(adapter, changed):
    names = ["emb.weight", "a.q.weight", "a.q.bias", "moe.up", "moe.down", "norm.weight", "head.weight"]
    assert shards.adapted(names, [f"base_model.model.{name}" for name in adapter]) == changed


def test_head_tied_to_an_adapted_embedding_is_saved_once_and_beside_it(done):
    """And the file that all releases share does not hold it."""
    save_file({"base_model.model.model.embed_tokens.lora_embedding_A": torch.zeros(1)}, "adapter_model.safetensors")
    shards.save(base_model.load(done / "examples/base"), Path(), done / "tied")
    assert list(load_file(done / "tied/model-adapted-00001-of-00001.safetensors")) == ["model.embed_tokens.weight"]
    assert "lm_head.weight" not in load_file(done / "tied/model-base-00001-of-00001.safetensors")


def test_merge_keep_changes_no_byte(done, finished):
    set_params(done, merge__keep="on-demand")
    merge.main()
    assert contents(merge.MERGED) == contents(finished / merge.MERGED)


def test_cpu_of_another_capability_merges_to_the_same_bytes_and_removes_what_was_there(done, finished):
    (merge.MERGED / "REFUSED.json").touch()
    older = {
        "PYTHONHASHSEED": "7",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run([sys.executable, "-m", "pipeline.stages.merge"], env=HERE | older, check=True)
    assert contents(merge.MERGED) == contents(finished / merge.MERGED)


def test_tokenizer_and_template_are_the_bases_byte_for_byte(finished):
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (finished / merge.MERGED / name).read_bytes() == (finished / "examples/base" / name).read_bytes()
    assert AutoTokenizer.from_pretrained(finished / merge.MERGED).chat_template


def test_nothing_published_holds_a_path_of_this_machine(finished):
    for name, content in contents(finished / merge.MERGED).items():
        assert str(finished.parent).encode() not in content, name


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_are_published_in_the_dtype_asked_for(done, finished, run, dtype):
    set_params(done, merge__dtype=dtype)
    run(merge)
    assert files.read_json(merge.MERGED / "config.json")["dtype"] == dtype
    exact = AutoModelForCausalLM.from_pretrained(finished / merge.MERGED, dtype=torch.float32).state_dict()
    rounded = AutoModelForCausalLM.from_pretrained(merge.MERGED, dtype="auto").state_dict()
    assert all(torch.equal(rounded[name], exact[name].to(getattr(torch, dtype))) for name in exact)


def test_refused_candidate_publishes_its_reasons_and_no_weights_without_loading_torch(done):
    refuse("all accuracy: 0.5000, needs at least 0.6000")
    code = "import sys; from pipeline.stages import merge; merge.main(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env=HERE, check=True)
    assert list(contents(merge.MERGED)) == ["REFUSED.json"]
    assert files.read_json(merge.MERGED / "REFUSED.json") == {
        "verdict": "refused",
        "reasons": ["all accuracy: 0.5000, needs at least 0.6000"],
    }


def test_anything_but_pass_is_a_refusal(done, run):
    files.write_json(merge.DECISION, "passed")
    files.write_json(merge.REASONS, [])
    run(merge)
    assert list(contents(merge.MERGED)) == ["REFUSED.json"]


def test_difference_above_the_allowed_one_stops(done, run):
    set_params(done, merge__max_logit_error=1e-12)
    with pytest.raises(GraftError, match="logits of the merged model differ by"):
        run(merge)
    assert contents(merge.MERGED) == {}


@pytest.mark.parametrize(
    ("difference", "passes"),
    [(1e-3, True), (1.1e-3, False), (float("nan"), False), (float("inf"), False)],
    ids=["allowed-itself-passes", "above-refused", "nan-refused", "infinite-refused"],
)
def test_check_of_the_difference(difference, passes):
    if passes:
        merge.check(difference, 32, 1e-3)
    else:
        with pytest.raises(GraftError):
            merge.check(difference, 32, 1e-3)


def test_without_evaluation_items_a_probe_is_compared(done, run):
    files.empty_dir(merge.SLICES)
    assert "over 1 evaluation items" in run(merge)


@pytest.mark.parametrize("name", ["merged", "adapter"])
def test_snippet_of_the_card_runs_in_a_copy_of_the_folder_anywhere(finished, tmp_path, name):
    copy = shutil.copytree(finished / "models" / name, tmp_path / "elsewhere" / "downloaded")
    [snippet] = re.findall(r"^```python\n(.*?)^```$", (copy / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    code = snippet + "import torch\nids = tokenizer('toy 12', return_tensors='pt')['input_ids']\n"
    code += "print(ids.tolist(), model(input_ids=ids).logits[0, -1].argmax().item())"
    environment = ENVIRONMENT | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    model = AutoModelForCausalLM.from_pretrained(finished / merge.MERGED)
    ids = AutoTokenizer.from_pretrained(finished / merge.MERGED)("toy 12", return_tensors="pt")["input_ids"]
    assert done.stdout.split("\n")[0] == f"{ids.tolist()} {model(input_ids=ids).logits[0, -1].argmax().item()}"


def test_card_is_one_that_the_hub_reads(finished):
    text = (finished / merge.MERGED / "README.md").read_text()
    card = ModelCard(text)
    assert card.data.base_model is None  # a name on the hub only
    assert card.data.library_name == "transformers"
    measured = files.read_json(finished / "reports/metrics.json")["candidate"]
    told = {(r.dataset_name, r.metric_name): r.metric_value for r in card.data.eval_results}
    assert told["all", "accuracy"] == measured["all"]["accuracy"]
    assert {name for name, _ in told} == {"all", *measured["slices"]}
    assert "base | `./examples/base`" in text
    assert "llama.cpp" in text
    assert files.sha256(finished / merge.ADAPTER / "adapter_model.safetensors") in text
    assert "increment | `winter`" in text
