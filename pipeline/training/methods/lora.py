"""The LoRA adapter that is trained: made new or continued from the parent's, and saved repeatably."""

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from safetensors.torch import save

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.model.adapter import saved_adapter
from pipeline.model.adapter.settings import AdapterSettings
from pipeline.model.base.pinned import Base
from pipeline.model.weights import base_model, layers

ADAPTER = "default"  # PEFT's name of the one that is trained
FROZEN = "frozen"  # beside it, and published with it
_BRIEF = 200  # characters shown of a message of PEFT's
_SHOWN = 5  # modules named in an error


def new(body: Any, asked: AdapterSettings, seed: int) -> Any:
    """A new adapter on a base; the seed draws its down-projections, its up-projections are zero.

    PiSSA and OLoRA begin with a part of the base. PEFT takes that part off the base's weights; here the base stays as
    it is, and the part is taken off by a second, frozen adapter: the same sum, exact in every dtype.
    """
    torch.manual_seed(seed)
    made = inject(body, asked)
    if asked.from_base:
        _begin_with_a_part_of_the_base(made, asked)
    return made


def other_targets(base: Path, asked: AdapterSettings, parent: Path) -> list[str]:
    """How the modules that are asked for differ from those of a saved adapter; one problem or none."""
    with safe_open(parent / saved_adapter.WEIGHTS, "pt") as file:
        has = {name.removeprefix("base_model.model.").partition(".lora_")[0] for name in file.keys()}  # noqa: SIM118
    wanted = set(skeleton(base, asked).base_model.targeted_module_names)
    if wanted == has:
        return []
    name = "layers" if {_kind(module) for module in wanted} == {_kind(module) for module in has} else "targets"
    return [f"train.{name}: {_kinds(wanted)} asked for, the parent's adapter has {_kinds(has)}"]


def write(trained: Any, base: Base, folder: Path, **notes: Any) -> None:
    """Save as PEFT does, but with bytes that repeat: float32, keys sorted, no absolute path; notes: see `saved`."""
    write_tensors(tensors(trained), trained.peft_config[ADAPTER].to_dict(), base, folder, **notes)


def tensors(trained: Any, name: str = ADAPTER) -> dict[str, torch.Tensor]:
    """An adapter's tensors as PEFT names them, float32, on the CPU."""
    state = get_peft_model_state_dict(trained, adapter_name=name, save_embedding_layers=False)
    return {key: _plain(tensor) for key, tensor in sorted(state.items())}


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype  # some methods save indices
    return tensor.detach().to("cpu", dtype).contiguous()


def write_tensors(
    tensors: dict[str, torch.Tensor], config: dict[str, Any], base: Base, folder: Path, **notes: Any
) -> None:
    """Save float32 tensors, keys sorted, and their PEFT config, bound to a base."""
    config |= {"base_model_name_or_path": base.name, "revision": base.revision, "inference_mode": True}
    plain = {key: _in_order(value) for key, value in config.items()}
    files.write_bytes(folder / saved_adapter.WEIGHTS, save(tensors, saved_adapter.note(base.fingerprint, **notes)))
    files.write_json(folder / saved_adapter.CONFIG, plain)


def skeleton(base: Path, asked: AdapterSettings) -> Any:
    """A new adapter on this base, without data: no weights are loaded."""
    with torch.device("meta"):
        return inject(base_model.structure(base), replace(asked, init="default"))


def inject(body: Any, asked: AdapterSettings) -> Any:
    """A body with a new LoRA adapter; what begins with a part of the base begins as zero.

    Raises:
        GraftError: PEFT cannot do it, such as targets that the base does not have; or the result could not be merged.
    """
    tied = tied_names(body)
    config = LoraConfig(
        r=asked.rank,
        lora_alpha=asked.alpha,
        lora_dropout=asked.dropout,
        target_modules=asked.targets if isinstance(asked.targets, str) else list(asked.targets),
        exclude_modules=left_out(body, asked),
        init_lora_weights=True if asked.from_base or asked.init == "default" else asked.init,
        use_rslora=asked.rslora,
        use_dora=asked.method == "dora",
        task_type="CAUSAL_LM",
    )
    try:
        made = get_peft_model(body, config)
    except ValueError as error:  # PEFT's word for targets that the base does not have, and for an odd rank
        setting = "train.init" if asked.init in str(error).lower() else "train.targets"
        raise GraftError(f"{setting}: {brief(error)}", help="all-linear suits every base") from None
    refuse_targets(made, asked, tied)
    if asked.from_base:
        _refuse_high_rank(made, asked)
    return made


def brief(error: Exception) -> str:
    """PEFT's message without the model that it may print: its first and last line, 200 characters at most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    line = lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1]}"
    return line if len(line) <= _BRIEF else f"{line[:_BRIEF]}..."


def tied_names(body: Any) -> set[str]:
    """Names of the embeddings that share one tensor; none where input and output have their own."""
    both = body.get_input_embeddings(), body.get_output_embeddings()
    if None in both or not body.config.get_text_config().tie_word_embeddings:
        return set()
    return {name for name, module in body.named_modules() if any(module is one for one in both)}


def refuse_targets(made: Any, asked: AdapterSettings, tied: Collection[str]) -> None:
    """Refuse targets without effect, and those that no merge could take in.

    Args:
        made: a body with an adapter.
        asked: for it.
        tied: `tied_names` of the body before.

    Raises:
        GraftError: a name matches no module that is trained; or a tied embedding is one.
    """
    has = set(getattr(made.base_model, "targeted_module_names", []))
    problems = []
    if has and not isinstance(asked.targets, str):
        idle = [name for name in asked.targets if not any(f".{module}".endswith(f".{name}") for module in has)]
        problems += [f"train.targets: {name}: no module of that name is trained" for name in idle]
    problems += [
        f"train.targets: {name}: input and output embeddings are one tensor here, and an update of one cannot be merged"
        for name in sorted(has & set(tied))
    ]
    if problems:
        raise GraftError(problems[0], problems[1:], help="all-linear suits every base")


def _refuse_high_rank(made: Any, asked: AdapterSettings) -> None:
    """A part of the base has no more directions than a module's smaller side; the file would hold several ranks."""
    problems = [
        f"train.rank: {asked.rank}: {name} has {min(layer.get_base_layer().weight.shape)} on its smaller side"
        for name, layer in made.base_model.model.named_modules()
        if isinstance(layer, LoraLayer) and min(layer.get_base_layer().weight.shape) < asked.rank
    ]
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise GraftError(
            f"train.init: {asked.init}: the rank is above what a module has",
            problems[:_SHOWN] + more,
            help="a lower train.rank, other train.targets, or train.init: default",
        )


def left_out(body: Any, asked: AdapterSettings) -> str | None:
    """Pattern of the modules in layers that are not trained."""
    if asked.layers is None:
        return None
    name, stack = layers.stack(body)
    rest = set(range(len(stack))) - set(layers.chosen(asked.layers, len(stack)))
    return rf"{re.escape(name)}\.({'|'.join(map(str, sorted(rest)))})\..*" if rest else None


@torch.no_grad()
def _begin_with_a_part_of_the_base(made: Any, asked: AdapterSettings) -> None:
    """B A is a part of W by PEFT's own decomposition, one layer at a time; the frozen adapter is its negative."""
    made.add_adapter(FROZEN, replace(made.peft_config[ADAPTER]))
    for layer in made.modules():
        if isinstance(layer, LoraLayer) and ADAPTER in layer.lora_A:
            _decompose(layer, asked.init)
    beside(made)


def _decompose(layer: Any, init: str) -> None:
    base = layer.get_base_layer()
    weight = base.weight.data.clone()
    if init == "olora":
        if getattr(layer, "fan_in_fan_out", False):
            raise GraftError("train.init: olora knows no transposed layers, such as GPT-2's", help="pissa")
        layer.olora_init(ADAPTER)
    else:
        layer.pissa_init(ADAPTER, init)
    base.weight.data = weight
    for pair, sign in ((layer.lora_A, 1), (layer.lora_B, -1)):
        pair[FROZEN].weight.data = sign * pair[ADAPTER].weight.data.clone()


def beside(made: Any) -> None:
    """Both adapters add to the base's outputs; only the new one is trained."""
    made.base_model.set_adapter([ADAPTER, FROZEN])
    for module in made.modules():
        if isinstance(module, LoraLayer) and FROZEN in module.lora_dropout:
            module.lora_dropout[FROZEN] = torch.nn.Identity()
    for name, parameter in made.named_parameters():
        if f".{FROZEN}" in name:
            parameter.requires_grad_(False)


def _kinds(modules: Collection[str]) -> str:
    """Short names and a count, such as "q_proj, v_proj (6 modules)"."""
    return f"{', '.join(sorted({_kind(name) for name in modules}))} ({len(modules)} modules)"


def _kind(module: str) -> str:
    return module.rpartition(".")[2]


def _in_order(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value
