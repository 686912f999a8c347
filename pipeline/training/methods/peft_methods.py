"""What else PEFT has, by its own name: taken if it trains, saves, continues and merges on a small model."""

import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.common.errors import GraftError
from pipeline.model.adapter import lora_settings, saved_adapter
from pipeline.model.adapter.settings import AdapterSettings
from pipeline.model.base.pinned import Base
from pipeline.training.methods import lora

_NAMES = {"rank": "r", "alpha": "alpha", "targets": "target_modules"}  # ours -> PEFT's, where a method has them
_STEPS, _RATE = 5, 1e-3
_TOLERANCE = 1e-4  # of logits, float32


def new(body: Any, asked: AdapterSettings, seed: int) -> Any:
    """A new adapter of another kind on a base; the seed draws what is drawn.

    Raises:
        GraftError: PEFT cannot put it on this base, or nothing of it would be trained.
    """
    torch.manual_seed(seed)
    wanted, tied = config(body, asked), lora.tied_names(body)
    try:
        made = get_peft_model(body, wanted)
    except (NotImplementedError, TypeError, ValueError) as error:  # PEFT's words for layers that do not fit
        if isinstance(error, TypeError) and not _is_pefts(error):
            raise
        raise _unfit(asked, lora.brief(error)) from None
    if not any(parameter.requires_grad for parameter in made.parameters()):
        raise _unfit(asked, "it finds nothing here that it could train")  # such as osf on transposed layers
    lora.refuse_targets(made, asked, tied)
    return made


def _is_pefts(error: TypeError) -> bool:
    """Is it of a layer's type, and not of a comparison that went wrong?"""
    return "not supported" in str(error) and "not supported between" not in str(error)


def _unfit(asked: AdapterSettings, why: str) -> GraftError:
    return GraftError(
        f"train.method: {asked.method}: {why}",
        help="PEFT cannot put it on this base: other train.targets, or lora: docs/how-to/methods.md",
    )


def config(body: Any, asked: AdapterSettings) -> Any:
    """PEFT's config of a kind, its own defaults where we have no word for a setting.

    Raises:
        GraftError: PEFT has no such kind, or takes no such settings.
    """
    kinds = {kind.value.lower(): found for kind, found in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    if asked.method not in kinds:
        ours = (*lora_settings.LORA, *saved_adapter.CHANGED)
        raise GraftError(f"train.method: {asked.method}: not known", help=f"{', '.join(ours)}, or a name that PEFT has")
    has = {field.name for field in fields(kinds[asked.method])}
    values: dict[str, Any] = {"task_type": "CAUSAL_LM", "exclude_modules": lora.left_out(body, asked)}
    values |= {theirs: getattr(asked, ours) for ours, theirs in _NAMES.items()}
    if asked.layers is not None and "exclude_modules" not in has:
        raise GraftError(f"train.layers: method {asked.method} cannot leave layers out")
    return kinds[asked.method](**{name: value for name, value in values.items() if name in has})


def told(asked: AdapterSettings) -> dict[str, Any]:
    """What an adapter is saved with, so that a child which asks for something else is refused."""
    return {"rank": asked.rank, "alpha": asked.alpha} | lora_settings.modules(asked)


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
        made = new(_small(), small, 0)
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
