"""What `train.max_length` took from training and evaluation: said under every verdict, and a limit to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.common.words import counted

HELP = "raise train.max_length (graft plan says which keeps them), or train.max_cut_share"


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """What was lost, in words."""

    beyond: Sequence[str]  # more than train.max_cut_share allows: a reason to refuse
    said: Sequence[str]  # less: a warning


def found(predictions: Mapping[str, Any]) -> Losses:
    """What was cut or left out.

    Args:
        predictions: content of predictions.json.
    """
    train = ((predictions.get("params") or {}).get("candidate") or {}).get("train") or {}
    limit = train.get("max_cut_share", 1.0)  # of an older Graft's predictions
    told = [_training(predictions.get("training") or {}), _evaluation(predictions["items"])]
    lines = [(lost / of, words) for lost, of, words in told if lost]
    return Losses(
        beyond=[f"{words}: {HELP}" for share, words in lines if share > limit],
        said=[words for share, words in lines if share <= limit],
    )


def _training(training: Mapping[str, int]) -> tuple[int, int, str]:
    cut, left_out = training.get("cut", 0), training.get("left_out", 0)
    of = training.get("examples", 0) + left_out
    ways = [f"{cut:,} cut" if cut else "", f"{left_out:,} left out" if left_out else ""]
    return cut + left_out, of, f"of {counted(of, 'training example')} {' and '.join(filter(None, ways))}"


def _evaluation(items: Sequence[Mapping[str, Any]]) -> tuple[int, int, str]:
    """Of classifications the prompt alone loses its beginning: they are told of by the report's figures."""
    asked = [item for item in items if item["kind"] != "classification"]
    cut = sum(bool((item.get("candidate") or {}).get("truncated")) for item in asked)
    return cut, len(asked), f"of {counted(len(asked), 'evaluation item')} {cut:,} cut"
