"""Settings with which a training fits cards of a size: tried in the order of what they cost. Loads no torch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipeline.model.sizing import footprint
from pipeline.model.sizing.cards import Cards
from pipeline.model.sizing.footprint import TrainingSetup
from pipeline.model.sizing.shapes import Shape

SHARED = "configs/fsdp2.yaml"  # weights and states shared between cards
COPIED = "configs/ddp.yaml"  # every card holds everything
UNSHARED = ("full", "qlora")  # methods whose weights Graft does not share: nothing is frozen; quantised ones
SHORTEST = 64  # tokens of an example that are worth suggesting
OFFERED = 3  # suggestions at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """Params that fit, and what they come to."""

    set: dict[str, Any]  # key of section `train` -> value
    peak_gb: float  # per card
    run: TrainingSetup


@dataclass(frozen=True, kw_only=True, slots=True)
class FittingRule:
    """A rule of thumb of this field."""

    billions: float  # parameters
    method: str
    gb: float  # in all
    words: str


# Widely repeated before planners did the sum: order of magnitude, short examples.
RULES = (
    FittingRule(billions=7, method="full", gb=80, words="7B full: 80 GB"),
    FittingRule(billions=7, method="lora", gb=24, words="7B LoRA, rank 8: 24 GB"),
    FittingRule(billions=7, method="qlora", gb=12, words="7B QLoRA: 12 GB"),
    FittingRule(billions=13, method="full", gb=160, words="13B full: 160 GB"),
    FittingRule(billions=13, method="lora", gb=48, words="13B LoRA, rank 8: 48 GB"),
    FittingRule(billions=13, method="qlora", gb=24, words="13B QLoRA: 24 GB"),
    FittingRule(billions=70, method="lora", gb=640, words="70B LoRA: 8 A100 of 80 GB"),
    FittingRule(billions=72, method="full", gb=1280, words="72B full: 16 cards of 80 GB"),
)
NEAR = 0.25  # a rule speaks for models this much smaller or larger


def fits(shape: Shape, run: TrainingSetup, cards: Cards) -> bool:
    """Does a training fit each card?"""
    return footprint.estimate(shape, run).peak <= cards.gb


def suggest(shape: Shape, run: TrainingSetup, cards: Cards) -> list[Suggestion]:
    """Up to three ways to fit, the one that changes least first; empty: none was found.

    What changes no result comes first (smaller parts of a batch, recomputing, sharing between cards), then what
    changes the method, then shorter examples.
    """
    found: list[Suggestion] = []
    for variant in _variants(run, cards):
        smaller = (replace(variant, micro_batch=size) for size in _halves(run.micro_batch))
        best = next((way for way in smaller if fits(shape, way, cards)), None)
        if best is not None and not any(_as_good(other.run, best) for other in found):
            peak = footprint.estimate(shape, best).peak
            found.append(Suggestion(set=_changed(run, best), peak_gb=round(peak, 1), run=best))
        if len(found) == OFFERED:
            break
    return found


def cards_needed(shape: Shape, run: TrainingSetup, gb: float) -> int | None:
    """The fewest cards of a size that hold a training whose weights they share; None: no number does."""
    smallest = replace(run, micro_batch=1, gradient_checkpointing=True)
    count = 1
    while count <= 1024:
        if footprint.estimate(shape, replace(smallest, devices=count)).peak <= gb:
            return count
        count = count + 1 if count < 16 else count * 2
    return None


def rules(shape: Shape) -> list[FittingRule]:
    """The rules of thumb for models of about this size."""
    billions = shape.parameters / 1e9
    return [rule for rule in RULES if abs(math.log(billions / rule.billions)) <= math.log(1 + NEAR)]


def _variants(run: TrainingSetup, cards: Cards) -> Iterator[TrainingSetup]:
    """Other ways to train, the one that changes least first."""
    again: dict[str, Any] = {"gradient_checkpointing": True}
    ways: list[dict[str, Any]] = [{}, again, {**again, "offload": True}]
    if cards.count > 1:
        ways[2:2] = [{"devices": cards.count}, {**again, "devices": cards.count}]
    methods = {"full": ("lora", "qlora"), "lora": ("qlora",), "dora": ("qlora",)}.get(run.method, ())
    for method in (run.method, *methods):
        for way in ways:
            if "devices" not in way or method not in UNSHARED:
                yield replace(run, method=method, **way)
    for length in _halves(run.length // 2):
        if length >= SHORTEST:
            yield from (replace(run, method=method, length=length, **again) for method in (run.method, *methods))


def _as_good(run: TrainingSetup, other: TrainingSetup) -> bool:
    """Does `run`, which changes less, take parts as large as `other`'s?"""
    same = (run.method, run.length) == (other.method, other.length)
    return same and run.micro_batch >= other.micro_batch


def _halves(number: int) -> Iterator[int]:
    while number >= 1:
        yield number
        number //= 2


def _changed(run: TrainingSetup, other: TrainingSetup) -> dict[str, Any]:
    """What to set in section `train`, by key."""
    keys = {
        "method": "method",
        "length": "max_length",
        "micro_batch": "machine.micro_batch",
        "gradient_checkpointing": "machine.gradient_checkpointing",
        "offload": "machine.offload",
    }
    changed = {key: getattr(other, name) for name, key in keys.items() if getattr(other, name) != getattr(run, name)}
    return changed | ({"machine.launch": SHARED} if other.devices > run.devices else {})
