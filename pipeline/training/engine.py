"""A training from records to a saved adapter, in the order in which its parts need each other."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.records.records import Record
from pipeline.model.base import pinned
from pipeline.model.base.pinned import Base
from pipeline.model.chat import chat, templates
from pipeline.model.weights import machine
from pipeline.training import drawn, finder, loop, objectives, validation
from pipeline.training.checkpoints import save_policy
from pipeline.training.checkpoints.fingerprint import fingerprint
from pipeline.training.examples import examples, lengths, tokens
from pipeline.training.examples.example import Encoding, Example
from pipeline.training.examples.examples import Made
from pipeline.training.machine import fit_checks, launch, precision, processes
from pipeline.training.machine.memory import Micro
from pipeline.training.methods import methods
from pipeline.training.methods.methods import Trainable
from pipeline.training.parent import blending, pull
from pipeline.training.parent.obstacles import refuse_unfit
from pipeline.training.parent.parent_adapter import ParentAdapter
from pipeline.training.settings import TrainSettings
from pipeline.training.steps import Outcome

DPO_RATE = 1e-3  # above it a pair soon says nothing but that the rejected answer is unlikely, and so is all else


def learn(
    asked: TrainSettings,
    records: Sequence[Record],
    parent: ParentAdapter | None,
    draft: Path,
    *,
    scratch: Path,
    inputs: Sequence[Path],
) -> Outcome:
    """Train an adapter and save it, going on from a checkpoint where there is one of this very training.

    Args:
        asked: section `train`.
        records: what to learn.
        parent: the parent's adapter.
        draft: where the adapter is written.
        scratch: where checkpoints lie.
        inputs: the files that the records are from: with other ones it is another training.
    """
    if asked.objective == "dpo" and isinstance(asked.learning_rate, float) and asked.learning_rate > DPO_RATE:
        print(f"train: learning_rate {asked.learning_rate:g} is high for dpo; 1e-5 to 5e-4 suits LoRA", flush=True)
    refuse_unfit(asked, parent)
    group = processes.join() if launch.inside() else processes.ALONE
    continues = parent is not None and asked.chain == "continue"
    asked = asked.continued() if continues else asked
    device, base = machine.settle(asked.threads, deterministic=asked.machine.deterministic), pinned.load()
    fit_checks.refuse_unfit(asked, device, base.folder)
    numbers = precision.chosen(asked.machine.precision, device, base.folder)
    kind = machine.machine_class(device) | precision.facts(numbers, device) | group.facts()
    run = fingerprint(asked, [*inputs, *([parent.folder] if parent else [])], base.fingerprint, kind)
    found = _examples(asked, records, base)
    learned, held = validation.hold(found.examples, asked.validation)
    made = methods.trainable(base, parent, asked, device)
    precision.use(made.model, numbers, device)
    group.share_weights(made.model)
    micro = Micro(size=asked.machine.micro_batch)
    objective = objectives.load(made.model, found.examples, asked, micro, group)
    hold = pull.hold(loop.trained(made), asked.parent) if continues else None
    keeper = save_policy.keeper(asked, scratch, run)
    rate, tested = finder.rate(made, learned, asked, objective, micro, keeper.store.folder, group)
    peak = rate * (asked.rewarm if continues else 1)
    started = time.monotonic()
    steps = loop.fit(
        made,
        learned,
        asked,
        peak=peak,
        objective=objective,
        continued=parent is not None,
        held=held,
        hold=hold,
        keeper=keeper,
        micro=micro,
        group=group,
    )
    kept = None
    if hold and held and asked.parent.average:
        kept = blending.blend(made, hold, held, objective, micro, asked.batch_size, group)
    seconds = time.monotonic() - started
    told = made.save(draft) if group.is_main else {}
    facts = {
        **_asked(asked),
        **_data(found, learned, records),
        **_size(made),
        "steps": len(steps),
        "tokens": sum(step.tokens for step in steps),
        "increment_tokens": drawn.tokens(learned, {r.id: r.increment for r in records}, asked, len(steps)),
        "machine_class": kind,
        "learning_rate": peak,
        "micro_batch": micro.size,
        "validation": held.facts() if held else None,
        "average": kept,
        "stack_error": told.get("stack_error"),
    }
    return Outcome(facts=facts, steps=steps, tested=tested, clear=keeper.clear, seconds=seconds, run=run)


def _asked(asked: TrainSettings) -> Mapping[str, Any]:
    return {"method": asked.method, "objective": asked.objective, "epochs": asked.epochs}


def _data(found: Made, learned: Sequence[Example], records: Sequence[Record]) -> Mapping[str, int]:
    return {
        "records": len(records) - found.dropped - found.undesirable,
        "examples": len(learned),
        "truncated": sum(example.truncated for example in found.examples),
        "cut": found.cut,
        "dropped": found.dropped,
        "undesirable": found.undesirable,
    }


def _size(made: Trainable) -> Mapping[str, int]:
    return {
        "trainable_parameters": sum(p.numel() for p in made.model.parameters() if p.requires_grad),
        "total_parameters": sum(p.numel() for p in made.model.parameters()),
    }


def _examples(asked: TrainSettings, records: Sequence[Record], base: Base) -> Made:
    """What the records are to the model."""
    talk = chat.load(base.folder, templates.text(asked.chat_template), needed=asked.objective != "pretrain")
    encoding = Encoding(objective=asked.objective, max_length=asked.max_length, truncation=asked.truncation)
    found = examples.make(talk, records, encoding, tokens.FOLDER, asked.workers)
    if not found.examples:
        left_out = [f"{found.dropped} with nothing to learn, or too long", f"{found.undesirable} undesirable answers"]
        raise GraftError("train: no record is left to learn from", left_out, help="see train.truncation and max_length")
    lengths.refuse_losses(found.cut, found.dropped, found.lengths, asked.max_length, asked.max_cut_share)
    pairs = [one for example in found.examples for one in (example, example.rejected) if one is not None]
    fit_checks.refuse_unreadable(asked, base.folder, [one.tokens for one in pairs])
    return found
