"""Settings of an adapter: the keys of section `train` that say what is trained. Loads no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FROM_BASE = ("pissa", "olora")  # begin with a part of the base, which is taken off it


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterSettings:
    """Named as in params.yaml's section `train`."""

    rank: int
    alpha: float
    dropout: float
    targets: str | Sequence[str]
    method: str = "lora"
    layers: Mapping[str, int] | Sequence[int] | None = None
    modules: str | None = None
    init: str = "default"
    rslora: bool = False
    lora_plus: float | None = None
    quantize: str = "nf4"

    @property
    def from_base(self) -> bool:
        """Does the adapter begin with a part of the base?"""
        return self.init.startswith(FROM_BASE)

    @property
    def scaling(self) -> float:
        """What B A is multiplied with; rsLoRA: arXiv:2312.03732."""
        return float(self.alpha / (self.rank**0.5 if self.rslora else self.rank))
