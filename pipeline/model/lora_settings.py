"""What is asked of a LoRA adapter, and whether a saved one can be continued with it. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import files
from pipeline.errors import GraftError


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Named as in params.yaml's section `train`."""

    rank: int
    alpha: float
    dropout: float
    targets: str | Sequence[str]


def differences(asked: Settings, adapter: Path) -> list[str]:
    """Which numbers of a saved adapter differ from what is asked for; targets can only be compared on a model."""
    config = files.read_json(adapter / "adapter_config.json")
    pairs = {
        "rank": (asked.rank, config["r"]),
        "alpha": (asked.alpha, config["lora_alpha"]),
        "dropout": (asked.dropout, config["lora_dropout"]),
    }
    return [
        f"train.{name}: {wanted} asked for, the parent's adapter has {has}"
        for name, (wanted, has) in pairs.items()
        if wanted != has
    ]


def refuse_if(problems: Sequence[str]) -> None:
    """Raise GraftError with every problem; PEFT itself would ignore what was asked for."""
    if problems:
        raise GraftError(
            "train: the parent's adapter cannot be continued with other LoRA settings",
            problems,
            help="set them back, or train.chain: fresh for a new adapter on the base",
        )
