"""train: the parent's adapter + new records -> this candidate's adapter

With nothing new the parent's adapter is handed on, byte for byte; torch is then not even imported.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import errors, files, params, scratch, timing
from pipeline.data import arrow, kinds
from pipeline.data.records import Record
from pipeline.errors import GraftError
from pipeline.model import lora_settings
from pipeline.training.settings import Params

if TYPE_CHECKING:
    from pipeline.training.loop import Step

RECORDS = Path("data/assembled/train.arrow")
PARENT = Path("models/parent/adapter")
SCRATCH = Path(".graft/train")
ADAPTER = Path("models/adapter")
TRAINING = Path("reports/training.json")
CURVE = Path("reports/plots/loss.csv")
CURVE_ROWS = 200  # at most: the curve lies in git


def hand_on(asked: Params, parent: Path, draft: Path) -> dict[str, Any]:
    """Copy the parent's adapter; returns the facts for training.json.

    Raises:
        GraftError: other LoRA settings are asked for than it has.
    """
    lora_settings.refuse_if(lora_settings.differences(asked.lora, parent))
    print("train: nothing new: the parent's adapter is handed on", flush=True)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        files.write_bytes(draft / name, (parent / name).read_bytes())
    counts = ["records", "examples", "truncated", "dropped", "undesirable", "steps", "epochs", "tokens"]
    counts.append("trainable_parameters")
    return dict.fromkeys(counts, 0) | {"objective": asked.objective, "total_parameters": None, "machine_class": None}


def learn(
    asked: Params, records: Sequence[Record], parent: Path | None, draft: Path
) -> tuple[dict[str, Any], "list[Step]"]:
    """Train an adapter and save it; returns the facts for training.json, and the steps."""
    kinds.refuse_others([record.kind for record in records], asked.objective)
    print(f"train: {len(records)} records; loading torch and the base", flush=True)
    from pipeline.model import chat, machine, pinned, templates
    from pipeline.training import examples, loop, methods, objectives, tokens

    device, base = machine.settle(asked.threads), pinned.load()
    template = templates.text(asked.chat_template)
    talk = chat.load(base.folder, template, needed=asked.objective != "pretrain")
    found = examples.make(talk, records, asked.encoding, tokens.FOLDER)
    learned = found.examples
    if not learned:
        left_out = [f"{found.dropped} with nothing to learn, or too long", f"{found.undesirable} undesirable answers"]
        raise GraftError("train: no record is left to learn from", left_out, help="see train.truncation and max_length")
    made = methods.trainable(base, parent, asked, device)
    objective = objectives.load(made.model, learned, asked)
    peak = float(asked.learning_rate) * (asked.rewarm if parent else 1)
    steps = loop.fit(made, learned, asked, peak=peak, objective=objective)
    made.save(draft)
    facts = {
        "objective": asked.objective,
        "records": len(records) - found.dropped - found.undesirable,
        "examples": len(learned),
        "truncated": sum(example.truncated for example in learned),
        "dropped": found.dropped,
        "undesirable": found.undesirable,
        "steps": len(steps),
        "epochs": asked.epochs,
        "tokens": asked.epochs * sum(example.size for example in learned),
        "trainable_parameters": sum(p.numel() for p in made.model.parameters() if p.requires_grad),
        "total_parameters": sum(p.numel() for p in made.model.parameters()),
        "machine_class": machine.machine_class(device),
    }
    return facts, steps


def condense(steps: "Sequence[Step]", rows: int = CURVE_ROWS) -> list[tuple[int, float, float, float]]:
    """At most `rows` of (last step, mean loss, last rate, largest gradient norm), over equal spans of steps."""
    span = max(1, -(-len(steps) // rows))
    condensed = []
    for start in range(0, len(steps), span):
        part = steps[start : start + span]
        loss, norm = sum(step.loss for step in part) / len(part), max(step.gradient_norm for step in part)
        condensed.append((start + len(part), loss, part[-1].learning_rate, norm))
    return condensed


def main() -> None:
    """Read records and parent, write adapter, training.json and loss curve."""
    asked = params.load("train", Params)
    with scratch.held(SCRATCH) as draft, timing.measured("train") as figures:
        scratch.end_with_parent()
        _clear()
        records = arrow.read_records(RECORDS)
        parent = PARENT if asked.chain == "continue" and PARENT.exists() else None
        steps: list[Step] = []
        if records:
            facts, steps = learn(asked, records, parent, draft)
        elif parent:
            facts = hand_on(asked, parent, draft)
        else:
            raise GraftError(f"{RECORDS}: nothing to train on, and no parent to hand on", help="graft add NAME FILE...")
        rows = condense(steps)
        facts |= {
            "increments": dict(Counter(record.increment for record in records)),
            "final_loss": round(rows[-1][1], 6) if rows else None,
            "continued_from": files.sha256(parent / "adapter_model.safetensors") if parent else None,
        }
        _publish(draft, facts, rows)
        figures |= {"tokens": facts["tokens"], "steps": facts["steps"]}


def _clear() -> None:
    files.empty_dir(ADAPTER).rmdir()
    TRAINING.unlink(missing_ok=True)
    CURVE.unlink(missing_ok=True)


def _publish(draft: Path, facts: dict[str, Any], rows: list[tuple[int, float, float, float]]) -> None:
    """Everything appears whole: a run that is killed before leaves no adapter."""
    lines = [f"{step},{loss:.6g},{rate:.6g},{norm:.6g}" for step, loss, rate, norm in rows]
    files.write_text(CURVE, "\n".join(["step,loss,learning_rate,gradient_norm", *lines]) + "\n")
    files.write_json(TRAINING, facts)
    draft.rename(ADAPTER)


if __name__ == "__main__":
    errors.run(main)
