"""What was trained, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.common.words import counted


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What reports/training.json says, a line each; none where nothing was trained."""
    if not found["steps"]:
        return
    trainable, total = found["trainable_parameters"], found["total_parameters"]
    yield (
        f"{counted(found['records'], 'record')}, {counted(found['epochs'], 'epoch')}, "
        f"{counted(found['steps'], 'step')}, {found['tokens']:,} tokens; "
        f"loss of the last steps {found['final_loss']:.4f}"
    )
    yield f"{trainable:,} of {total:,} parameters trained, " + (
        "continuing the parent's adapter" if found["continued_from"] else "in a new adapter"
    )
    yield "machine class: " + ", ".join(f"{name} {value}" for name, value in sorted(found["machine_class"].items()))
    if found["truncated"]:
        yield f"{found['truncated']:,} examples were longer than train.max_length and were cut"
    if found.get("dropped"):
        yield f"{counted(found['dropped'], 'record')} left out: too long, or with no answer to learn"
    if found.get("undesirable"):
        yield f"{counted(found['undesirable'], 'undesirable answer')} left out"
