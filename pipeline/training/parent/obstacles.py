"""What stands between the settings and a parent's adapter. Loads torch only where modules have to be compared."""

from pipeline.common.errors import GraftError
from pipeline.model.adapter import lora_settings, saved_adapter, unfit_settings
from pipeline.model.base.pinned import Base
from pipeline.training.parent.parent_adapter import ParentAdapter
from pipeline.training.settings import TrainSettings


def refuse_unfit(asked: TrainSettings, parent: ParentAdapter | None) -> None:
    """Refuse settings that do not go together, whatever the parent has.

    Raises:
        GraftError: the method has no use for one; or the training is to be held near a parent that it only stands on.
    """
    unfit_settings.refuse_unfit(asked.lora)
    wanted = asked.parent
    if parent and asked.chain == "stack" and (wanted.kl or wanted.l2 or wanted.ema is not None or wanted.average):
        raise GraftError(
            f"train.parent: holds a continued adapter near its parent; train.chain is {asked.chain}",
            help="0, null and false in train.parent, or train.chain: continue",
        )


def obstacles(asked: TrainSettings, parent: ParentAdapter, base: Base) -> list[str]:
    """Which settings are asked for that a parent's adapter cannot take on, each named; modules and layers, too.

    Where the adapter was asked for in other words than today's, its modules are compared on the base.
    """
    if asked.chain == "stack":
        return lora_settings.obstacles_to_stacking(asked.lora, parent.has)
    found, has = lora_settings.differences(asked.lora, parent.has), parent.has
    if lora_settings.says_so_itself(asked.lora, has):
        return found
    from pipeline.training.methods import full_weights, lora

    if {asked.method, has.method} <= set(unfit_settings.LORA):
        found += lora.other_targets(base.folder, asked.lora, parent.folder)
    if asked.method == has.method and asked.method in saved_adapter.EXPAND:
        found += full_weights.other_layers(base.folder, asked.lora, has)
    return found
