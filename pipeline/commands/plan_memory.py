"""What `graft plan` says of memory and time: for the settings as they stand, and for cards that are asked about."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.chain.candidate import early_checks
from pipeline.chain.lock.lockfile import Lock
from pipeline.common import documents
from pipeline.common.errors import GraftError
from pipeline.data.reading import increment
from pipeline.model.base import base_files
from pipeline.model.sizing import cards, fitting, footprint, pace, shapes
from pipeline.model.sizing.cards import Cards
from pipeline.model.sizing.footprint import TrainingSetup
from pipeline.model.sizing.shapes import Shape

LABEL_TOKENS = 32  # that a label and its end have at most, as classifications go
KEPT = base_files.PIN_DIR / "weights/config.json"  # base.store: dvc


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Peak memory and pace of training, from the base's config.json alone."""

    model: str  # where its config.json lies
    family: str
    parameters: int
    trained_parameters: int
    asked: dict[str, Any]  # the settings that memory follows from
    peak_gb: float  # per device, in 10^9 bytes
    parts_gb: dict[str, float]
    tokens_per_second: float | None  # by a card's data sheet; None: the card is not known
    gpu: dict[str, Any] | None  # cards asked about: fits, suggestions, cards needed, rules of thumb


def work_out(lock: Lock, train: Mapping[str, Any], gpu: str | None, config: Path | None, here: str) -> Memory | None:
    """Memory and time of section `train`; None: the base's config.json is not here, or its family not known.

    Args:
        lock: names the base, and the increment whose task says how much of an example is learned.
        train: section `train` of params.yaml.
        gpu: --gpu; None: this machine.
        config: --config, in place of the pinned base's.
        here: this machine's cards as their driver names them; "none" without one.

    Raises:
        GraftError: `gpu` or `config` cannot be read.
    """
    asked = cards.parse(gpu) if gpu else None
    path = config or pinned(lock)
    if path is None:
        return None
    try:
        shape = shapes.read(_load(path))
    except GraftError:
        if config or gpu:
            raise
        return None
    return _memory(path, shape, run_of(train, _learned(lock), cpu=asked is None and here == "none"), asked, here)


def pinned(lock: Lock) -> Path | None:
    """The pinned base's config.json, if it is here; nothing is downloaded."""
    return KEPT if KEPT.is_file() else early_checks.base_config(lock)


def run_of(train: Mapping[str, Any], learned: int | None, *, cpu: bool) -> TrainingSetup:
    """Section `train` as the planner sees it."""
    machine = train["machine"]
    precision = machine["precision"]
    length = train["max_length"]
    size = machine["micro_batch"] or train["batch_size"]
    if train["batch_tokens"] and not machine["micro_batch"]:
        size = max(1, train["batch_tokens"] // length)
    return TrainingSetup(
        method=train["method"],
        rank=train["rank"],
        targets=train["targets"],
        layers=train["layers"],
        modules=train["modules"],
        quantize=train["quantize"],
        precision=("float32" if cpu else "bfloat16") if precision == "auto" else precision,
        micro_batch=size * (2 if train["objective"] == "dpo" else 1),  # chosen and rejected answer
        length=length,
        learned=learned if train["objective"] == "sft" else None,
        gradient_checkpointing=machine["gradient_checkpointing"],
        loss_chunk=machine["loss_chunk"],
        offload=machine["offload"],
        cpu=cpu,
    )


def lines(found: Memory | None, gpu: str | None) -> Iterator[str]:
    """The plan's words on memory."""
    if found is None:
        yield "known once the base is here and of a family that Graft knows; --config FILE takes any config.json"
        return
    settings = ", ".join(f"{key} {value}" for key, value in found.asked.items() if value not in (None, False))
    yield f"about {found.peak_gb:.1f} GB at the peak: {settings}"
    parts = ", ".join(f"{name} {gb:.1f}" for name, gb in found.parts_gb.items() if gb >= 0.05)
    yield f"{found.parameters:,} parameters, {found.trained_parameters:,} learn; GB: {parts}"
    if found.tokens_per_second:
        yield f"about {found.tokens_per_second:,.0f} tokens/s, at half the data sheet's rate"
    if found.gpu:
        yield from _gpu_lines(found.gpu, gpu or "")


def _gpu_lines(gpu: dict[str, Any], asked: str) -> Iterator[str]:
    yield f"{asked}: it {'fits' if gpu['fits'] else 'does not fit'} {gpu['cards']}"
    if not gpu["fits"]:
        for offered in gpu["suggestions"]:
            setting = ", ".join(f"train.{key}: {json.dumps(value)}" for key, value in offered["set"].items())
            yield f"fits with {setting}: about {offered['peak_gb']:.1f} GB"
        if not gpu["suggestions"]:
            yield "nothing was found that fits: a smaller base, a larger card or more of them"
    needed = ", ".join(f"{method} {count or 'none is enough'}" for method, count in gpu["cards_needed"].items())
    yield f"cards of this size that it takes, weights shared between them: {needed}"
    if gpu["rules_of_thumb"]:
        yield f"rules of thumb: {'; '.join(gpu['rules_of_thumb'])}"


def _memory(path: Path, shape: Shape, run: TrainingSetup, asked: Cards | None, here: str) -> Memory:
    found = footprint.estimate(shape, run)
    tflops = asked.tflops if asked else cards.named(here)
    count = asked.count if asked else here.count(";") + 1
    seen = ("method", "rank", "precision", "micro_batch", "length", "learned", "gradient_checkpointing", "offload")
    return Memory(
        model=path.as_posix(),
        family=shape.family,
        parameters=shape.parameters,
        trained_parameters=footprint.trained_parameters(shape, run),
        asked={name: getattr(run, name) for name in seen},
        peak_gb=round(found.peak, 2),
        parts_gb={name: round(gb, 3) for name, gb in asdict(found).items()},
        tokens_per_second=round(pace.tokens_per_second(shape, run, tflops, count), 1) if tflops else None,
        gpu=_against(shape, run, asked) if asked else None,
    )


def _against(shape: Shape, run: TrainingSetup, asked: Cards) -> dict[str, Any]:
    fits = fitting.fits(shape, run, asked)
    offered = [] if fits else fitting.suggest(shape, run, asked)
    methods = ("full", "lora", "qlora")
    return {
        "cards": asked.words,
        "count": asked.count,
        "gb": asked.gb,
        "fits": fits,
        "suggestions": [{"set": way.set, "peak_gb": way.peak_gb} for way in offered],
        "cards_needed": {name: fitting.cards_needed(shape, _by(run, name), asked.gb) for name in methods},
        "rules_of_thumb": [rule.words for rule in fitting.rules(shape)],
    }


def _by(run: TrainingSetup, method: str) -> TrainingSetup:
    return TrainingSetup(method=method, rank=run.rank, targets=run.targets, length=run.length, learned=run.learned)


def _learned(lock: Lock) -> int | None:
    """Tokens of an example that have logits: few where answers are labels; None: all may."""
    folder = Path(lock.increment)
    if not (folder / increment.NAME).is_file():
        return None
    return LABEL_TOKENS if increment.read(folder).task == "classification" else None


def _load(path: Path) -> dict[str, Any]:
    try:
        found = documents.parse(path.read_bytes(), str(path), help="a model's config.json")
    except OSError as error:
        raise GraftError(f"{path}: {error.strerror}", help="a model's config.json") from None
    text = (found.get("text_config") or found) if isinstance(found, dict) else found  # of models that also see
    if not isinstance(text, dict):
        raise GraftError(
            f"{path}: {'no object' if text is found else 'text_config: no object'}", help="a model's config.json"
        )
    return text
