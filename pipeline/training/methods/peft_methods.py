"""Other PEFT methods, by the name that PEFT gives them."""

from dataclasses import fields
from typing import Any

import torch
from peft import get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

from pipeline.common.errors import GraftError
from pipeline.model.adapter import lora_settings, saved_adapter, unfit_settings
from pipeline.model.adapter.settings import AdapterSettings
from pipeline.training.methods import lora

# Those that train, save, continue and merge on a tiny Llama with PEFT 0.21; `make soak` tries every one that PEFT has.
TESTED = (
    "boft", "c3a", "deft", "delora", "fourierft", "frod", "glora", "gralora", "hira", "hra", "ln_tuning", "loha",
    "lokr", "miss", "osf", "peanut", "psoft", "road", "shira", "supertuning", "tinylora", "unilora",
    "vblora", "vera", "waveft",
)  # fmt: skip
OURS = (*unfit_settings.LORA, *saved_adapter.CHANGED)
_NAMES = {"rank": "r", "alpha": "alpha", "targets": "target_modules"}  # ours -> PEFT's, where a method has them


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
        GraftError: the method is not one of TESTED, or takes no such settings.
    """
    if asked.method not in TESTED:
        raise GraftError(
            f"train.method: {asked.method}: not a method that Graft has tried", help=", ".join([*OURS, *TESTED])
        )
    kinds = {kind.value.lower(): found for kind, found in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    has = {field.name for field in fields(kinds[asked.method])}
    values: dict[str, Any] = {"task_type": "CAUSAL_LM", "exclude_modules": lora.left_out(body, asked)}
    values |= {theirs: getattr(asked, ours) for ours, theirs in _NAMES.items()}
    if asked.layers is not None and "exclude_modules" not in has:
        raise GraftError(f"train.layers: method {asked.method} cannot leave layers out")
    return kinds[asked.method](**{name: value for name, value in values.items() if name in has})


def told(asked: AdapterSettings) -> dict[str, Any]:
    """What an adapter is saved with, so that a child which asks for something else is refused."""
    return {"rank": asked.rank, "alpha": asked.alpha} | lora_settings.modules(asked)
