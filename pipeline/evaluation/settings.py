"""Settings of the stage `evaluate`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Normalize = Literal["none", "length"]  # of a label's log-likelihood: as it is, or per token


def _robustness() -> dict[str, Any]:
    return {
        "items": 50,
        "kinds": ["typos", "case", "noise", "drop", "spacing", "width", "junk"],
        "strengths": [0.1],
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateSettings:
    """Section `evaluate` of params.yaml."""

    batch_size: int = 64
    normalize: Normalize = "none"
    max_new_tokens: int = 64  # of a generated answer; 0: none is generated
    slice_by: Sequence[str] = ()  # of pipeline.evaluation.fields
    max_items: int | None = None
    robustness: Mapping[str, Any] | None = field(default_factory=_robustness)  # items, kinds, strengths of variants
    language: str | None = None  # of generated texts
    custom: str | Sequence[str] | None = None  # of pipeline.evaluation.metrics.custom
    judge: Mapping[str, Any] | None = None  # of pipeline.evaluation.llm_judge.judged
    lm_eval: Sequence[str] = ()  # of pipeline.evaluation.lm_eval_tasks
