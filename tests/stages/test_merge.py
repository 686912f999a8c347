import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline import files
from pipeline.errors import GraftError
from pipeline.model import chat
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


def test_tokenizer_and_template_are_the_bases_byte_for_byte(finished):
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (finished / merge.MERGED / name).read_bytes() == (finished / "examples/base" / name).read_bytes()
    assert AutoTokenizer.from_pretrained(finished / merge.MERGED).chat_template


def test_another_process_merges_to_the_same_bytes_and_removes_what_was_there(done, finished):
    (merge.MERGED / "REFUSED.json").touch()
    subprocess.run([sys.executable, "-m", "pipeline.stages.merge"], env=HERE | {"PYTHONHASHSEED": "7"}, check=True)
    assert contents(merge.MERGED) == contents(finished / merge.MERGED)


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


def test_card_names_base_and_adapter(finished):
    card = (finished / merge.MERGED / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")  # the hub's base_model takes a name on the hub only
    assert "base | `examples/base`" in card
    assert files.sha256(finished / merge.ADAPTER / "adapter_model.safetensors") in card
