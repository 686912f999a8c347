"""Settings of the stage `train`. Loads no torch."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from pipeline.model.adapter.settings import AdapterSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Dpo:
    """What the objective dpo asks beyond the others."""

    beta: float = 0.1  # how dearly the model pays for leaving the reference; per nat


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """How a continued training is held near its parent."""

    kl: float = 0.0  # weight of the divergence from the parent's predictions
    l2: float = 0.0  # weight of the squared distance from the parent's weights
    ema: float | None = None  # decay of a moving average of the weights
    average: bool = False  # interpolate with the parent afterwards, the share chosen on the validation part


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """A part of the training records that only tells when to stop."""

    share: float = 0.0
    every: int = 50  # steps
    patience: int = 5  # looks without a better one


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """When a run is stopped because it cannot end well."""

    divergence: float | None = 3.0  # loss (median of 20 steps) over its best; and 1 nat above it, at least
    spike: float | None = 20.0  # gradient norm over its median, five steps in a row
    no_fall: int | None = 200  # steps after which a new adapter's loss must have fallen


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """How often a run is saved, so that a killed one goes on."""

    steps: int | None = None
    minutes: float | None = 10
    keep: int = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """How the arithmetic is laid on the machine."""

    precision: str = "auto"
    micro_batch: int | None = None
    gradient_checkpointing: bool = False
    offload: bool = False
    padding_free: bool = False
    loss_chunk: int | None = None
    deterministic: bool = True
    device_map: str | None = None
    launch: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSettings:
    """Section `train` of params.yaml."""

    seed: int = 20260101
    threads: int = 2
    chain: str = "continue"
    objective: str = "sft"
    method: str = "lora"
    replay: float | str = "auto"  # drawn by assemble
    rank: int = 8
    alpha: float = 16
    dropout: float = 0.0
    targets: str | Sequence[str] = "all-linear"
    layers: Mapping[str, int] | Sequence[int] | None = None
    modules: str | None = None
    init: str = "default"
    rslora: bool = False
    lora_plus: float | None = None
    quantize: str = "nf4"
    stack_rank: int = 64
    epochs: int = 8
    continued_epochs: float = 0.375  # of epochs
    max_steps: int | None = None
    batch_size: int = 32
    batch_tokens: int | None = None
    learning_rate: float | str = 5e-3
    rewarm: float = 0.5
    scheduler: str = "cosine"
    warmup_share: float = 0.05
    warmup_steps: int | None = None
    decay_share: float = 0.2
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    max_length: int = 256
    max_cut_share: float = 0.2  # of the examples; above it the stage stops, and the gate refuses
    truncation: str = "start"
    chat_template: str | None = None
    dpo: Dpo = field(default_factory=Dpo)
    parent: Pull = field(default_factory=Pull)
    validation: Validation = field(default_factory=Validation)
    watch: Watch = field(default_factory=Watch)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    checkpoint_url: str | None = None
    trackers: Sequence[str] = ()
    workers: int = 0
    machine: Machine = field(default_factory=Machine)

    def continued(self) -> "TrainSettings":
        """The same for an adapter that is continued: it knows much already, and needs fewer epochs."""
        return dataclasses.replace(self, epochs=max(1, round(self.epochs * self.continued_epochs)))

    @property
    def lora(self) -> AdapterSettings:
        """What is asked of what is trained."""
        return AdapterSettings(**{one.name: getattr(self, one.name) for one in fields(AdapterSettings)})
