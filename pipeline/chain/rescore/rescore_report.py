"""The outcome of scoring a release again, in words and as JSON."""

from dataclasses import dataclass
from typing import Any

from pipeline.chain.rescore import agreement
from pipeline.chain.rescore.agreement import Difference
from pipeline.common.words import counted

SHOWN = 20  # differences in a message


@dataclass(frozen=True, kw_only=True, slots=True)
class RescoredSide:
    """What scoring one model again gave."""

    name: str  # candidate | parent | anchor
    bound: float  # see pipeline.chain.rescore.agreement
    largest: float  # difference of a figure
    ties: list[str]
    differences: list[Difference]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rescored:
    """How far the recorded predictions are what the published weights give."""

    items: int  # that were scored, variants included
    of: int
    seed: int | None  # that they were drawn by; None: all
    weights: str  # models/merged, or base and adapter where a release publishes no weights
    sides: list[RescoredSide]
    differences: list[Difference]  # of all items, in fields that no model says
    machine: dict[str, list[Any]]  # part of the machine class that differs -> [released, here]
    code: list[str]  # modules and libraries that score here and are not the release's
    notes: list[str]

    @property
    def different(self) -> bool:
        """Whether predictions.json is not what these weights give."""
        return bool(self._all())

    def faults(self) -> list[str]:
        """Every difference, one line each, labels first."""
        return [str(difference) for difference in self._all()]

    def shown(self) -> list[str]:
        """The first differences, and how many more there are."""
        lines, more = self.faults()[:SHOWN], len(self._all()) - SHOWN
        return [*lines, f"and {more:,} more: --json lists all"] if more > 0 else lines

    def words(self) -> str:
        """The outcome, in one line."""
        drawn = "" if self.seed is None else f" (drawn: --seed {self.seed})"
        outcome = counted(len(self._all()), "difference") if self.different else "as recorded"
        candidate = self.sides[0]
        largest = f"log-probabilities differ by {candidate.largest:.1e} at most"
        allowed = f"{largest}, allowed {candidate.bound:.0e} ({self._class()})"
        ties = f", {counted(len(candidate.ties), 'tie')}" if candidate.ties else ""
        scored = f"{self.items:,} of {counted(self.of, 'item')}{drawn} scored with {self.weights}"
        return f"{scored}: {outcome}; {allowed}{ties}"

    def lines(self) -> list[str]:
        """Which other models were scored, on what machine, and what was not scored again."""
        others = ", ".join(side.name for side in self.sides[1:])
        lines = [f"scored again, too: {others}"] if others else []
        lines += [f"machine class: {key} was {old}, is {new} here" for key, (old, new) in self.machine.items()]
        return [*lines, *(f"scored by other code than the release's: {name}" for name in self.code), *self.notes]

    def advice(self) -> str:
        """What to do about a difference."""
        if self.code:
            return "the code that scored this release is another one: check its own commit out and verify there"
        return "do not release or serve it; dvc repro --force evaluate scores it again; --rebuild trains it again"

    def as_json(self) -> dict[str, Any]:
        """Plain dict, for --json."""
        found, candidate = self._all(), self.sides[0]
        return {
            "items": self.items,
            "of": self.of,
            "seed": self.seed,
            "weights": self.weights,
            "different": self.different,
            "labels_differ": [one.id for one in found if one.field in agreement.ANSWERS and one.side == "candidate"],
            "ties": candidate.ties,
            "max_difference": candidate.largest,
            "bound": candidate.bound,
            "machine_class": self._class(),
            "sides": [side.name for side in self.sides],
            "differences": [difference.as_json() for difference in found],
            "code": self.code,
            "notes": self.notes,
        }

    def _class(self) -> str:
        return "other machine class" if self.machine else "same machine class"

    def _all(self) -> list[Difference]:
        every = [*self.differences, *(one for side in self.sides for one in side.differences)]
        return sorted(every, key=lambda one: one.field not in agreement.ANSWERS)
