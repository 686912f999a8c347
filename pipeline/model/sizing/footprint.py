"""Memory that a training takes at its peak, in GB (10^9 bytes) per device, from the model's shape alone.

    peak = weights + trained + activations + max(layer at work, logits) + passing + workspace + context

Nothing here is fitted row by row: each constant says what it counts. tests/model/test_footprint.py holds the estimate
within 10% of published figures. Reads no weights and loads no torch.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.model.sizing.shapes import Linear, Shape

# Legend: bytes per parameter, or per token and feature.

QUANTIZED = {"nf4": 0.5 + 4 / 64, "int8": 1.0}  # bytes of a matrix's parameter; nf4 with a float32 scale per 64
UNPACKED = 8  # bytes per parameter of the largest matrix while a quantised one is unpacked: integers, then halves
MASTERS = 16  # bytes per trained parameter: weight, gradient and AdamW's two moments in float32
CAST = 2  # autocast's copy of a trained weight, kept until the backward pass
CONTEXT = 0.6  # GB: CUDA's context and kernels, which no tensor counter sees. On the CPU: Python and its libraries
WORKSPACE = 0.8  # GB: cuBLAS and attention workspaces, and what the allocator cannot hand out again
HALF_LOGITS = 2 + 4 + 4 + 4  # logits, the same in float32, their log-softmax, its gradient
FULL_LOGITS = 4 + 4 + 4  # as above, without the copy
HALF_LOSS = 2 + 2 + 2 + 2 + 2  # shifted copy included: a loss computed in half precision, as DeepSpeed's fp16 does
_PLACES = ("model.layers.0.self_attn", "model.layers.0.mlp", "transformer.h.0.attn", "transformer.h.0.mlp")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSetup:
    """How a model is trained; named as in params.yaml's section `train`."""

    method: str = "lora"
    rank: int = 8
    targets: str | Sequence[str] = "all-linear"
    layers: Mapping[str, int] | Sequence[int] | None = None
    modules: str | None = None
    quantize: str = "nf4"
    precision: str = "bfloat16"  # what is computed in: float32 | bfloat16 | float16
    micro_batch: int = 1  # examples computed at a time
    length: int = 256  # tokens of an example
    learned: int | None = None  # of them, how many have logits; None: all
    gradient_checkpointing: bool = False
    loss_chunk: int | None = None  # learned tokens whose logits are held at a time
    offload: bool = False  # what is kept for the backward pass waits in the CPU's memory
    devices: int = 1  # that share weights and their states (FSDP2, ZeRO-3); 1: none is shared
    half_loss: bool = False  # published figures only: Graft's loss is float32
    cpu: bool = False

    @property
    def half(self) -> int:
        """Bytes of a computed number."""
        return 4 if self.precision == "float32" else 2

    @property
    def tokens(self) -> int:
        """Tokens computed at a time."""
        return self.micro_batch * self.length


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Where the memory goes, GB per device."""

    weights: float  # of the base, as they lie in memory
    trained: float  # what learning adds: weights, gradients, optimiser states
    activations: float  # kept for the backward pass
    layer: float  # recomputed of the layer at work
    logits: float  # and the loss; gone before the layers' turn
    passing: float  # matrices unpacked or gathered for the moment
    workspace: float
    context: float

    @property
    def tensors(self) -> float:
        """The most that torch's counter of allocated memory shows."""
        return self.weights + self.trained + self.activations + max(self.layer, self.logits) + self.passing

    @property
    def reserved(self) -> float:
        """The most that torch's counter of reserved memory shows."""
        return self.tensors + self.workspace

    @property
    def peak(self) -> float:
        """The most that the device shows."""
        return self.reserved + self.context


def estimate(shape: Shape, run: TrainingSetup) -> Footprint:
    """Peak memory of a training."""
    learned = trained_parameters(shape, run)
    replaced = learned if run.method in ("full", "freeze") else 0  # what learns is not kept a second time
    weights = (shape.parameters - replaced) * run.half - _saved_by_quantizing(shape, run)
    whole = 0 if run.method == "full" else (shape.parameters - shape.layers * shape.layer) * run.half  # on each device
    owners = run.devices if run.method == "full" else 1  # only a full training's states are shared, too
    per_parameter = MASTERS + (CAST if run.half == 2 and owners == 1 else 0)  # shared: cast layer by layer
    gathered = 2 * shape.layer * run.half if run.devices > 1 else 0  # a layer whole, and the next one on its way
    kept, layer = _activations(shape, run)
    return Footprint(
        weights=((weights - whole) / run.devices + whole) / 1e9,
        trained=learned * per_parameter / owners / 1e9,
        activations=kept * run.tokens / 1e9,
        layer=layer * run.tokens / 1e9,
        logits=_logits(shape, run) / 1e9,
        passing=(gathered + _unpacked(shape, run)) / 1e9,
        workspace=0.0 if run.cpu else WORKSPACE,
        context=CONTEXT,
    )


def trained_parameters(shape: Shape, run: TrainingSetup) -> int:
    """How many parameters learn."""
    if run.method == "full":
        return shape.parameters
    count = len(_layers(shape, run))
    if run.method == "expand":
        return count * shape.layer
    if run.method == "freeze":
        matched = [name for name in ("embed_tokens", "lm_head") if run.modules and re.search(run.modules, name)]
        return count * shape.layer + shape.head * (min(len(matched), 1) if shape.tied else len(matched))
    rows = sum(run.rank * (linear.wide + linear.out) for linear in _targets(shape, run))
    magnitudes = sum(linear.out for linear in _targets(shape, run)) if run.method == "dora" else 0
    return count * (rows + magnitudes)


def _layers(shape: Shape, run: TrainingSetup) -> range | Sequence[int]:
    """Numbers of the layers that learn, the first is 0."""
    if run.layers is None:
        return range(shape.layers)
    if not isinstance(run.layers, Mapping):
        return run.layers
    if "top" in run.layers:
        return range(shape.layers - run.layers["top"], shape.layers)
    return range(run.layers["bottom"])


def _targets(shape: Shape, run: TrainingSetup) -> list[Linear]:
    if run.targets == "all-linear":
        return list(shape.linears)
    if not isinstance(run.targets, str):
        return [linear for linear in shape.linears if linear.name in run.targets]
    pattern = re.compile(run.targets)  # of a module's whole name, as PEFT reads it
    return [linear for linear in shape.linears if any(pattern.fullmatch(f"{at}.{linear.name}") for at in _PLACES)]


def _saved_by_quantizing(shape: Shape, run: TrainingSetup) -> float:
    return shape.matrices * (run.half - QUANTIZED[run.quantize]) if run.method == "qlora" else 0


def _unpacked(shape: Shape, run: TrainingSetup) -> int:
    return UNPACKED * max(linear.size for linear in shape.linears) if run.method == "qlora" else 0


def _activations(shape: Shape, run: TrainingSetup) -> tuple[float, float]:
    """Bytes per token: kept for the backward pass, from the lowest layer that learns on; and of the layer at work."""
    depth = shape.layers - (min(_layers(shape, run), default=0) if run.method != "expand" else 0)
    layer, border = _layer(shape, run), float(shape.hidden * run.half)
    if run.offload:
        return 0.0, (2 * border if run.gradient_checkpointing else layer) + layer  # one more is on its way
    if run.gradient_checkpointing:
        return depth * border, layer
    return depth * layer, 0.0


def _layer(shape: Shape, run: TrainingSetup) -> float:
    """Bytes per token that one layer keeps.

    A normalisation keeps its input in float32, the normalised input and its output; attention (flash, or torch's
    own: no matrix of scores) its queries, keys, values and output; a gated feed-forward part both projections and the
    activation; each adapted matrix its own copy of its input.
    """
    norm = (4 + 2 * run.half) * shape.hidden
    attention = 2 * shape.queries + 2 * shape.keys
    forward = (3 if shape.gated else 2) * shape.ahead
    copies = shape.ahead if run.method in ("full", "freeze", "expand") else sum(t.wide for t in _targets(shape, run))
    return 2 * norm + run.half * (attention + forward + copies)


def _logits(shape: Shape, run: TrainingSetup) -> float:
    """Bytes of the output and its loss, for the positions that have logits."""
    positions = run.micro_batch * min(run.learned or run.length, run.length)
    positions = min(positions, run.loss_chunk or positions)
    per_number = HALF_LOSS if run.half_loss else HALF_LOGITS if run.half == 2 else FULL_LOGITS
    return float(positions * shape.vocabulary * per_number)
