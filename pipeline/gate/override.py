"""gate.override: a person answers for one inconclusive verdict, against one parent, and no longer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.gate.check import INCONCLUSIVE
from pipeline.gate.settings import GateSettings

KEYS = ("who", "why", "release")


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """What became of it."""

    counts: bool
    said: list[str]  # warnings
    shown: dict[str, Any] | None  # in verdict.json


def judge(params: GateSettings, parent: str | None, verdict: str) -> Override:
    """Whether it counts: well formed, for this parent, asked for by gate.inconclusive, on an inconclusive verdict."""
    given = params.override
    if given is None:
        asked = params.inconclusive == "override" and verdict == INCONCLUSIVE
        said = ["gate.inconclusive is override, and gate.override is empty: who, why, release"] if asked else []
        return Override(counts=False, said=said, shown=None)
    fault = _fault(given)
    if fault:
        return Override(counts=False, said=[f"gate.override does not count: {fault}"], shown=None)
    state, words = _state(given, params.inconclusive, parent, verdict)
    shown = {**{key: given[key] for key in KEYS}, "state": state}
    return Override(counts=state == "used", said=[words] if words else [], shown=shown)


def _fault(given: object) -> str:
    if not isinstance(given, Mapping):
        return f"it must hold {', '.join(KEYS)}"
    empty = [key for key in KEYS if not isinstance(given.get(key), str) or not given[key].strip()]
    unknown = sorted(str(key) for key in set(given) - set(KEYS))
    return "; ".join(
        [
            *([f"{', '.join(empty)} must say something"] if empty else []),
            *([f"{', '.join(unknown)} is unknown"] if unknown else []),
        ]
    )


def _state(given: Mapping[str, str], policy: str, parent: str | None, verdict: str) -> tuple[str, str]:
    if given["release"] != parent:
        now = f"this candidate's parent is {parent}" if parent else "this candidate has no parent"
        return "lapsed", f"gate.override names {given['release']}, and {now}: it does not count"
    if policy != "override":
        return "off", f"gate.override does not count: gate.inconclusive is {policy}"
    if verdict != INCONCLUSIVE:
        return "not needed", ""
    return "used", f"overridden by {given['who']}: {given['why']}"
