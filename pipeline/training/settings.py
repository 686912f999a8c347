"""Section `train` of params.yaml, which says what each key means. Loads no torch."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from pipeline.model.adapter.lora_settings import AdapterSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """How records become examples."""

    objective: str
    max_length: int  # tokens
    truncation: str  # of pipeline.training.examples.truncation


@dataclass(frozen=True, kw_only=True, slots=True)
class Dpo:
    """What the objective dpo asks beyond the others."""

    beta: float  # how dearly the model pays for leaving the reference; per nat


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """How a continued training is held near its parent."""

    kl: float  # weight of the divergence from the parent's predictions
    l2: float  # weight of the squared distance from the parent's weights
    ema: float | None  # decay of a moving average of the weights
    average: bool  # interpolate with the parent afterwards, the share chosen on the validation part


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """A part of the training records that only tells when to stop."""

    share: float
    every: int  # steps
    patience: int  # looks without a better one


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """When a run is stopped because it cannot end well."""

    divergence: float | None  # loss (median of 20 steps) over its best; and 1 nat above it, at least
    spike: float | None  # gradient norm over its median, five steps in a row
    no_fall: int | None  # steps after which a new adapter's loss must have fallen


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """How often a run is saved, so that a killed one goes on."""

    steps: int | None
    minutes: float | None
    keep: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """How the arithmetic is laid on the machine."""

    precision: str
    micro_batch: int | None
    gradient_checkpointing: bool
    offload: bool
    padding_free: bool
    loss_chunk: int | None
    deterministic: bool
    device_map: str | None
    launch: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The whole section."""

    seed: int
    threads: int
    chain: str
    objective: str
    method: str
    replay: float | str  # drawn by assemble
    rank: int
    alpha: float
    dropout: float
    targets: str | Sequence[str]
    layers: Mapping[str, int] | Sequence[int] | None
    modules: str | None
    init: str
    rslora: bool
    lora_plus: float | None
    quantize: str
    stack_rank: int
    epochs: int
    continued_epochs: float  # of epochs
    max_steps: int | None
    batch_size: int
    batch_tokens: int | None
    learning_rate: float | str
    rewarm: float
    scheduler: str
    warmup_share: float
    warmup_steps: int | None
    decay_share: float
    weight_decay: float
    max_grad_norm: float
    max_length: int
    truncation: str
    chat_template: str | None
    dpo: Dpo
    parent: Pull
    validation: Validation
    watch: Watch
    checkpoint: Checkpoint
    checkpoint_url: str | None
    trackers: Sequence[str]
    workers: int
    machine: Machine

    def continued(self) -> "Params":
        """The same for an adapter that is continued: it knows much already, and needs fewer epochs."""
        return dataclasses.replace(self, epochs=max(1, round(self.epochs * self.continued_epochs)))

    @property
    def lora(self) -> AdapterSettings:
        """What is asked of what is trained."""
        return AdapterSettings(**{field.name: getattr(self, field.name) for field in fields(AdapterSettings)})

    @property
    def encoding(self) -> Encoding:
        """How records become examples."""
        return Encoding(objective=self.objective, max_length=self.max_length, truncation=self.truncation)
