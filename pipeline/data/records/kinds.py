"""What each objective learns from: kinds of records, by the name of the objective."""

from collections import Counter
from collections.abc import Iterable

from pipeline.common.errors import GraftError

KINDS = {
    "sft": ("classification", "sft", "kto"),  # of kto: what is desirable; the rest is left out
    "pretrain": ("text",),
    "dpo": ("preference",),
}


def objectives(kind: str) -> list[str]:
    """The objectives that take records of a kind."""
    return [name for name, kinds in KINDS.items() if kind in kinds]


def refuse_others(kinds: Iterable[str], objective: str) -> None:
    """Raise where records are of kinds that an objective does not take, each kind with its count and what takes it."""
    others = Counter(kind for kind in kinds if kind not in KINDS[objective])
    if others:
        raise GraftError(
            f"train.objective: {objective} learns from {', '.join(KINDS[objective])}, and not from",
            [f"{count} records of kind {kind}: {' or '.join(objectives(kind))}" for kind, count in others.items()],
            help="one increment, one objective: set train.objective, or put the others into an increment of their own",
        )
