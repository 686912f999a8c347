"""Limits on what serving a candidate costs, judged on the machine that releases it.

`evaluate` measures on the machine that it ran on and writes reports/timings/evaluate.json, which is no
output of a stage, since seconds never repeat. So the limits are no part of the gate.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.common import documents
from pipeline.settings import effective

TIMINGS = Path("reports/timings/evaluate.json")
MEASURE_AGAIN = "dvc repro --single-item --force evaluate measures again, on this machine; the bytes stay the same"
_WEIGHTS = "models/adapter/adapter_model.safetensors"


def problems(manifest: Mapping[str, Any], parent: str | None) -> list[str]:
    """Every limit of params.yaml's section `release` that is not met, or that nobody measured here.

    Args:
        manifest: the candidate's outputs, by path.
        parent: the release before it.
    """
    asked: Mapping[str, Any] = effective.load()["release"]["limits"]
    asked = {name: limit for name, limit in asked.items() if any(value is not None for value in limit.values())}
    if not asked:
        return []
    measured = documents.parse_object(TIMINGS.read_bytes(), str(TIMINGS)) if TIMINGS.is_file() else {}
    if measured.get("adapter") != manifest[_WEIGHTS]["sha256"]:
        return [f"release.limits asks for {', '.join(asked)}: not measured for this candidate on this machine"]
    risen = [name for name, limit in asked.items() if limit.get("may_rise") is not None]
    if parent and risen and measured["parent"] is None:
        return [f"{name}: {parent} was not measured, for no evaluation item was new to it" for name in risen]
    return judge(asked, measured["candidate"], measured["parent"])


def judge(asked: Mapping[str, Any], candidate: Mapping[str, float], parent: Mapping[str, float] | None) -> list[str]:
    """Every limit that the measured figures pass.

    Args:
        asked: figure -> {"at_most": in the figure's unit, "may_rise": share of the parent's}; None: no limit.
        candidate: figure -> measured.
        parent: the same of the parent, measured in the same run; None before the first release.
    """
    found = []
    for name, limit in asked.items():
        at_most, may_rise = limit.get("at_most"), limit.get("may_rise")
        bounds = [math.inf if at_most is None else at_most]
        if may_rise is not None and parent is not None:
            bounds.append(parent.get(name, math.nan) * (1 + may_rise))
        value = candidate.get(name, math.nan)
        if not all(value <= bound for bound in bounds):  # so written, NaN is over every limit
            found.append(f"{name}: {value:.3g}, at most {min(bounds):.3g} is allowed")
    return found
