"""What a parent's adapter can take on, as far as that is known without its base's modules. Loads no torch."""

from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.model.adapter import lora_settings
from pipeline.training.settings import TrainSettings


def refuse_unfit(asked: TrainSettings, parent: Path | None) -> None:
    """Refuse settings that do not go together, whatever the parent has.

    Raises:
        GraftError: the method has no use for one; or the training is to be held near a parent that it only stands on.
    """
    lora_settings.refuse_unfit(asked.lora)
    wanted = asked.parent
    if parent and asked.chain == "stack" and (wanted.kl or wanted.l2 or wanted.ema is not None or wanted.average):
        raise GraftError(
            f"train.parent: holds a continued adapter near its parent; train.chain is {asked.chain}",
            help="0, null and false in train.parent, or train.chain: continue",
        )


def obstacles(asked: TrainSettings, parent: Path) -> list[str]:
    """Which settings are asked for that a parent's adapter cannot take on, each named; modules are not compared."""
    if asked.chain == "stack":
        return lora_settings.obstacles_to_stacking(asked.lora, parent)
    return lora_settings.differences(asked.lora, parent)
