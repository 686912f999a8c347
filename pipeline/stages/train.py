"""train: the parent's adapter + new records -> this candidate's adapter

With nothing new the parent's adapter is handed on, byte for byte; torch is then not even imported, unless targets or
layers are asked for in other words than the parent's were.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.common import errors, files, params, scratch, timing
from pipeline.common.errors import GraftError
from pipeline.data.records import arrow, kinds
from pipeline.data.records.records import Record
from pipeline.model.adapter import lora_settings
from pipeline.model.base import pinned
from pipeline.model.base.pinned import Base
from pipeline.model.chat import templates
from pipeline.training import adapter_folder
from pipeline.training.machine import launch
from pipeline.training.parent.obstacles import obstacles, refuse_unfit
from pipeline.training.parent.parent_adapter import ParentAdapter, open_parent
from pipeline.training.settings import TrainSettings
from pipeline.training.steps import Outcome, Step

RECORDS = Path("data/assembled/train.arrow")
PARENT = Path("models/parent/adapter")
SCRATCH = Path(".graft/train")
ADAPTER = Path("models/adapter")
TRAINING = Path("reports/training.json")
CURVE = Path("reports/plots/loss.csv")
TESTED = Path("reports/plots/learning_rate.csv")  # of learning_rate: auto; else without rows
LAST = 20  # steps, at least, that the final loss is the mean of
# What changes no byte here: how checkpoints are kept, who watches, how many tokenise; and replay, which assemble reads.
UNBOUND = ("checkpoint", "checkpoint_url", "trackers", "workers", "replay")
CURVE_ROWS = 200  # at most: the curve lies in git


def hand_on(asked: TrainSettings, parent: ParentAdapter, base: Base, draft: Path) -> Outcome:
    """Copy the parent's adapter.

    Raises:
        GraftError: it could not be trained further as asked, either.
    """
    refuse_unfit(asked, parent)
    lora_settings.refuse_if(obstacles(asked, parent, base))
    print("train: nothing new: the parent's adapter is handed on", flush=True)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        files.write_bytes(draft / name, (parent.folder / name).read_bytes())
    counts = ["records", "examples", "truncated", "cut", "dropped", "undesirable", "steps", "epochs", "tokens"]
    nothing = ["total_parameters", "machine_class", "learning_rate", "micro_batch", "validation", "average"]
    facts = dict.fromkeys([*counts, "trainable_parameters"], 0) | dict.fromkeys([*nothing, "stack_error"])
    facts |= {"increment_tokens": {}}
    return Outcome(facts=facts | {"objective": asked.objective, "method": asked.method})


def learn(asked: TrainSettings, records: Sequence[Record], parent: ParentAdapter | None, draft: Path) -> Outcome:
    """Train an adapter and save it, going on from a checkpoint where there is one of this very training."""
    kinds.refuse_others([record.kind for record in records], asked.objective)
    print(f"train: {len(records)} records; loading torch and the base", flush=True)
    from pipeline.training import engine

    return engine.learn(asked, records, parent, draft, scratch=SCRATCH, inputs=[RECORDS])


def _launched(asked: TrainSettings, config: Path, draft: Path) -> Outcome:
    """`learn`, in the processes of an accelerate config."""
    made = launch.run(config, draft)
    steps = [Step(**step) for step in made["steps"]]

    def clear() -> None:
        from pipeline.training.checkpoints import save_policy

        save_policy.keeper(asked, SCRATCH, made["run"]).clear()

    return Outcome(**made | {"steps": steps, "clear": clear})


def _one_of_several(asked: TrainSettings, draft: Path) -> None:
    """What a launched process does: its part of `learn`; the main one hands the outcome to the stage."""
    with launch.reporting(draft, main=launch.is_main()):
        made = learn(asked, arrow.read_records(RECORDS), parent_of(asked, pinned.load()), draft)
        if launch.is_main():
            launch.report(
                draft,
                {field: getattr(made, field) for field in ("facts", "tested", "seconds", "run")}
                | {"steps": [dataclasses.asdict(step) for step in made.steps]},
            )


def parent_of(asked: TrainSettings, base: Base) -> ParentAdapter | None:
    """The adapter that the training continues or stands on; None: it begins on the base."""
    return open_parent(PARENT, base) if asked.chain != "fresh" and PARENT.exists() else None


def condense(steps: Sequence[Step], rows: int = CURVE_ROWS) -> list[tuple[int, float, float, float]]:
    """At most `rows` of (last step, mean loss, last rate, largest gradient norm), over equal spans of steps."""
    span = max(1, -(-len(steps) // rows))
    condensed = []
    for start in range(0, len(steps), span):
        part = steps[start : start + span]
        loss, norm = sum(step.loss for step in part) / len(part), max(step.gradient_norm for step in part)
        condensed.append((start + len(part), loss, part[-1].learning_rate, norm))
    return condensed


def final_loss(steps: Sequence[Step]) -> float | None:
    """The mean loss of the last tenth of the steps, of 20 at least, or of all where there are fewer."""
    last = steps[-max(LAST, len(steps) // 10) :]
    return round(sum(step.loss for step in last) / len(last), 6) if last else None


def main() -> None:
    """Read records and parent, write adapter, training.json and loss curve."""
    asked = params.load("train", TrainSettings)
    if (theirs := launch.inside()) is not None:
        scratch.end_with_parent()
        _one_of_several(asked, theirs)
        return
    with scratch.held(SCRATCH) as draft, timing.measured("train") as figures:
        scratch.end_with_parent()
        _clear()
        records = arrow.read_records(RECORDS)
        base = pinned.load()
        parent = parent_of(asked, base)
        if records and asked.machine.launch:
            made = _launched(asked, Path(asked.machine.launch), draft)
        elif records:
            made = learn(asked, records, parent, draft)
        elif parent:
            made = hand_on(asked, parent, base, draft)
        else:
            raise GraftError(f"{RECORDS}: nothing to train on, and no parent to hand on", help="graft add NAME FILE...")
        rows = condense(made.steps)
        section = params.load_all()["train"]
        adapter_folder.complete(draft, base, templates.text(section["chat_template"]))
        facts = made.facts | {
            "asked": {name: value for name, value in section.items() if name not in UNBOUND},
            "increments": dict(Counter(record.increment for record in records)),
            "final_loss": final_loss(made.steps),
            "state_bytes": (draft / "adapter_model.safetensors").stat().st_size,
            "continued_from": files.sha256(parent.folder / "adapter_model.safetensors") if parent else None,
        }
        _publish(draft, facts, rows, made.tested)
        made.clear()
        figures |= {"tokens": facts["tokens"], "steps": facts["steps"], "loop_seconds": round(made.seconds, 3)}


def _clear() -> None:
    files.empty_dir(ADAPTER).rmdir()
    for path in (TRAINING, CURVE, TESTED):
        path.unlink(missing_ok=True)
        for draft in path.parent.glob(f".{path.name}.*.tmp"):  # a kill while it was written
            draft.unlink()


def _publish(
    draft: Path,
    facts: dict[str, Any],
    rows: Sequence[tuple[int, float, float, float]],
    tested: Sequence[tuple[float, float]],
) -> None:
    """Everything appears whole: a run that is killed before leaves no adapter."""
    lines = [f"{step},{loss:.6g},{rate:.6g},{norm:.6g}" for step, loss, rate, norm in rows]
    files.write_text(CURVE, "\n".join(["step,loss,learning_rate,gradient_norm", *lines]) + "\n")
    lines = [f"{rate:.6g},{loss:.6g}" for rate, loss in tested]
    files.write_text(TESTED, "\n".join(["learning_rate,loss", *lines]) + "\n")
    files.write_json(TRAINING, facts)
    draft.rename(ADAPTER)


if __name__ == "__main__":
    errors.run(main)
