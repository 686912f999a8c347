"""Whether a PEFT method makes releases: it trains, saves, continues and merges on a tiny Llama."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.common.errors import GraftError
from pipeline.model.adapter.settings import AdapterSettings
from pipeline.model.base.pinned import Base
from pipeline.training.methods import lora, peft_methods

_STEPS, _RATE = 5, 1e-3
_TOLERANCE = 1e-4  # of logits, float32


def refuse_unless_it_works(asked: AdapterSettings) -> None:
    """Train it on a small model, save, load to train on, merge.

    Raises:
        GraftError: one of these fails, or changes what the model says.
    """
    doing = "be made"
    small = replace(asked, layers=None)
    small = replace(small, targets="all-linear")
    ids = torch.arange(6)[None]
    try:
        made = peft_methods.new(_small(), small, 0)
        doing = "train"
        trained = _train(made, ids)
        doing = "be saved and continued"
        with tempfile.TemporaryDirectory() as folder:
            lora.write_tensors(lora.tensors(made), made.peft_config[lora.ADAPTER].to_dict(), _BASE, Path(folder))
            again = PeftModel.from_pretrained(_small(), folder, is_trainable=True)
        _same(again, made, ids)
        if sum(p.numel() for p in again.parameters() if p.requires_grad) != trained:
            raise ValueError("other parameters are trainable after loading")
        doing = "be merged"
        _same(again.merge_and_unload(), made, ids)
    except GraftError:
        raise
    except Exception as error:  # whatever a kind of PEFT's raises says what it cannot do
        raise GraftError(
            f"train.method: {asked.method}: PEFT's {asked.method.upper()} cannot {doing} here",
            [f"{type(error).__name__}: {lora.brief(error)}"],
            help="a method must train, save, continue and merge to make releases: docs/how-to/methods.md",
        ) from None


_BASE = Base(folder=Path(), name="small", revision=None, sha256={}, fingerprint="")


def _small() -> Any:
    torch.manual_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=64, num_key_value_heads=4, **shape))


def _train(made: Any, ids: torch.Tensor) -> int:
    """A few steps; returns how many parameters moved at will."""
    trained = [parameter for parameter in made.parameters() if parameter.requires_grad]
    before = made(input_ids=ids, labels=ids).loss
    optimizer = torch.optim.AdamW(trained, lr=_RATE)
    for _ in range(_STEPS):
        torch.autograd.backward(made(input_ids=ids, labels=ids).loss)
        optimizer.step()
        optimizer.zero_grad()
    if not float(made(input_ids=ids, labels=ids).loss.detach()) < float(before.detach()):
        raise ValueError("its loss does not fall")
    return sum(parameter.numel() for parameter in trained)


@torch.no_grad()
def _same(one: Any, other: Any, ids: torch.Tensor) -> None:
    logits = [model.eval()(input_ids=ids).logits for model in (one, other)]
    difference = float((logits[0] - logits[1]).abs().max())
    if not difference <= _TOLERANCE:
        raise ValueError(f"logits differ by {difference:.3g}")
